"""From a TCP port inside a sandbox to the filtering proxy outside: connections to 127.0.0.1:PORT go on to a Unix socket.

Runs where there is no network but the loopback of the sandbox's own namespace, so programs that only know `http_proxy=http://…` reach
the proxy. Standard library alone, one thread, no imports that take time: it is started with every command that has network, as
`python -I -S bridge.py PORT SOCKET [READY]` (READY: a descriptor on which one line is written, and which is closed, as soon as the
port is open), or by a process that calls `listen`, forks, and calls `serve` in the child. It ends with the process that started it.
What this module does not do: judge anything, or read what it carries; the proxy trusts nothing that comes from here.
"""

import contextlib
import os
import selectors
import socket
import sys
from collections.abc import Callable

_CHUNK = 64 * 1024
_BACKLOG = 128
_MOST = 256
"""Connections at a time; more wait in the backlog."""

_CONNECT_S = 2.0
"""How long the proxy may take to accept: it does so at once, and whoever waits here holds up the others."""

_LOOK_S = 0.5
"""How often a bridge asks whether its parent still lives."""


def listen(port: int) -> socket.socket:
    """A socket that listens on 127.0.0.1:`port`; 0 chooses a free one. Raises `OSError`."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def serve(listener: socket.socket, path: str, *, lives: Callable[[], bool]) -> None:
    """Carry every connection of `listener` to the Unix socket `path` and back, until `lives` says no. Closes everything then."""
    bridge = _Bridge(listener, path)
    try:
        while lives():
            bridge.turn(_LOOK_S)
    finally:
        bridge.close()


class _Side:
    """One end of a connection: what waits to be written to it, and whether more will come."""

    def __init__(self, wire: socket.socket) -> None:
        self.wire = wire
        self.waiting = b""
        self.reading = True
        self.other: _Side | None = None
        wire.setblocking(False)

    @property
    def wanted(self) -> int:
        """The events to wait for: data while the other side keeps up, room while something waits."""
        assert self.other is not None
        read = selectors.EVENT_READ if self.reading and not self.other.waiting else 0
        return read | (selectors.EVENT_WRITE if self.waiting else 0)

    def read(self) -> None:
        """Take what came and hand it to the other side; an end is handed on as well. Raises `OSError`."""
        assert self.other is not None
        try:
            data = self.wire.recv(_CHUNK)
        except BlockingIOError:
            return
        self.reading = bool(data)
        self.other.waiting += data
        self.other.write()

    def write(self) -> None:
        """Write what waits, as far as there is room; when all is written and no more comes, close this direction. Raises `OSError`."""
        assert self.other is not None
        if self.waiting:
            with contextlib.suppress(BlockingIOError):
                self.waiting = self.waiting[self.wire.send(self.waiting) :]
        if not self.waiting and not self.other.reading:
            self.wire.shutdown(socket.SHUT_WR)


class _Bridge:
    """The connections, and one loop over them."""

    def __init__(self, listener: socket.socket, path: str) -> None:
        self._listener = listener
        self._path = path
        self._waiting = selectors.DefaultSelector()
        self._open: set[_Side] = set()
        self._waiting.register(listener, selectors.EVENT_READ)

    def turn(self, seconds: float) -> None:
        """Wait at most `seconds` for something to do, and do it."""
        for key, events in self._waiting.select(seconds):
            if key.fileobj is self._listener:
                self._accept()
            elif key.data in self._open:
                self._carry(key.data, events)

    def close(self) -> None:
        """Close every connection and the port."""
        for side in tuple(self._open):
            side.wire.close()
        self._open.clear()
        self._waiting.close()
        self._listener.close()

    def _accept(self) -> None:
        try:
            near, _ = self._listener.accept()
        except OSError:
            return
        far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        far.settimeout(_CONNECT_S)
        try:
            far.connect(self._path)
        except OSError:
            near.close()
            far.close()
            return
        one, other = _Side(near), _Side(far)
        one.other, other.other = other, one
        self._open |= {one, other}
        self._watch(one)
        self._watch(other)
        self._hold()

    def _carry(self, side: _Side, events: int) -> None:
        assert side.other is not None
        try:
            if events & selectors.EVENT_WRITE:
                side.write()
            if events & selectors.EVENT_READ:
                side.read()
        except OSError:
            self._end(side)
            return
        if side.reading or side.other.reading or side.waiting or side.other.waiting:
            self._watch(side)
            self._watch(side.other)
        else:
            self._end(side)

    def _watch(self, side: _Side) -> None:
        known = side.wire in self._waiting.get_map()
        match side.wanted, known:
            case 0, True:
                self._waiting.unregister(side.wire)
            case 0, False:
                pass
            case wanted, True:
                self._waiting.modify(side.wire, wanted, side)
            case wanted, False:
                self._waiting.register(side.wire, wanted, side)

    def _end(self, side: _Side) -> None:
        assert side.other is not None
        for each in (side, side.other):
            if each.wire in self._waiting.get_map():
                self._waiting.unregister(each.wire)
            self._open.discard(each)
            each.wire.close()
        self._hold()

    def _hold(self) -> None:
        """Accept only while there is room for another connection."""
        room, accepting = len(self._open) < 2 * _MOST, self._listener in self._waiting.get_map()
        if room and not accepting:
            self._waiting.register(self._listener, selectors.EVENT_READ)
        elif accepting and not room:
            self._waiting.unregister(self._listener)


def main(arguments: list[str]) -> int:
    """`PORT SOCKET [READY]`: serve until the parent is gone. The exit code; 2 where the arguments or the port are wrong."""
    parent = os.getppid()
    try:
        listener = listen(int(arguments[0]))
        path = arguments[1]
    except (OSError, ValueError, OverflowError, IndexError) as error:
        os.write(2, f"bridge: {error!a}: give a free PORT and the SOCKET of the proxy\n".encode())
        return 2
    if len(arguments) > 2:
        os.write(int(arguments[2]), b"ready\n")
        os.close(int(arguments[2]))
    serve(listener, path, lives=lambda: os.getppid() == parent)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
