"""A conversion that ends in any way goes on to the same bytes, and never leaves half a model under a final name."""

import signal
from pathlib import Path

import pytest

from engine.convert import checksums
from engine.convert.conversion import Options, Progress, convert, verify
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


@pytest.mark.parametrize("place", [0.05, 0.5, 0.99])
def test_bytes_that_did_not_reach_the_disk_are_written_again(source: Path, wanted: Files, target: Path, place: float) -> None:
    """After a power cut a file can hold zeros where the journal says that a tensor is."""
    total = sum(len(data) for name, data in wanted.items() if name.endswith(".gguf"))
    crash.after_bytes(source, target, SPLIT, int(total * 0.95))
    last = max(target.parent.glob("*.partial"))
    with last.open("r+b") as file:
        file.seek(int(last.stat().st_size * place))
        file.write(bytes(64))
    assert resumed(source, target) == wanted


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


def test_a_full_disk_is_said_and_the_next_run_goes_on(source: Path, wanted: Files, target: Path) -> None:
    assert crash.full_disk(source, target, SPLIT, 100_000) == 75
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
