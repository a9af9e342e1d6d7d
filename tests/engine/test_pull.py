"""`models pull`: what is chosen, and that only whole files get their names, whatever the hub, the network and the disk do."""

import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from engine.pull import (
    ChoiceError,
    PullError,
    RemoteFile,
    Repository,
    TryAgainError,
    choose,
    choose_projector,
    models_folder,
    parse,
    safe_path,
)
from engine.pull_command import pull
from tests.engine.fakehub import COMMIT, REPOSITORY, FakeHub, Fault, serve
from tests.engine.process import wait_for

APP = typer.Typer(pretty_exceptions_enable=False)
APP.command()(pull)

DATA = random.Random(1).randbytes(300_000)
QUANT = f"{REPOSITORY}:UD-Q4_K_XL"
PARTS = {f"UD-Q4_K_XL/m-UD-Q4_K_XL-{n:05d}-of-00002.gguf": DATA[n:] for n in (1, 2)}
FILES = {
    **PARTS,
    "UD-Q2_K_XL/m-UD-Q2_K_XL.gguf": DATA[:1000],
    "mmproj-BF16.gguf": DATA[:700],
    "mmproj-F16.gguf": DATA[:600],
    "README.md": b"x",
}
FIRST = next(iter(PARTS))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    with serve(FakeHub(dict(FILES))) as fake:
        monkeypatch.setenv("HF_ENDPOINT", fake.endpoint)
        monkeypatch.setenv("KIMICODE_HOME", str(tmp_path / "home"))
        for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_UPDATE_CHECK"):
            monkeypatch.setenv(name, "1")
        # The library reads the environment once, maybe before this test.
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)
        yield fake


def run(*arguments: object) -> Result:
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


def fetch(hub: FakeHub, folder: Path, wanted: str = QUANT, *, mmproj: bool = False) -> tuple[tuple[Path, ...], list[float], str]:
    """A pull without waiting: the places, the waits there would have been, and what was said."""
    from engine.pull_run import run

    waits: list[float] = []
    said = io.StringIO()
    environ = {"HF_ENDPOINT": hub.endpoint, **({"HF_TOKEN": hub.token} if hub.token else {})}
    return run(wanted, mmproj, folder, None, environ, said, waits.append), waits, said.getvalue()


def repository(*paths: str) -> Repository:
    return Repository("o/n", COMMIT, tuple(RemoteFile(path, 10, "0" * 64) for path in paths))


