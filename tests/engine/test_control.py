"""Engines in the background: one a model, found by their files, ended on request; and the files' names."""

import hashlib
import os
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine import control, places
from engine.errors import EngineError, ModelFileError
from tests.engine.process import wait_for
from tests.engine.tinygguf import write

OPTIONS = control.StartOptions(idle_timeout=60, context=512)


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    found = {"XDG_RUNTIME_DIR": str(tmp_path)}
    yield found
    for engine in control.running(found):
        control.stop(engine)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny.gguf")


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's, however deep the tests' own folders are."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


def test_names_follow_the_real_path_of_the_model(short_path: Path, tmp_path: Path, tiny: Path) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to(tiny)
    environ = {"XDG_RUNTIME_DIR": str(short_path)}
    name = hashlib.sha256(os.fsencode(tiny.resolve())).hexdigest()[:16]
    found = places.of_model(link, environ)
    assert found == places.of_model(tiny, environ)
    assert [found.socket, found.lock, found.log, found.pid] == [
        short_path / "kimicode" / f"{name}.{end}" for end in ("sock", "lock", "log", "pid")
    ]
    assert (short_path / "kimicode").stat().st_mode & 0o777 == 0o700


def test_the_folder_moves_where_sockets_can_not_be(tmp_path: Path) -> None:
    home = {"KIMICODE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "absent")}
    assert places.run_folder(home) == tmp_path / "run"
    assert len(str(places.run_folder({"KIMICODE_HOME": str(tmp_path / ("x" * 200))}))) < places.LONGEST_SOCKET_PATH
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="can't use"):
        places.make_private(tmp_path / "file" / "run")


def test_several_starters_share_one_engine_until_it_is_stopped(environ: dict[str, str], tiny: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(control.start, tiny, environ, OPTIONS) for _ in range(3)]
        pids = {future.result().pid for future in futures}
    assert len(pids) == 1
    (engine,) = control.running(environ)
    assert (engine.pid, engine.model, engine.status) == (pids.pop(), tiny, "ok")
    control.stop(engine)
    assert control.running(environ) == []
    control.stop(engine)


def test_an_engine_that_does_not_answer_is_shown_and_can_be_stopped(environ: dict[str, str], tiny: Path) -> None:
    engine = control.start(tiny, environ, OPTIONS)
    os.kill(engine.pid, signal.SIGSTOP)
    (found,) = control.running(environ, patience=0.2)
    assert found.status == "silent"
    control.stop(found, patience=0.2)
    wait_for(lambda: control.running(environ) == [])


def test_a_killed_engine_is_not_running_and_another_starts(environ: dict[str, str], tiny: Path) -> None:
    first = control.start(tiny, environ, OPTIONS)
    os.kill(first.pid, signal.SIGKILL)
    wait_for(lambda: control.running(environ) == [])
    assert control.start(tiny, environ, OPTIONS).pid != first.pid


def test_an_engine_that_can_not_start_says_why(environ: dict[str, str], tmp_path: Path, tiny: Path) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        control.start(tmp_path / "absent.gguf", environ, control.StartOptions())
    tiny.write_bytes(tiny.read_bytes().replace(b"output_norm.weight", b"output_nork.weight"))
    with pytest.raises(ModelFileError, match=r"'output_norm\.weight' not found"):
        control.start(tiny, environ, control.StartOptions())


def test_an_engine_is_told_what_was_asked_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert control.StartOptions().arguments() == []
    told = control.StartOptions(60, 512, "stock", "store", 0.5, (Path("a"), Path("/b"))).arguments()
    assert told[:6] == ["--idle-timeout", "60", "--context", "512", "--attention", "stock"]
    assert told[6:] == ["--experts", "store", "--expert-memory", "0.5", "--experts-also", f"{tmp_path}/a", "--experts-also", "/b"]
