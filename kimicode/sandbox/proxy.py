"""The one way out of a sandbox: an HTTP proxy that asks for every host whether it may be reached, and reaches no other.

It listens on a Unix socket in a private folder and takes tunnels (CONNECT) and plain HTTP. The host is judged in its
canonical form; a name is looked up here, once, and the connection goes to an address that was looked at: never to this machine, a
private network or a metadata service, unless what was asked for, and allowed, is that very address. A redirect is the client's next
request, and judged as one. What this module does not do: look into tunnels, so what is allowed is who is reached, not what is said.
"""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from kimicode.errors import RefusedError
from kimicode.sandbox.hosts import WEB_PORTS, Hosts, address_of, canonical, public
from kimicode.sandbox.proxyhead import MAX_HEAD, BadRequest, Head, parse_head
from kimicode.sandbox.relay import CHUNK, Pulse, Wire, close, exchange, tunnel

_BACKLOG: Final = 256
_LINGER_S: Final = 1.0
_REASONS: Final = {
    400: "Bad Request",
    403: "Forbidden",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    503: "Service Unavailable",
}

Judge: TypeAlias = Callable[[str, int], Awaitable[bool]]
"""May this host (in canonical form) be reached at this port? It may take its time, and ask a person."""


class Decision(msgspec.Struct, frozen=True):
    """What became of one request. `address` is where the connection went; `reason` says why there was none."""

    host: str
    port: int
    allowed: bool
    reason: str = ""
    address: str = ""


class Patience(msgspec.Struct, frozen=True):
    """How much a proxy puts up with. Times are in seconds; `idle_s`: how long nothing may come in either direction."""

    head_s: float = 15.0
    resolve_s: float = 15.0
    connect_s: float = 15.0
    idle_s: float = 600.0
    connections: int = 256


_PATIENT: Final = Patience()


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of `host`, as this machine knows them. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


async def dial(address: str, port: int) -> Wire:
    """A connection to an IP address. Raises `OSError`."""
    return await asyncio.open_connection(address, port, limit=CHUNK)


def judge_by(hosts: Hosts) -> Judge:
    """A judge that knows `hosts` and asks nobody."""

    async def judge(host: str, port: int) -> bool:
        return hosts.allowed(host, port)

    return judge