def content(folder: Path) -> dict[str, bytes]:
    """Every file that has its final name."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".pull" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def child(hub: FakeHub, folder: Path, *, before: str = "", **environ: str) -> "subprocess.Popen[str]":
    """The command in a process of its own."""
    code = f"{before}\nimport typer\nfrom engine.pull_command import pull\napp = typer.Typer()\napp.command()(pull)\napp()"
    return subprocess.Popen(
        [sys.executable, "-c", code, QUANT, "--to", str(folder)],
        env={**os.environ, "HF_ENDPOINT": hub.endpoint, "PYTHONPATH": os.pathsep.join(sys.path), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(folder: Path, size: int) -> None:
    """Wait until so many bytes are in a `.part` file."""
    wait_for(lambda: any(part.stat().st_size >= size for part in folder.rglob("*.part")))


# What is chosen.


def test_repository_and_quantisation_are_told_apart() -> None:
    assert parse("unsloth/Kimi-K2.6-GGUF:UD-Q4_K_XL") == ("unsloth/Kimi-K2.6-GGUF", "UD-Q4_K_XL")
    assert parse("a/b") == ("a/b", "")
    for wrong in ("", "a", "a/b/c", "/b", "a/", "../b", "a/..", "a b/c", "https://huggingface.co/a/b", "a/b\n:Q4", "a/b?x"):
        with pytest.raises(ChoiceError, match="OWNER/NAME:QUANT"):
            parse(wrong)


def test_models_go_where_kimicode_s_data_goes(tmp_path: Path) -> None:
    assert models_folder({"KIMICODE_HOME": str(tmp_path)}) == tmp_path / "models"
    assert models_folder({}).parts[-2:] == ("kimicode", "models")


def test_all_parts_of_the_named_quantisation_are_chosen() -> None:
    paths = [f"Q4/m-Q4-{n:05d}-of-00003.gguf" for n in (3, 1, 2)]
    choice = choose(repository(*paths, "Q8/m-Q8.gguf", "x.txt"), "q4")
    assert [file.path for file in choice.files] == sorted(paths)
    assert (choice.label, choice.size) == ("Q4", 30)


@pytest.mark.parametrize(
    ("paths", "quant", "chosen"),
    [
        (("m-Q4_K.gguf", "m-Q4_K_M.gguf"), "q4_k", "m-Q4_K.gguf"),
        (("m-Q4_K_M.gguf", "m-UD-Q4_K_M.gguf"), "Q4_K_M", "m-Q4_K_M.gguf"),
        (("m-Q4_K_M.gguf", "m-UD-Q4_K_M.gguf"), "ud-Q4_K_M", "m-UD-Q4_K_M.gguf"),
        (("Q4_K_M/m-Q4_K_M.gguf", "UD-Q4_K_M/m-UD-Q4_K_M.gguf"), "Q4_K_M", "Q4_K_M/m-Q4_K_M.gguf"),
        (("m-Q4_K_M.gguf", "m-Q8_0.gguf"), "q8", "m-Q8_0.gguf"),
        (("m.gguf", "mmproj-F16.gguf"), "", "m.gguf"),
        (("m.GGUF", "m.safetensors"), "", "m.GGUF"),
    ],
)
def test_the_closest_name_is_chosen(paths: tuple[str, ...], quant: str, chosen: str) -> None:
    assert [file.path for file in choose(repository(*paths), quant).files] == [chosen]


def test_what_is_not_one_model_lists_the_choices() -> None:
    many = repository(
        "m-Q2_K.gguf", "Q8/m-Q8-00001-of-00002.gguf", "Q8/m-Q8-00002-of-00002.gguf", "m-Q4_K_M.gguf", "m-Q4_K_S.gguf", "mmproj-F16.gguf"
    )
    with pytest.raises(ChoiceError) as none:
        choose(many, "")
    assert str(none.value).splitlines() == [
        "o/n has several models; give one of these as o/n:QUANT",
        "  Q2_K        10 B  1 file",
        "  Q4_K_M      10 B  1 file",
        "  Q4_K_S      10 B  1 file",
        "  Q8          20 B  2 files",
    ]
    with pytest.raises(ChoiceError) as several:
        choose(many, "q4")
    assert "several models for 'q4'" in str(several.value)
    assert "Q2_K" not in str(several.value)
    with pytest.raises(ChoiceError, match=r"has no 'IQ1'.*\n.*Q2_K"):
        choose(many, "IQ1")
    with pytest.raises(ChoiceError, match="models convert"):
        choose(repository("model.safetensors", "mmproj-F16.gguf"), "")


def test_an_unfinished_upload_is_not_taken() -> None:
    with pytest.raises(PullError, match="only 1 of the 2 parts of Q4"):
        choose(repository("Q4/m-00001-of-00002.gguf"), "Q4")


def test_the_projector_in_half_precision_is_preferred() -> None:
    assert choose_projector(repository("mmproj-BF16.gguf", "mmproj-F16.gguf", "mmproj-F32.gguf")).files[0].path == "mmproj-F16.gguf"
    assert choose_projector(repository("mmproj-F32.gguf", "mmproj-BF16.gguf")).files[0].path == "mmproj-BF16.gguf"
    assert choose_projector(repository("m.gguf", "my-mmproj.gguf")).files[0].path == "my-mmproj.gguf"
    with pytest.raises(ChoiceError, match="no mmproj"):
        choose_projector(repository("m.gguf"))


@given(st.text())
def test_no_name_of_a_hub_leads_out_of_the_folder(path: str) -> None:
    try:
        safe = safe_path(path)
    except PullError:
        return
    assert not safe.is_absolute()
    assert ".." not in safe.parts
    assert str(safe) == path


@pytest.mark.parametrize(
    "path", ["../x.gguf", "/etc/x.gguf", "a/../../x.gguf", "a//x.gguf", "a\\x.gguf", ".pull/x.gguf", "a/\x1b[2Jx.gguf", "x" * 300 + ".gguf"]
)
def test_such_names_are_refused(path: str) -> None:
    with pytest.raises(PullError, match="can't be a file name"):
        choose(repository(path), "")


# A pull from start to end.


def test_the_command_fetches_all_parts_and_the_projector(hub: FakeHub, tmp_path: Path) -> None:
    result = run(QUANT.lower().replace("-gguf", "-GGUF"), "--mmproj")
    folder = tmp_path / "home" / "models" / REPOSITORY
    assert (result.exit_code, result.stdout) == (0, f"{folder / FIRST}\n{folder / 'mmproj-F16.gguf'}\n")
    assert "3 files, 601 kB" in result.stderr
    assert content(folder) == {**PARTS, "mmproj-F16.gguf": FILES["mmproj-F16.gguf"]}
    assert hub.sent == sum(len(data) for data in PARTS.values()) + 600
    assert not list(folder.rglob("*.part"))


def test_a_second_run_asks_for_no_content_and_reads_no_file(hub: FakeHub, tmp_path: Path) -> None:
    fetch(hub, tmp_path)
    sent = hub.sent
    _, _, said = fetch(hub, tmp_path)
    assert hub.sent == sent
    assert "checking" not in said


def test_a_file_without_a_record_is_known_by_its_checksum_and_a_changed_one_fetched_again(hub: FakeHub, tmp_path: Path) -> None:
    fetch(hub, tmp_path)
    for marker in (tmp_path / ".pull").rglob("*.json"):
        marker.unlink()
    changed = tmp_path / FIRST
    changed.write_bytes(bytes(len(PARTS[FIRST])))
    sent = hub.sent
    fetch(hub, tmp_path)
    assert hub.sent == sent + len(PARTS[FIRST])
    assert content(tmp_path) == PARTS


def test_a_file_that_git_keeps_is_verified_by_its_blob_id(hub: FakeHub, tmp_path: Path) -> None:
    hub.plain = frozenset(PARTS)
    hub.faults = [Fault(corrupt=True)]
    with pytest.raises(TryAgainError, match="wrong checksum"):
        fetch(hub, tmp_path)
    fetch(hub, tmp_path)
    assert content(tmp_path) == PARTS


def test_long_files_are_asked_for_in_segments(hub: FakeHub, tmp_path: Path) -> None:
    from engine.download import Downloader
    from engine.hub import Hub

    source = Hub(hub.endpoint)
    found = source.repository(REPOSITORY, None)
    files = choose(found, "UD-Q4_K_XL").files
    Downloader(tmp_path, lambda file, start, end: source.body(found, file, start, end), lambda _: None, segment=100_000).pull(files)
    assert content(tmp_path) == PARTS
    ranges = [headers["range"] for path, headers in hub.requests if path.startswith("/content")]
    assert ranges[:3] == ["bytes=0-99999", "bytes=100000-199999", "bytes=200000-299998"]


def test_an_empty_file_is_fetched_too(hub: FakeHub, tmp_path: Path) -> None:
    hub.files = {"empty.gguf": b""}
    fetch(hub, tmp_path, REPOSITORY)
    assert content(tmp_path) == {"empty.gguf": b""}


def test_the_token_goes_to_the_hub_and_nowhere_else(hub: FakeHub, tmp_path: Path) -> None:
    hub.token = "hf_secret"
    fetch(hub, tmp_path)
    for path, headers in hub.requests:
        assert headers.get("authorization") == (None if path.startswith("/content") else "Bearer hf_secret")
        assert "torch" not in headers["user-agent"]


def test_files_are_of_the_commit_that_was_listed(hub: FakeHub, tmp_path: Path) -> None:
    fetch(hub, tmp_path)
    assert len(hub.paths(f"/{REPOSITORY}/resolve/{COMMIT}/")) == 2


# What goes wrong.


def test_cut_connections_are_taken_up_where_they_broke(hub: FakeHub, tmp_path: Path) -> None:
    hub.faults = [Fault(cut=1000), Fault(cut=0), Fault(cut=70_000), Fault(end=5)]
    _, waits, _ = fetch(hub, tmp_path)
    assert content(tmp_path) == PARTS
    assert hub.sent == sum(len(data) for data in PARTS.values())
    assert waits == [1, 2, 1, 1]


def test_a_busy_hub_is_asked_again_when_it_wishes(hub: FakeHub, tmp_path: Path) -> None:
    hub.metadata = [Fault(status=503)]
    hub.faults = [Fault(status=429, headers={"Retry-After": "17"}), Fault(status=503), Fault(status=502, headers={"Retry-After": "x"})]
    _, waits, _ = fetch(hub, tmp_path)
    assert content(tmp_path) == PARTS
    assert waits == [1, 17, 2, 4]


def test_a_hub_that_stays_busy_is_given_up(hub: FakeHub, tmp_path: Path) -> None:
    hub.faults = [Fault(status=503)] * 100
    with pytest.raises(TryAgainError, match=r"has trouble \(503\)"):
        fetch(hub, tmp_path)
    assert len(hub.paths("/content")) == 8
    assert content(tmp_path) == {}


def test_an_expired_link_is_renewed(hub: FakeHub, tmp_path: Path) -> None:
    hub.faults = [Fault(cut=1000), Fault(status=403)]
    fetch(hub, tmp_path)
    assert content(tmp_path) == PARTS


def test_a_server_that_ignores_ranges_starts_anew_but_not_for_ever(hub: FakeHub, tmp_path: Path) -> None:
    hub.faults = [Fault(cut=1000), Fault(ignore_range=True)]
    fetch(hub, tmp_path / "a")
    assert content(tmp_path / "a") == PARTS
    hub.faults = [Fault(cut=1000, ignore_range=True)] * 100
    with pytest.raises(TryAgainError, match="connection"):
        fetch(hub, tmp_path / "b")
    assert len(hub.faults) == 100 - 8


def test_another_range_than_was_asked_for_is_not_believed(hub: FakeHub, tmp_path: Path) -> None:
    hub.faults = [Fault(wrong_range=True)]
    fetch(hub, tmp_path)
    assert content(tmp_path) == PARTS


def test_wrong_content_is_removed_and_said(hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub.faults = [Fault(corrupt=True)]
    result = run(QUANT, "--to", tmp_path)
    assert (result.exit_code, result.stdout) == (75, "")
    assert f"{FIRST} came with a wrong checksum and was removed" in result.stderr
    assert content(tmp_path) == {}
    assert not list(tmp_path.rglob("*.part"))
    assert run(QUANT, "--to", tmp_path).exit_code == 0
    assert content(tmp_path) == PARTS


def test_a_damaged_beginning_is_found_out(hub: FakeHub, tmp_path: Path) -> None:
    hub.faults = [Fault(cut=1000), *[Fault(status=500)] * 8]
    with pytest.raises(TryAgainError):
        fetch(hub, tmp_path)
    (part,) = tmp_path.rglob("*.part")
    part.write_bytes(bytes(1000))
    with pytest.raises(TryAgainError, match="wrong checksum"):
        fetch(hub, tmp_path)
    fetch(hub, tmp_path)
    assert content(tmp_path) == PARTS


def test_what_came_of_an_older_version_is_thrown_away(hub: FakeHub, tmp_path: Path) -> None:
    hub.faults = [Fault(cut=1000), *[Fault(status=500)] * 8]
    with pytest.raises(TryAgainError):
        fetch(hub, tmp_path)
    hub.files[FIRST] = DATA[::-1]
    fetch(hub, tmp_path)
    assert content(tmp_path)[FIRST] == DATA[::-1]
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["no/such"], 2, "no model repository no/such"),
        ([QUANT, "--revision", "v9"], 2, "no revision 'v9'"),
        ([f"{REPOSITORY}:Q9"], 2, "has no 'Q9'"),
        ([REPOSITORY], 2, "UD-Q2_K_XL    1.0 kB  1 file"),
        (["nonsense"], 2, "is not OWNER/NAME"),
    ],
)
def test_what_is_not_there_is_exit_2(hub: FakeHub, tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    result = run(*arguments, "--to", tmp_path)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_gated_repository_says_what_to_do(hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub.token, hub.gated = "hf_right", True
    for token in ("", "hf_wrong"):
        monkeypatch.setenv("HF_TOKEN", token)
        result = run(QUANT, "--to", tmp_path)
        assert (result.exit_code, result.stdout) == (69, "")
        assert f"accept its terms at {hub.endpoint}/{REPOSITORY}, and set HF_TOKEN" in result.stderr
        assert "hf_wrong" not in result.stderr
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert run(QUANT, "--to", tmp_path).exit_code == 0


def test_a_private_repository_says_what_to_do(hub: FakeHub, tmp_path: Path) -> None:
    hub.token = "hf_right"
    result = run(QUANT, "--to", tmp_path)
    assert result.exit_code == 2
    assert "if it is private or gated, set HF_TOKEN" in result.stderr


def test_without_a_connection_it_is_69(hub: FakeHub, tmp_path: Path) -> None:
    hub.endpoint = "http://127.0.0.1:1"
    with pytest.raises(PullError, match=r"can't reach http://127\.0\.0\.1:1 .*check the connection") as caught:
        fetch(hub, tmp_path)
    assert caught.value.exit_code == 69


@pytest.mark.parametrize(
    "answer",
    [
        [],
        "text",
        {"id": "x"},
        {"id": "x", "sha": "../..", "siblings": []},
        {"id": "x", "sha": COMMIT, "siblings": [{"rfilename": "a.gguf"}]},
    ],
)
def test_what_is_no_hub_is_said_to_be_none(hub: FakeHub, tmp_path: Path, answer: object) -> None:
    hub.answer = answer
    with pytest.raises(PullError, match="does not answer as a hub does"):
        fetch(hub, tmp_path)


def test_too_little_space_is_said_before_anything_comes(hub: FakeHub, tmp_path: Path) -> None:
    from engine.download import Downloader
    from engine.hub import Hub

    source = Hub(hub.endpoint)
    found = source.repository(REPOSITORY, None)
    wanted = Downloader(tmp_path, lambda file, start, end: source.body(found, file, start, end), lambda _: None, free=lambda _: 500_000)
    with pytest.raises(TryAgainError, match=r"600 kB are still to come, but only 500 kB are free: make 100 kB more free"):
        wanted.pull(choose(found, "UD-Q4_K_XL").files)
    assert hub.sent == 0


def test_two_pulls_into_one_folder_do_not_mix(hub: FakeHub, tmp_path: Path) -> None:
    hub.faults = [Fault(hold=1000)]
    with child(hub, tmp_path) as first:
        try:
            assert hub.held.wait(60)
            with pytest.raises(TryAgainError, match="another pull writes"):
                fetch(hub, tmp_path)
            hub.release.set()
        finally:
            first.communicate(timeout=60)
    assert first.returncode == 0
    assert content(tmp_path) == PARTS


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_after_an_end_in_the_middle_only_the_rest_comes(hub: FakeHub, tmp_path: Path, end: signal.Signals) -> None:
    hub.faults = [Fault(hold=200_000)]
    with child(hub, tmp_path) as process:
        until(tmp_path, 200_000)
        process.send_signal(end)
        _, stderr = process.communicate(timeout=60)
    hub.release.set()
    if end == signal.SIGINT:
        assert process.returncode == 130
        assert "run the same command again" in stderr
    else:
        assert process.returncode == -signal.SIGKILL
    assert content(tmp_path) == {}
    with child(hub, tmp_path) as process:
        stdout, _ = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (0, f"{tmp_path / FIRST}\n")
    assert content(tmp_path) == PARTS
    assert hub.sent == sum(len(data) for data in PARTS.values())
    assert {path.split("/")[1] for path, _ in hub.requests} == {"api", "owner", "content"}
    assert all("agent" not in headers["user-agent"] and "torch" not in headers["user-agent"] for _, headers in hub.requests)


def test_a_disk_that_gets_full_keeps_what_came(hub: FakeHub, tmp_path: Path) -> None:
    # A limit on the size of files stands in for a full disk: the kernel refuses the write in the same place.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))"
    with child(hub, tmp_path, before=limit) as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 75
    assert f"the disk is full; 200 kB of {FIRST} are still to come: make room" in stderr
    assert content(tmp_path) == {}
    sent = hub.sent
    fetch(hub, tmp_path)
    assert content(tmp_path) == PARTS
    assert hub.sent - sent == sum(len(data) for data in PARTS.values()) - 100_000
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100_000


def test_a_folder_that_can_t_be_written_is_named(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(QUANT, "--to", tmp_path / "file")
    assert (result.exit_code, result.stdout) == (2, "")
    assert str(tmp_path / "file") in result.stderr
    assert "--to" in result.stderr


def test_the_record_is_only_believed_for_the_same_file(hub: FakeHub, tmp_path: Path) -> None:
    fetch(hub, tmp_path)
    record = json.loads((tmp_path / ".pull" / f"{FIRST}.json").read_text())
    assert (record["size"], len(record["digest"])) == (len(PARTS[FIRST]), 64)
    (tmp_path / ".pull" / f"{FIRST}.json").write_text("[")
    sent = hub.sent
    fetch(hub, tmp_path)
    assert hub.sent == sent
