"""A real engine process and what can happen to it: signals in mid-token, vanished files, crowds, slow readers, strangers."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket as sockets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest

from engine.control import health
from kimicode.errors import KimicodeError
from kimicode.messages import User
from kimicode.model import Delta, Finished, ModelRequest, Patience, Restarted, resolve
from kimicode.model.client import Reasoning, Text
from kimicode.model.daemon import Deadlines, EngineDaemon
from kimicode.model.embedded import EmbeddedClient
from tests.engine.process import DEADLINE, client, engine, is_up, wait_for
from tests.engine.tinygguf import vocabulary, write

CHAT = "/v1/chat/completions"
USER = {"role": "user", "content": "hello, what is 1 + 1?"}
REQUESTS = 10_000


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    control = {name: -3.0 for name, kind in zip(*vocabulary(), strict=True) if kind == 3}
    return write(tmp_path_factory.mktemp("faults") / "tiny.gguf", bias=control, context=20_000)


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "run" / "e.sock"


@contextlib.contextmanager
def running(model: Path, socket: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    with engine(model, "--socket", str(socket), *options) as process:
        wait_for(lambda: is_up(socket))
        with client(socket) as asking:
            yield process, asking


def short(**more: object) -> dict[str, object]:
    return {"messages": [USER], "max_tokens": 4, "temperature": 0, **more}


class Kimicode:
    """kimicode's own client with the real daemon, as a run uses it."""

    def __init__(self, model: Path, folder: Path) -> None:
        environ = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "KIMICODE_HOME": str(folder)}
        self.daemon = EngineDaemon(str(model), environ, deadlines=Deadlines(start=5, load=60, probe=2, poll=0.02))
        target = msgspec.structs.replace(resolve("unix:/x", "m.gguf", {}), model_file=str(model))
        self.client = EmbeddedClient(target, self.daemon, patience=Patience(first_delay=0.01, idle=2.0, random=lambda: 0.0))

    def pid(self) -> int:
        return int(self.daemon.paths.socket.with_suffix(".pid").read_text().split("\n")[0])

    async def answer(self, number: int, times: int) -> list[Delta]:
        """An answer of a few hundred tokens; after some of them the engine gets signal `number`, `times` times over its restarts."""
        found: list[Delta] = []
        try:
            async for delta in self.client.stream(ModelRequest((User("hello"),), max_tokens=3000)):
                found.append(delta)
                if isinstance(delta, Text | Reasoning) and times:
                    times -= 1
                    os.kill(self.pid(), number)
        finally:
            await self.client.aclose()
        return found

    def stop(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.pid(), signal.SIGKILL)


@pytest.fixture
def kimicode(tiny: Path) -> Iterator[Kimicode]:
    # A short path: where one is too long for a socket, engines of all tests meet in one place.
    with tempfile.TemporaryDirectory(prefix="kimi-") as folder:
        made = Kimicode(tiny, Path(folder))
        yield made
        made.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_an_engine_that_dies_in_mid_token_is_started_again_and_the_answer_comes_whole(kimicode: Kimicode, number: signal.Signals) -> None:
    deltas = asyncio.run(kimicode.answer(number, times=1))
    assert [type(delta) for delta in deltas].count(Restarted) == 1
    assert isinstance(deltas[-1], Finished)


def test_an_engine_that_dies_every_time_ends_in_an_error_with_its_log(kimicode: Kimicode) -> None:
    with pytest.raises(KimicodeError, match="the engine keeps failing") as error:
        asyncio.run(kimicode.answer(signal.SIGABRT, times=1000))
    assert error.value.exit_code == 69


def test_an_engine_that_is_stopped_in_mid_token_is_given_up(kimicode: Kimicode) -> None:
    with pytest.raises(KimicodeError) as error:
        asyncio.run(kimicode.answer(signal.SIGSTOP, times=1))
    assert error.value.exit_code in (69, 75)


def test_a_model_file_that_is_deleted_while_it_runs_changes_nothing(tiny: Path, tmp_path: Path, socket: Path) -> None:
    model = Path(shutil.copy(tiny, tmp_path / "gone.gguf"))
    with running(model, socket) as (_, asking):
        before = asking.post(CHAT, json=short()).json()
        model.unlink()
        after = asking.post(CHAT, json=short()).json()
        assert before["choices"] == after["choices"]


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.999])
def test_a_cut_off_model_file_is_one_line_and_exit_2(tiny: Path, tmp_path: Path, socket: Path, part: float) -> None:
    data = tiny.read_bytes()
    model = tmp_path / "cut.gguf"
    model.write_bytes(data[: int(len(data) * part)])
    with engine(model, "--socket", str(socket)) as process:
        assert process.wait(DEADLINE) == 2
        out, err = process.communicate()
        assert (out, err.count("\n"), "cut.gguf" in err) == ("", 1, True)


