"""A bridge carries every byte both ways, in order, and ends when it should; nobody can jam it."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from kimicode.sandbox import bridge

BIG = os.urandom(1 << 16) * 48


@pytest.fixture
def far(tmp_path: Path) -> Iterator[socket.socket]:
    """What stands for the proxy: a listening Unix socket."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "proxy"))
        listener.listen(400)
        listener.settimeout(20)
        yield listener


@contextmanager
def served(far: socket.socket) -> Iterator[int]:
    """The port of a running bridge to `far`."""
    listener = bridge.listen(0)
    port = listener.getsockname()[1]
    alive = threading.Event()
    thread = threading.Thread(target=bridge.serve, args=(listener, far.getsockname()), kwargs={"lives": lambda: not alive.is_set()})
    thread.start()
    try:
        yield port
    finally:
        alive.set()
        thread.join(20)
        assert not thread.is_alive()
        assert listener.fileno() == -1


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 20)


def accepted(far: socket.socket) -> socket.socket:
    wire, _ = far.accept()
    wire.settimeout(20)
    return wire


def read_all(wire: socket.socket) -> bytes:
    return b"".join(iter(lambda: wire.recv(1 << 16), b""))


def test_bytes_go_both_ways_and_each_end_is_handed_on_alone(far: socket.socket) -> None:
    with served(far) as port, connect(port) as near, accepted(far) as there:
        near.sendall(b"question")
        near.shutdown(socket.SHUT_WR)
        assert read_all(there) == b"question"
        there.sendall(b"answer after the question's end")
        there.shutdown(socket.SHUT_WR)
        assert read_all(near) == b"answer after the question's end"


def test_an_end_in_the_other_direction_first(far: socket.socket) -> None:
    with served(far) as port, connect(port) as near, accepted(far) as there:
        there.shutdown(socket.SHUT_WR)
        assert read_all(near) == b""
        near.sendall(b"still talking")
        near.shutdown(socket.SHUT_WR)
        assert read_all(there) == b"still talking"


def test_big_bodies_both_ways_at_once_to_readers_that_are_slow_to_begin(far: socket.socket) -> None:
    with served(far) as port, connect(port) as near, accepted(far) as there:

        def send(wire: socket.socket) -> None:
            wire.sendall(BIG)
            wire.shutdown(socket.SHUT_WR)

        senders = [threading.Thread(target=send, args=(wire,)) for wire in (near, there)]
        for sender in senders:
            sender.start()
        assert read_all(there) == BIG
        assert read_all(near) == BIG
        for sender in senders:
            sender.join()


def test_a_connection_that_nobody_reads_holds_up_no_other(far: socket.socket) -> None:
    with served(far) as port, connect(port) as stuck, accepted(far):
        stuck.setblocking(False)
        with pytest.raises(BlockingIOError):
            _fill(stuck)
        with connect(port) as near, accepted(far) as there:
            near.sendall(b"x")
            assert there.recv(1) == b"x"


def _fill(wire: socket.socket) -> None:
    while True:
        wire.send(BIG)


def test_a_reset_ends_the_pair_and_nothing_else(far: socket.socket) -> None:
    with served(far) as port:
        with accepted_pair(far, port) as (near, there):
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            near.close()
            assert there.recv(1) == b""
        with accepted_pair(far, port) as (near, there):
            near.sendall(b"y")
            assert there.recv(1) == b"y"


@contextmanager
def accepted_pair(far: socket.socket, port: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    with connect(port) as near, accepted(far) as there:
        yield near, there


def test_more_connections_than_it_takes_wait_for_their_turn(far: socket.socket) -> None:
    with served(far) as port, ExitStack() as stack:
        first = [stack.enter_context(connect(port)) for _ in range(300)]
        theirs = [stack.enter_context(accepted(far)) for _ in range(256)]
        far.settimeout(0.05)
        with pytest.raises(TimeoutError):
            far.accept()
        far.settimeout(20)
        for wire in (*first[:100], *theirs[:100]):
            wire.close()
        theirs += [stack.enter_context(accepted(far)) for _ in range(44)]
        first[-1].sendall(b"late")
        assert theirs[-1].recv(4) == b"late"


def test_where_no_proxy_is_a_connection_is_closed_at_once(far: socket.socket) -> None:
    with served(far) as port:
        far.close()
        with connect(port) as near:
            assert near.recv(1) == b""


def start(port: int, path: str, *, through: str = "") -> tuple["subprocess.Popen[bytes]", int]:
    """The script as its own process; the reading end of its ready descriptor. `through`: Python code that starts it."""
    read, write = os.pipe()
    command = [sys.executable, "-I", "-S", bridge.__file__, str(port), path, str(write)]
    if through:
        command = [sys.executable, "-c", through, *command]
    process = subprocess.Popen(command, pass_fds=(write,))
    os.close(write)
    return process, read


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_script_says_when_it_is_ready_and_carries(far: socket.socket) -> None:
    port = free_port()
    process, ready = start(port, far.getsockname())
    try:
        with open(ready, "rb") as said:
            assert said.read() == b"ready\n"
        with accepted_pair(far, port) as (near, there):
            near.sendall(b"z")
            assert there.recv(1) == b"z"
    finally:
        process.kill()
        process.wait()


def test_the_script_ends_with_its_parent_even_when_that_was_killed(far: socket.socket) -> None:
    through = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:], close_fds=False); time.sleep(600)"
    port = free_port()
    parent, ready = start(port, far.getsockname(), through=through)
    with open(ready, "rb") as said:
        assert said.readline() == b"ready\n"
        connect(port).close()
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 20
    while True:
        try:
            connect(port).close()
        except ConnectionRefusedError:
            break
        except ConnectionResetError:
            continue  # the port was just being closed
        assert time.monotonic() < deadline, "the bridge outlived its parent"


@pytest.mark.parametrize("arguments", [[], ["x", "y"], ["70000", "y"], ["-1", "y"], ["0"]])
def test_wrong_arguments_are_said(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-I", "-S", bridge.__file__, *arguments], capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"bridge: ")
    assert done.stderr.count(b"\n") == 1


def test_a_port_in_use_is_an_error(far: socket.socket) -> None:
    with served(far) as port, pytest.raises(OSError, match="in use"):
        bridge.listen(port)
