"""The embedded engine's daemon and client, against a stand-in process that fails in every way."""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kimicode.errors import KimicodeError, UnavailableError, UsageError
from kimicode.events import EngineProgress
from kimicode.messages import JsonObject, User
from kimicode.model import Delta, Finished, ModelRequest, Patience, Restarted, resolve
from kimicode.model.daemon import ENGINE_COMMAND, Deadlines, EngineDaemon, Health
from kimicode.model.embedded import EmbeddedClient
from kimicode.model.rundir import run_paths

ROOT = Path(__file__).parents[2]
REQUEST = ModelRequest((User("Hello"),))
QUICK = Deadlines(start=20, load=30, probe=1, poll=0.01)
# Long enough for a loaded machine to answer one question in, short enough to wait out.
IMPATIENT = Deadlines(start=1.5, load=30, probe=0.5, poll=0.01)


class Box:
    """A folder with a model file and a runtime folder; knows which daemons were started in it."""

    def __init__(self, folder: Path) -> None:
        self.model = folder / "m.gguf"
        self.model.write_bytes(b"GGUF")
        self.environ = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "PYTHONPATH": str(ROOT), "MOONSHOT_API_KEY": "sk-secret"}
        self.status: list[str] = []
        self.progress: list[EngineProgress] = []

    def daemon(self, mode: str, deadlines: Deadlines = QUICK) -> EngineDaemon:
        command = (sys.executable, str(ROOT / "tests/model/fakeengine.py"), mode)
        status, progress = self.status.append, self.progress.append
        return EngineDaemon(str(self.model), self.environ, command=command, deadlines=deadlines, on_status=status, on_progress=progress)

    def client(self, mode: str, deadlines: Deadlines = QUICK, idle: float = 10.0) -> EmbeddedClient:
        target = msgspec.structs.replace(resolve("unix:/x", "m.gguf", {}), model_file=str(self.model))
        patience = Patience(first_delay=0.01, idle=idle, random=lambda: 0.0)
        return EmbeddedClient(target, self.daemon(mode, deadlines), patience=patience)

    def starts(self) -> list[JsonObject]:
        record = self.model.with_suffix(".starts")
        return [json.loads(line) for line in record.read_text().split("\n") if line] if record.exists() else []

    def stop(self) -> None:
        for start in self.starts():
            pid = start["pid"]
            assert isinstance(pid, int)
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


@pytest.fixture
def box() -> Iterator[Box]:
    # Not tmp_path: the path of a Unix socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="kc"))
    made = Box(folder)
    yield made
    made.stop()
    shutil.rmtree(folder)


async def collect(client: EmbeddedClient, got: list[Delta]) -> None:
    try:
        async for delta in client.stream(REQUEST):
            got.append(delta)  # noqa: PERF401  what came before an error counts
    finally:
        await client.aclose()


def ask(client: EmbeddedClient) -> list[Delta]:
    got: list[Delta] = []
    asyncio.run(collect(client, got))
    return got


def failure(client: EmbeddedClient) -> tuple[KimicodeError, list[Delta]]:
    got: list[Delta] = []
    with pytest.raises(KimicodeError) as caught:
        asyncio.run(collect(client, got))
    assert not any(isinstance(delta, Finished) for delta in got)
    return caught.value, got


def test_it_starts_once_and_is_shared(box: Box) -> None:
    for _ in range(2):
        last = ask(box.client("ok"))[-1]
        assert isinstance(last, Finished)
        assert last.message.content == "Hello"
    assert len(box.starts()) == 1
    assert box.status == ["Starting the engine for m.gguf."]


def test_many_at_once_start_one(box: Box) -> None:
    async def run() -> None:
        await asyncio.gather(*(box.daemon("slow").ensure() for _ in range(8)))

    asyncio.run(run())
    assert len(box.starts()) == 1


def test_nothing_starts_before_the_first_request(box: Box) -> None:
    client = box.client("ok")
    assert client.info.context == 262_144
    asyncio.run(client.aclose())
    assert box.starts() == []


def test_the_served_context_is_learned(box: Box) -> None:
    client = box.client("ok")
    ask(client)
    assert client.info.context == 777


def test_loading_is_told_once(box: Box) -> None:
    ask(box.client("slow"))
    assert box.status == ["Starting the engine for m.gguf.", "The engine is loading m.gguf."]


def test_loading_tells_how_far_it_is_and_that_it_is_over(box: Box) -> None:
    ask(box.client("slow"))
    assert box.progress[0] == EngineProgress("load", box.progress[0].done, 100)
    assert 0 < box.progress[0].done < 100
    assert box.progress[-1] == EngineProgress("load", 100, 100, 0.0)
    box.progress.clear()
    ask(box.client("slow"))
    assert box.progress == [], "what is loaded already is nothing to tell"


def test_the_daemon_gets_no_key(box: Box) -> None:
    ask(box.client("ok"))
    (start,) = box.starts()
    environ = start["environ"]
    assert isinstance(environ, list)
    assert "MOONSHOT_API_KEY" not in environ
    assert "XDG_RUNTIME_DIR" in environ


def test_the_command_never_runs_code_of_the_working_directory() -> None:
    assert list(ENGINE_COMMAND[1:]) == ["-P", "-m", "engine", "serve"]