def test_a_context_overflow_is_a_typed_error_and_disturbs_nobody(tiny: Path, socket: Path) -> None:
    with running(tiny, socket, "--context", "512") as (_, asking):
        error = asking.post(CHAT, json={"messages": [{"role": "user", "content": "a" * 4000}]})
        assert (error.status_code, error.json()["error"]["code"]) == (400, "context_length_exceeded")
        long = asking.post(CHAT, json=short(max_tokens=100_000)).json()
        assert long["choices"][0]["finish_reason"] == "length"
        assert long["usage"]["total_tokens"] == 512
        assert asking.post(CHAT, json=short()).status_code == 200


def test_two_hundred_clients_at_once_all_get_their_answer(tiny: Path, socket: Path) -> None:
    with running(tiny, socket, "--parallel", "8") as (_, asking):
        bodies = [short(messages=[{"role": "user", "content": f"question {number % 20}"}]) for number in range(200)]
        alone = [asking.post(CHAT, json=body).json()["choices"] for body in bodies[:20]]

        def ask(body: dict[str, object]) -> object:
            with client(socket) as own:
                return own.post(CHAT, json=body).json()["choices"]

        with ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(ask, bodies))
        assert answers == alone * 10
        state = asking.get("/health").json()
        assert (state["running"], state["queued"], state["answered"]) == (0, 0, 220)


def test_clients_that_read_nothing_hold_nobody_up_and_are_forgotten_when_they_leave(tiny: Path, socket: Path) -> None:
    with running(tiny, socket, "--parallel", "2") as (_, asking):
        body = msgspec.json.encode(short(stream=True, max_tokens=3000))
        head = f"POST {CHAT} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        lazy = []
        for _ in range(2):
            reader = sockets.socket(sockets.AF_UNIX)
            reader.connect(str(socket))
            reader.sendall(head.encode() + body)
            assert reader.recv(1)
            lazy.append(reader)
        # Both seats are taken by answers that nobody reads; they are written to their end all the same, and others get their turn.
        assert asking.post(CHAT, json=short()).status_code == 200
        for reader in lazy:
            reader.close()
        wait_for(lambda: asking.get("/health").json()["running"] == 0)


def test_a_client_that_hangs_up_frees_its_seat(tiny: Path, socket: Path) -> None:
    with running(tiny, socket, "--parallel", "1") as (_, asking):
        for _ in range(20):
            with client(socket) as other, other.stream("POST", CHAT, json=short(stream=True, max_tokens=15_000)) as answer:
                next(answer.iter_lines())
        assert asking.post(CHAT, json=short()).status_code == 200
        assert asking.get("/health").json()["cancelled"] == 20


def test_memory_stays_flat_over_ten_thousand_requests(tiny: Path, socket: Path) -> None:
    with running(tiny, socket) as (process, _):
        seen: list[int] = []
        counter = iter(range(REQUESTS))
        lock = threading.Lock()

        def ask() -> None:
            with client(socket) as own:
                while True:
                    with lock:
                        number = next(counter, None)
                        if number is not None and number % (REQUESTS // 10) == 0:
                            seen.append(psutil.Process(process.pid).memory_info().rss)
                    if number is None:
                        return
                    body = short(messages=[{"role": "user", "content": f"{number} {number}"}], max_tokens=1, stream=number % 2 == 0)
                    assert own.post(CHAT, json=body).status_code == 200

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(ask) for _ in range(4)]:
                done.result()
        # What is remembered on purpose (conversations, encoded messages) has its limits reached by half of the requests.
        assert max(seen[6:]) - seen[5] < 8 << 20, seen


def test_a_stranger_can_t_connect(tiny: Path, socket: Path) -> None:
    with running(tiny, socket):
        socket.parent.parent.chmod(0o755)
        script = f"import os, socket; os.setuid(65534); socket.socket(socket.AF_UNIX).connect({str(socket)!r})"
        if os.getuid() == 0:
            refused = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True)
            assert (refused.returncode, "PermissionError" in refused.stderr) == (1, True)
        assert (socket.parent.stat().st_mode & 0o77, socket.stat().st_mode & 0o77) == (0, 0)


def test_killed_with_its_cache_on_disk_it_goes_on_where_it_was(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIMICODE_HOME", str(tmp_path))
    long = short(messages=[{"role": "user", "content": "one two three " * 60}])
    for number in range(3):
        with running(tiny, tmp_path / f"{number}.sock", "--disk-cache", "1") as (process, asking):
            usage = asking.post(CHAT, json=long).json()["usage"]
            cached = usage["prompt_tokens_details"]["cached_tokens"]
            assert (cached == 0) if number == 0 else (cached > usage["prompt_tokens"] - 128)
            # Every block of it, and the answer's tokens.
            expected = usage["prompt_tokens"] // 128 + 2
            wait_for(lambda count=expected: len(list((tmp_path / "cache" / "kv").glob("*/*.kv"))) >= count)
            process.kill()
            process.wait()
            assert health(tmp_path / f"{number}.sock") == {}