class _Refused(Exception):
    """The answer to a request that goes nowhere."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Proxy:
    """A running proxy. `log` is told of every decision. `look_up` and `dial` are how it reaches the world."""

    def __init__(
        self,
        judge: Judge,
        *,
        log: Callable[[Decision], None] = lambda _: None,
        patience: Patience = _PATIENT,
        look_up: Callable[[str, int], Awaitable[Sequence[str]]] = look_up,
        dial: Callable[[str, int], Awaitable[Wire]] = dial,
    ) -> None:
        self._judge = judge
        self._log = log
        self._patience = patience
        self._look_up = look_up
        self._dial = dial
        self._servers: list[asyncio.Server] = []
        self._paths: list[Path] = []
        self._serving: set[asyncio.Task[None]] = set()

    async def listen_at(self, path: Path) -> None:
        """Listen on the Unix socket `path`, for this user alone. Raises `RefusedError` where its folder is open to others, `OSError`."""
        _require_private(path.parent)
        self._servers.append(await asyncio.start_unix_server(self._accept, path, limit=MAX_HEAD, backlog=_BACKLOG))
        self._paths.append(path)
        os.chmod(path, 0o600)

    async def aclose(self) -> None:
        """Stop listening and end every connection. A second call does nothing."""
        for server in self._servers:
            server.close()
        for path in self._paths:
            with suppress(OSError):
                path.unlink()
        self._paths.clear()
        for task in tuple(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            await self._answer((reader, writer))
        except asyncio.CancelledError:
            # Only `aclose` cancels, and asyncio's own callback would report it as a fault.
            writer.transport.abort()
        except (OSError, asyncio.IncompleteReadError, BadRequest):
            writer.transport.abort()
        finally:
            self._serving.discard(task)
            await close(writer)

    async def _answer(self, client: Wire) -> None:
        try:
            if len(self._serving) > self._patience.connections:
                raise _Refused(503, "kimicode: too many connections at a time. Try again later.")
            head = await self._read_head(client[0])
            host, server = await self._reach(head)
        except _Refused as refused:
            await _say(client, _response(refused.status, refused.text))
            return
        try:
            async with asyncio.timeout(self._patience.idle_s) as idle:
                await (tunnel if head.tunnel else exchange)(head, host, client, server, Pulse(idle, self._patience.idle_s))
        except BaseException:
            # Whoever is cut off in the middle must not take that for an end.
            client[1].transport.abort()
            server[1].transport.abort()
            raise
        finally:
            await close(server[1])

    async def _read_head(self, reader: asyncio.StreamReader) -> Head:
        try:
            async with asyncio.timeout(self._patience.head_s):
                return parse_head(await reader.readuntil(b"\r\n\r\n"))
        except TimeoutError:
            raise _Refused(408, "kimicode: the request did not come to an end in time.") from None
        except asyncio.LimitOverrunError:
            raise _Refused(431, "kimicode: the head of the request is too long.") from None
        except BadRequest as bad:
            raise _Refused(bad.status, f"kimicode: {bad.reason}.") from None

    async def _reach(self, head: Head) -> tuple[str, Wire]:
        """The host in canonical form and a connection to it. Raises `_Refused`; either way the decision is logged."""
        host = canonical(head.host)
        if host is None:
            raise self._no(head.host, head.port, "this is no host name in its usual form")
        if not await self._judge(host, head.port):
            raise self._no(host, head.port, "it is not among the hosts that commands may reach", _how_to_allow(host, head.port))
        addresses = await self._addresses(host, head.port)
        for address in addresses:
            with suppress(OSError):
                async with asyncio.timeout(self._patience.connect_s):
                    server = await self._dial(address, head.port)
                self._log(Decision(host, head.port, True, address=address))
                return host, server
        self._log(Decision(host, head.port, True, "it can't be reached"))
        raise _Refused(502, f"kimicode: {host}:{head.port} is allowed, but can't be reached at {', '.join(addresses)}.")

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        """Where to connect to. An address that was itself asked for and allowed is taken as it is; a name's must be public."""
        if address_of(host) is not None:
            return (host,)
        try:
            async with asyncio.timeout(self._patience.resolve_s):
                found = await self._look_up(host, port)
        except OSError as error:
            self._log(Decision(host, port, True, "its name is not known"))
            raise _Refused(502, f"kimicode: {host} is allowed, but its name can't be looked up: {error.strerror or 'no answer'}.") from None
        fit = [address for address in found if public(address)]
        if not fit:
            advice = f"To allow such an address, name the address itself: {_how_to_allow('10.0.0.7', port)}"
            raise self._no(host, port, "its name stands for an address in a private network or of this machine", advice)
        return fit

    def _no(self, host: str, port: int, reason: str, advice: str = "") -> _Refused:
        self._log(Decision(host, port, False, reason))
        return _Refused(403, f"kimicode: {host}:{port} is refused: {reason}.\n{advice}".rstrip())


async def _say(client: Wire, answer: bytes) -> None:
    """Write the last that a client hears. Closing while it still speaks would be a reset, and might take the answer away from it."""
    client[1].write(answer)
    client[1].write_eof()
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            while await client[0].read(CHUNK):
                pass


def _response(status: int, text: str) -> bytes:
    body = f"{text}\n".encode("ascii", "backslashreplace")
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode("ascii") + body


def _how_to_allow(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    rule = shown if port in WEB_PORTS else f"{shown}:{port}"
    return f'To allow it, write into your settings: [permissions] allow = ["host({rule})"]'


def _require_private(folder: Path) -> None:
    """Raises `RefusedError` where others could reach a socket in `folder`, or put another one there."""
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise RefusedError(f"{folder} is open to others, so no proxy listens there", hint="It must be a folder of yours with mode 0700.")
