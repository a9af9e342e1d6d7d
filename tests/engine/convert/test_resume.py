"""A conversion that ends in any way goes on to the same bytes, and never leaves half a model under a final name."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from engine.convert import checksums
from engine.convert.conversion import Options, Progress, convert, verify
from engine.convert.disk import StoppedError
from engine.convert.encode import Kind
from engine.errors import ModelFileError
from tests.engine.convert import checkpoints, crash

SPLIT = Options(split=150_000)
Files = dict[str, bytes]


def quiet(_progress: Progress) -> None:
    """Report to nobody."""


def contents(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    checkpoints.write(folder)
    return folder


@pytest.fixture(scope="module")
def wanted(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """What an undisturbed conversion in parts leaves."""
    folder = tmp_path_factory.mktemp("wanted")
    convert(source, folder / "k2.gguf", SPLIT, quiet)
    return contents(folder)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "k2.gguf"


def resumed(source: Path, target: Path) -> Files:
    convert(source, target, SPLIT, quiet)
    return contents(target.parent)


def check_names(target: Path, wanted: Files) -> None:
    """Whatever has a final name is complete, and once the first part has one everything does."""
    there = contents(target.parent)
    final = {name: data for name, data in there.items() if name in wanted}
    assert all(data == wanted[name] for name, data in final.items())
    if min(name for name in wanted if name.endswith(".gguf")) in final:
        assert final.keys() == wanted.keys()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.55, 0.9, 1.0])
def test_killed_while_it_writes(source: Path, wanted: Files, target: Path, share: float) -> None:
    total = sum(len(data) for name, data in wanted.items() if name.endswith(".gguf"))
    assert crash.after_bytes(source, target, SPLIT, int(total * share)) == -signal.SIGKILL
    check_names(target, wanted)
    assert resumed(source, target) == wanted


def test_killed_whenever_it_is_about_to_change_a_file_s_name(source: Path, wanted: Files, tmp_path: Path) -> None:
    """Each run dies at a later moment: the last ones between the renames, before the checksums, before the journal goes."""
    limit = status = 0
    while (limit := limit + 1) < 100:
        target = tmp_path / str(limit) / "k2.gguf"
        target.parent.mkdir()
        status = crash.after_names(source, target, SPLIT, limit)
        check_names(target, wanted)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        assert resumed(source, target) == wanted
    assert status == 0
    assert limit > 10


def test_killed_again_and_again(source: Path, wanted: Files, target: Path) -> None:
    total = sum(len(data) for name, data in wanted.items() if name.endswith(".gguf"))
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert crash.after_bytes(source, target, SPLIT, int(total * share)) == -signal.SIGKILL
    assert resumed(source, target) == wanted


def test_what_is_written_already_is_not_made_again(source: Path, wanted: Files, target: Path) -> None:
    total = sum(len(data) for name, data in wanted.items() if name.endswith(".gguf"))
    crash.after_bytes(source, target, SPLIT, int(total * 0.7))
    inodes = {path.name.removesuffix(".partial"): path.stat().st_ino for path in target.parent.iterdir() if ".gguf" in path.name}
    assert resumed(source, target) == wanted
    kept = [name for name, inode in inodes.items() if name in wanted and (target.parent / name).stat().st_ino == inode]
    assert len(kept) >= 2


@pytest.mark.parametrize("place", [0.0, 0.1, 0.4, 0.7, 0.85])
def test_bytes_that_did_not_reach_the_disk_are_written_again(source: Path, wanted: Files, target: Path, place: float) -> None:
    """After a power cut a file can hold zeros where the journal says that a tensor is, and can be longer than it was written."""
    whole = Options()
    total = sum(len(data) for name, data in wanted.items() if name.endswith(".gguf"))
    assert crash.after_bytes(source, target, whole, int(total * 0.9)) == -signal.SIGKILL
    with target.with_name("k2.gguf.partial").open("r+b") as file:
        file.seek(int(total * place))
        file.write(bytes(64))
        file.truncate(total * 2)
    convert(source, target, whole, quiet)
    (target.parent / "fresh").mkdir()
    convert(source, target.parent / "fresh" / "k2.gguf", whole, quiet)
    assert target.read_bytes() == (target.parent / "fresh" / "k2.gguf").read_bytes()
    assert verify(target, quiet) == (target,)


def test_a_partial_file_that_is_gone_or_cut_is_written_again(source: Path, wanted: Files, target: Path) -> None:
    total = sum(len(data) for name, data in wanted.items() if name.endswith(".gguf"))
    crash.after_bytes(source, target, SPLIT, int(total * 0.95))
    first, second, *_ = sorted(target.parent.glob("*.partial"))
    first.unlink()
    with second.open("r+b") as file:
        file.truncate(second.stat().st_size // 2)
    assert resumed(source, target) == wanted


@pytest.mark.parametrize("torn", [b"", b'{"part": 0, "ten', b"\x00\x00\x00", b"[]\n", b"nonsense\n{}\n"])
def test_a_torn_journal_is_read_as_far_as_it_is_whole(source: Path, wanted: Files, target: Path, torn: bytes) -> None:
    total = sum(len(data) for name, data in wanted.items() if name.endswith(".gguf"))
    crash.after_bytes(source, target, SPLIT, int(total * 0.6))
    journal = target.with_name("k2.gguf.journal")
    data = journal.read_bytes()
    journal.write_bytes(data[: len(data) // 2] + torn if torn else b"")
    assert resumed(source, target) == wanted


def test_after_a_torn_line_the_journal_goes_on_cleanly(source: Path, wanted: Files, target: Path) -> None:
    total = sum(len(data) for name, data in wanted.items() if name.endswith(".gguf"))
    crash.after_bytes(source, target, SPLIT, int(total * 0.5))
    journal = target.with_name("k2.gguf.journal")
    with journal.open("ab") as file:
        file.write(b'{"part": 1, "ten')
    crash.after_bytes(source, target, SPLIT, int(total * 0.9))
    assert all(isinstance(json.loads(line), dict) for line in journal.read_text().splitlines())
    assert resumed(source, target) == wanted


def test_other_options_do_not_continue_nor_destroy_what_is_there(source: Path, wanted: Files, target: Path) -> None:
    total = sum(len(data) for name, data in wanted.items() if name.endswith(".gguf"))
    crash.after_bytes(source, target, SPLIT, total // 2)
    before = contents(target.parent)
    with pytest.raises(ModelFileError, match=r"k2\.gguf\.journal: a conversion of another checkpoint or with other options stopped here"):
        convert(source, target, Options(outtype=Kind.F32), quiet)
    assert contents(target.parent) == before
    target.with_name("k2.gguf.journal").unlink()
    convert(source, target, Options(outtype=Kind.F32), quiet)
    assert {path.name for path in target.parent.iterdir()} == {"k2.gguf", "k2.gguf.sha256"}
    assert verify(target, quiet) == (target,)


def test_a_file_downloaded_again_costs_what_came_from_it_and_after(tmp_path: Path, target: Path) -> None:
    """A damaged file is found after hours; its replacement must be used, and the hours must not be lost."""
    source = tmp_path / "source"
    weights = checkpoints.write(source, nested=False).tensors
    last = {"lm_head.weight": weights.pop("lm_head.weight")}
    checkpoints.write_safetensors(source / "model.safetensors", weights)
    damaged = np.full((checkpoints.VOCABULARY, 64), 0x7FC0, np.uint16)
    checkpoints.write_safetensors(source / "last.safetensors", {"lm_head.weight": ("BF16", damaged)})
    output = target.parent / "output"
    output.mkdir()
    with pytest.raises(ModelFileError, match=r"last\.safetensors: tensor lm_head\.weight holds values that are not finite"):
        convert(source, output / "k2.gguf", SPLIT, quiet)
    inodes = {path.name.removesuffix(".partial"): path.stat().st_ino for path in output.glob("*.partial")}
    checkpoints.write_safetensors(source / "last.safetensors", last)
    convert(source, output / "k2.gguf", SPLIT, quiet)
    assert {name: (output / name).stat().st_ino for name in inodes} == inodes
    (tmp_path / "fresh").mkdir()
    convert(source, tmp_path / "fresh" / "k2.gguf", SPLIT, quiet)
    assert contents(output) == contents(tmp_path / "fresh")


def test_a_file_that_changed_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "output" / "k2.gguf"
    target.parent.mkdir()
    weights = checkpoints.write(source, nested=False).tensors
    assert crash.after_bytes(source, target, SPLIT, 300_000) == -signal.SIGKILL
    weights["model.layers.0.input_layernorm.weight"] = ("BF16", np.full(64, 0x3F80, np.uint16))
    checkpoints.write_safetensors(source / "model.safetensors", weights)
    convert(source, target, SPLIT, quiet)
    (tmp_path / "fresh").mkdir()
    convert(source, tmp_path / "fresh" / "k2.gguf", SPLIT, quiet)
    assert contents(target.parent) == contents(tmp_path / "fresh")


def test_what_ended_before_it_wrote_anything_binds_nobody(source: Path, target: Path) -> None:
    with pytest.raises(StoppedError):
        convert(source, target, Options(free=lambda folder: 0), quiet)
    convert(source, target, Options(outtype=Kind.F32), quiet)
    assert verify(target, quiet) == (target,)


@pytest.mark.parametrize("limit", [10, 100, 5_000, 100_000])
def test_a_full_disk_is_said_and_the_next_run_goes_on(source: Path, wanted: Files, target: Path, limit: int) -> None:
    assert crash.full_disk(source, target, SPLIT, limit) == 75
    check_names(target, wanted)
    assert resumed(source, target) == wanted


def test_interrupted_by_the_user(source: Path, wanted: Files, target: Path) -> None:
    total = sum(len(data) for name, data in wanted.items() if name.endswith(".gguf"))

    def interrupt(progress: Progress) -> None:
        if progress.phase == "writing" and progress.done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(source, target, SPLIT, interrupt)
    check_names(target, wanted)
    assert resumed(source, target) == wanted


def test_the_checksum_file_is_what_sha256sum_reads(wanted: Files) -> None:
    lines = wanted[checksums.beside(Path("k2.gguf")).name].decode().splitlines()
    assert [line[64:66] for line in lines] == ["  "] * len(lines)
    assert [line[66:] for line in lines] == sorted(name for name in wanted if name.endswith(".gguf"))