def test_a_bad_model_file_is_the_users_error_with_the_daemons_words(box: Box) -> None:
    error, _ = failure(box.client("bad-file"))
    assert isinstance(error, UsageError)
    assert str(error) == "m.gguf is cut off after 12 bytes\n  Copy it again."
    assert len(box.starts()) == 1


@pytest.mark.parametrize(("mode", "words"), [("crash", ["exit code 1", "out of memory: 600 GB needed"]), ("abort", ["signal 6"])])
def test_death_while_starting(box: Box, mode: str, words: list[str]) -> None:
    error, _ = failure(box.client(mode))
    assert isinstance(error, UnavailableError)
    assert [word for word in [*words, ".log"] if word not in str(error)] == []
    assert len(box.starts()) == 1


@pytest.mark.parametrize("mode", ["silent", "deaf"])
def test_a_daemon_that_does_not_answer_is_given_up(box: Box, mode: str) -> None:
    error, _ = failure(box.client(mode, IMPATIENT))
    assert isinstance(error, UnavailableError)
    assert "does not answer" in str(error)
    assert "kimicode engine stop" in error.hint


def test_death_in_an_answer_is_a_restart(box: Box) -> None:
    deltas = ask(box.client("die-once"))
    assert [type(delta) for delta in deltas if isinstance(delta, Restarted | Finished)] == [Restarted, Finished]
    assert len(box.starts()) == 2


def test_death_in_every_answer_ends_with_what_it_said(box: Box) -> None:
    error, deltas = failure(box.client("die-always"))
    assert isinstance(error, UnavailableError)
    assert "GGML_ASSERT failed: the tensor is on fire" in str(error)
    assert sum(isinstance(delta, Restarted) for delta in deltas) == 3
    assert len(box.starts()) == 4


def test_a_daemon_that_hangs_in_an_answer_is_given_up(box: Box) -> None:
    asyncio.run(box.daemon("stall").ensure())
    error, _ = failure(box.client("stall", IMPATIENT, idle=1.0))
    assert isinstance(error, UnavailableError)
    assert len(box.starts()) == 1


def test_a_daemon_killed_between_requests_is_started_again(box: Box) -> None:
    async def run() -> None:
        client = box.client("ok")
        for _ in range(2):
            assert [type(delta) async for delta in client.stream(REQUEST)][-1] is Finished
            pid = box.starts()[-1]["pid"]
            assert isinstance(pid, int)
            os.kill(pid, signal.SIGKILL)
            await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        await client.aclose()

    asyncio.run(run())
    assert len(box.starts()) == 2


def test_a_socket_left_behind_is_no_daemon(box: Box) -> None:
    box.daemon("ok").paths.socket.write_bytes(b"")
    assert isinstance(ask(box.client("ok"))[-1], Finished)


def test_a_lock_that_is_never_given_back_has_a_deadline(box: Box) -> None:
    daemon = box.daemon("ok", Deadlines(load=0.1, poll=0.01))
    with daemon.paths.lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UnavailableError, match="another process"):
            asyncio.run(daemon.ensure())
    assert box.starts() == []
    assert box.status == ["Another kimicode is starting the engine."]


def test_a_command_that_is_missing(box: Box) -> None:
    daemon = EngineDaemon(str(box.model), box.environ, command=("/nowhere/python",), deadlines=QUICK)
    with pytest.raises(UnavailableError, match="can't start the engine"):
        asyncio.run(daemon.ensure())


def test_health_of_nothing(box: Box) -> None:
    assert asyncio.run(box.daemon("ok").health()) is Health.DOWN


def test_the_run_folder_is_private_and_one_a_file(box: Box, tmp_path: Path) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to(box.model)
    other = tmp_path / "other.gguf"
    paths = run_paths(str(box.model), box.environ)
    assert run_paths(str(link), box.environ) == paths
    assert run_paths(str(other), box.environ).socket != paths.socket
    assert paths.socket.parent.name == "kimicode"
    paths.socket.parent.chmod(0o755)
    run_paths(str(box.model), box.environ)
    assert stat.S_IMODE(paths.socket.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("runtime", ["", "relative", "/nowhere/at/all"])
def test_without_a_runtime_folder_kimicodes_own_is_used(box: Box, runtime: str) -> None:
    home = box.model.parent / "home"
    paths = run_paths(str(box.model), {"XDG_RUNTIME_DIR": runtime, "KIMICODE_HOME": str(home)})
    assert paths.socket.parent == home / "run"


def test_a_path_too_long_for_a_socket_is_replaced(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 100)
    paths = run_paths("/m.gguf", {"KIMICODE_HOME": str(home)})
    assert len(str(paths.socket)) < 104
    assert stat.S_IMODE(paths.socket.parent.stat().st_mode) == 0o700


def test_a_run_folder_that_is_a_link_is_refused(box: Box, tmp_path: Path) -> None:
    (box.model.parent / "kimicode").symlink_to(tmp_path)
    with pytest.raises(UnavailableError, match="belongs to someone else"):
        run_paths(str(box.model), box.environ)


def test_a_run_folder_that_cannot_be_made(box: Box) -> None:
    with pytest.raises(UnavailableError, match="can't use"):
        run_paths(str(box.model), {"KIMICODE_HOME": str(box.model)})
