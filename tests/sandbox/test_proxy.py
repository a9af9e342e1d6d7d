"""The proxy reaches what is allowed, at an address it looked at, and nothing else, whatever a client says or how slowly."""

import asyncio
import os
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from kimicode.errors import RefusedError
from kimicode.sandbox.hosts import parse_hosts
from kimicode.sandbox.proxy import Decision, Patience, Proxy, judge_by
from kimicode.sandbox.relay import Wire

PUBLIC = "93.184.215.14"
OTHER = "1.1.1.1"
ALLOWED = ["ok.com", "*.wild.org", "rebind.com", "mixed.com", "gone.com", "dead.com", "10.0.0.7", "api.com:8443", "[::1]:9"]
DEFAULT = Patience()
BIG = os.urandom(1 << 16) * 64

Talk = Callable[["World"], Awaitable[None]]


async def connected(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client of a proxy that listens in a folder of its own."""
    path = Path(tempfile.mkdtemp(prefix="kimicode-")) / "proxy"
    await proxy.listen_at(path)
    return await asyncio.open_unix_connection(path)


class World:
    """A proxy on a Unix socket, and an internet of one machine that listens at every address. `got` is what it was sent."""

    def __init__(self, folder: Path, patience: Patience) -> None:
        self.path = folder / "proxy"
        self.names: dict[str, list[str]] = {
            "ok.com": [PUBLIC], "a.wild.org": [OTHER], "api.com": [PUBLIC], "dead.com": ["9.9.9.9", PUBLIC],
            "rebind.com": ["127.0.0.1"], "mixed.com": ["10.0.0.1", "fd00::1", OTHER, "169.254.169.254"],
        }  # fmt: skip
        self.decisions: list[Decision] = []
        self.looked_up: list[str] = []
        self.dialled: list[tuple[str, int]] = []
        self.got: list[bytes] = []
        self.ended = asyncio.Event()
        self.serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] = self.echo
        self.port = 0
        self.proxy = Proxy(
            judge_by(parse_hosts(ALLOWED)), log=self.decisions.append, patience=patience, look_up=self.look_up, dial=self.dial
        )

    async def look_up(self, host: str, _port: int) -> list[str]:
        self.looked_up.append(host)
        if host not in self.names:
            raise OSError(-2, "Name or service not known")
        return self.names[host]

    async def dial(self, address: str, port: int) -> Wire:
        self.dialled.append((address, port))
        if address == "9.9.9.9":
            raise ConnectionRefusedError
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send back what comes, until it ends."""
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError):
                await self.serve(reader, writer)
        finally:
            writer.close()
            self.ended.set()

    async def ask(self, data: bytes, *, end: bool = False) -> bytes:
        """Everything that comes back for `data`. `end`: the client closes its direction."""
        async with self.client() as (reader, writer):
            writer.write(data)
            if end:
                writer.write_eof()
            return await reader.read()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Wire]:
        reader, writer = await asyncio.open_unix_connection(self.path)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    @asynccontextmanager
    async def tunnel(self, target: str = "ok.com:443") -> AsyncIterator[Wire]:
        async with self.client() as (reader, writer):
            writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"
            yield reader, writer


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., World]:
    """Run one scene in a fresh world; the world afterwards."""

    tmp_path.chmod(0o700)

    def run(talk: Talk, patience: Patience = DEFAULT) -> World:
        async def scene() -> World:
            world = World(tmp_path, patience)
            server = await asyncio.start_server(world.accept, "127.0.0.1", 0)
            world.port = server.sockets[0].getsockname()[1]
            await world.proxy.listen_at(world.path)
            try:
                async with asyncio.timeout(30):
                    await talk(world)
            finally:
                await world.proxy.aclose()
                server.close()
                assert not world.path.exists()
            return world

        return asyncio.run(scene())

    return run


def request(target: str, *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: whatever.example", *fields, "", ""]).encode() + body


async def take_request(world: World, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A web server: keeps the head and whatever follows it, answers once it has seen an empty line, and closes."""
    world.got.append(await reader.readuntil(b"\r\n\r\n"))
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    await writer.drain()


def test_a_tunnel_to_an_allowed_host(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        async with world.tunnel("OK.com.:443") as (reader, writer):
            writer.write(b"\x16\x03\x01 any bytes")
            assert await reader.readexactly(13) == b"\x16\x03\x01 any bytes"

    world = play(talk)
    assert world.dialled == [(PUBLIC, 443)]
    assert world.looked_up == ["ok.com"]
    assert world.decisions == [Decision("ok.com", 443, True, address=PUBLIC)]


def test_plain_http_goes_on_without_what_was_meant_for_the_proxy(play: Callable[..., World]) -> None:
    fields = ["Accept: */*", "Proxy-Authorization: Basic x", "Proxy-Connection: keep-alive", "Connection: keep-alive, X-Hop", "X-Hop: 1"]

    async def talk(world: World) -> None:
        world.serve = lambda reader, writer: take_request(world, reader, writer)
        answer = await world.ask(request("http://a.wild.org/x?y=1", *fields))
        assert answer == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    world = play(talk)
    assert world.got == [b"GET /x?y=1 HTTP/1.1\r\nHost: a.wild.org\r\nConnection: close\r\nAccept: */*\r\n\r\n"]
    assert world.dialled == [(OTHER, 80)]


@pytest.mark.parametrize(
    "target",
    [
        "evil.com:443", "ok.com:22", "ok.com.evil.com:443", "sub.ok.com:443", "api.com:443", "wild.org:443", "2130706433:443",
        "0x7f.1:443", "127.1:443", "0177.0.0.1:443", "127.0.0.1:443", "[::1]:443", "[::ffff:127.0.0.1]:443", "169.254.169.254:80",
        "localhost:443", "10.0.0.8:443", "ok.com..:443", "ok_.com:443", "[ok.com]:443", "[::1%lo]:9",
    ],
)  # fmt: skip
def test_a_host_that_is_not_allowed_is_neither_looked_up_nor_reached(play: Callable[..., World], target: str) -> None:
    async def talk(world: World) -> None:
        for data in (request(target, method="CONNECT"), request(f"http://{target}/")):
            answer = await world.ask(data)
            assert answer.startswith((b"HTTP/1.1 403 Forbidden\r\n", b"HTTP/1.1 400 Bad Request\r\n"))
            assert b"\r\n\r\nkimicode: " in answer

    world = play(talk)
    assert world.dialled == []
    assert world.looked_up == []
    assert not any(decision.allowed for decision in world.decisions)


def test_a_refusal_names_the_host_and_how_to_allow_it(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        answer = await world.ask(request("Evil.com:443", method="CONNECT"))
        assert b"kimicode: evil.com:443 is refused" in answer
        assert b'[permissions] allow = ["host(evil.com)"]' in answer
        assert b'["host(evil.com:8080)"]' in await world.ask(request("http://evil.com:8080/"))

    world = play(talk)
    assert [(decision.host, decision.port) for decision in world.decisions] == [("evil.com", 443), ("evil.com", 8080)]


BAD: Iterable[bytes] = [
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"\x16\x03\x01\x02\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: ok.com\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: ok.com\r\n\r\n",
    request("https://ok.com/"),
    request("ftp://ok.com/"),
    request("http:///x"),
    request("http://user@ok.com/"),
    request("http://ok.com@evil.com/"),
    request("http://ok.com:80@evil.com/"),
    request("http://ok.com#@evil.com/"),
    request("http://ok.com\\@evil.com/"),
    request("http://ok.com:/"),
    request("http://ok.com:0/"),
    request("http://ok.com:99999/"),
    request("http://ok.com:080808/"),
    request("http://ok%2ecom/"),
    request("http://[ok.com]/"),
    request("ok.com", method="CONNECT"),
    request("ok.com:", method="CONNECT"),
    request("user@ok.com:443", method="CONNECT"),
    request("ok.com:443/", method="CONNECT"),
    request("http://ok.com:443", method="CONNECT"),
    request("evil.com\0.ok.com:443", method="CONNECT"),
    request("http://evil.com\0.ok.com/"),
    "CONNECT о.com:443 HTTP/1.1\r\n\r\n".encode(),
    b"CONNECT ok.com:443 HTTP/2.0\r\n\r\n",
    b"CONNECT ok.com:443  HTTP/1.1\r\n\r\n",
    b"CONNECT\tok.com:443 HTTP/1.1\r\n\r\n",
    b"CONNECT ok.com:443\r\n\r\n",
    b" CONNECT ok.com:443 HTTP/1.1\r\n\r\n",
    b"CONNECT ok.com:443 HTTP/1.1\nHost: ok.com\r\n\r\n",
    b"CONNECT ok.com:443 HTTP/1.1\r\nHost: ok.com\r X: 1\r\n\r\n",
    request("http://ok.com/", "X: 1\n Y: 2"),
    request("http://ok.com/", " folded"),
    request("http://ok.com/", "No-Colon"),
    request("http://ok.com/", "Sp ace: 1"),
    request("http://ok.com/", "Space : 1"),
    request("http://ok.com/", "Nul: \0"),
    request("http://ok.com/", "Content-Length: 1", "Content-Length: 1", method="POST"),
    request("http://ok.com/", "Content-Length: +1", method="POST"),
    request("http://ok.com/", "Content-Length: -1", method="POST"),
    request("http://ok.com/", "Content-Length: 1, 1", method="POST"),
    request("http://ok.com/", "Content-Length: 1", "Transfer-Encoding: chunked", method="POST"),
    request("http://ok.com/", "Transfer-Encoding: gzip, chunked", method="POST"),
    request("http://ok.com/", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked", method="POST"),
    request("http://ok.com/", "Transfer-Encoding: xchunked", method="POST"),
    b"POST http://ok.com/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
]


@pytest.mark.parametrize("data", BAD)
def test_what_is_no_proper_request_reaches_nothing(play: Callable[..., World], data: bytes) -> None:
    async def talk(world: World) -> None:
        assert (await world.ask(data, end=True)).startswith(b"HTTP/1.1 400 Bad Request\r\n")

    world = play(talk)
    assert world.dialled == []


@pytest.mark.parametrize("data", [b"", b"GET http://ok.com/ HT", b"\r\n"])
def test_half_a_head_reaches_nothing(play: Callable[..., World], data: bytes) -> None:
    async def talk(world: World) -> None:
        assert await world.ask(data, end=True) == b""

    assert play(talk).dialled == []


def test_a_name_that_stands_for_this_machine_is_refused_though_allowed(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        for address in ("127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1", "0.0.0.0", "fe80::1%eth0"):
            world.names["rebind.com"] = [address]
            answer = await world.ask(request("rebind.com:443", method="CONNECT"))
            assert answer.startswith(b"HTTP/1.1 403 ")

    world = play(talk)
    assert world.dialled == []
    assert {decision.allowed for decision in world.decisions} == {False}


def test_the_connection_goes_to_the_address_that_was_looked_at_and_the_name_is_looked_up_once(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        async with world.tunnel("mixed.com:443"):
            world.names["mixed.com"] = ["127.0.0.1"]

    world = play(talk)
    assert world.dialled == [(OTHER, 443)]
    assert world.looked_up == ["mixed.com"]


@pytest.mark.parametrize(("target", "address"), [("10.0.0.7:443", "10.0.0.7"), ("[::ffff:10.0.0.7]:80", "10.0.0.7"), ("[::1]:9", "::1")])
def test_a_private_address_is_reached_where_it_is_named_itself(play: Callable[..., World], target: str, address: str) -> None:
    async def talk(world: World) -> None:
        async with world.tunnel(target):
            pass

    world = play(talk)
    assert [where for where, _ in world.dialled] == [address]
    assert world.looked_up == []


def test_the_next_address_is_tried(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        async with world.tunnel("dead.com:443"):
            pass

    assert play(talk).dialled == [("9.9.9.9", 443), (PUBLIC, 443)]


def test_a_host_that_does_not_answer_is_said(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        assert b"gone.com is allowed, but its name can't be looked up" in await world.ask(request("http://gone.com/"))
        world.names["dead.com"] = ["9.9.9.9"]
        answer = await world.ask(request("http://dead.com/"))
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"dead.com:80 is allowed, but can't be reached at 9.9.9.9" in answer

    play(talk)


def test_a_redirect_is_a_request_of_its_own(play: Callable[..., World]) -> None:
    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://evil.com/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def talk(world: World) -> None:
        world.serve = redirect
        assert b"Location: http://evil.com/" in await world.ask(request("http://ok.com/"))
        assert (await world.ask(request("http://evil.com/"))).startswith(b"HTTP/1.1 403 ")

    assert play(talk).dialled == [(PUBLIC, 80)]


def test_a_second_request_on_the_same_connection_goes_nowhere(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await take_request(world, reader, writer)
            writer.write_eof()
            world.got.append(await reader.read())

        world.serve = serve
        smuggled = request("http://evil.com/", "X: smuggled")
        await world.ask(request("http://ok.com/", "Content-Length: 4", method="POST", body=b"body" + smuggled))
        await world.ended.wait()

    world = play(talk)
    assert world.got[1] == b"body"


def test_a_body_in_chunks_ends_where_it_says(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            world.got.append(await reader.readuntil(b"\r\n\r\n"))
            world.got.append(await reader.readuntil(b"0\r\n\r\n"))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            writer.write_eof()
            world.got.append(await reader.read())

        world.serve = serve
        body = b"4;ext=1\r\nbody\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n" + request("http://evil.com/")
        assert b"204" in await world.ask(request("http://ok.com/", "Transfer-Encoding: chunked", method="POST", body=body))
        await world.ended.wait()

    world = play(talk)
    assert b"Transfer-Encoding: chunked\r\n" in world.got[0]
    assert world.got[1:] == [b"4\r\nbody\r\na\r\n0123456789\r\n0\r\n\r\n", b""]


@pytest.mark.parametrize("body", [b"zz\r\n", b"-1\r\n", b"0x4\r\nbody\r\n", b"4\r\nbodyX\r\n", b"4\nbody", b"4\r\nbo", b"f" * 40000])
def test_a_body_that_breaks_off_or_makes_no_sense_breaks_the_connection(play: Callable[..., World], body: bytes) -> None:
    async def talk(world: World) -> None:
        async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            with suppress(ConnectionError):
                world.got.append(await reader.read())

        world.serve = serve
        assert await world.ask(request("http://ok.com/", "Transfer-Encoding: chunked", method="POST", body=body), end=True) == b""
        await world.ended.wait()

    assert b"0\r\n\r\n" not in b"".join(play(talk).got)


def test_big_bodies_both_ways(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        async with world.tunnel() as (reader, writer):

            async def send() -> None:
                writer.write(BIG)
                await writer.drain()
                writer.write_eof()

            sending = asyncio.create_task(send())
            assert await reader.read(-1) == BIG
            await sending

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            world.got.append(await reader.readexactly(len(BIG)))
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + BIG)
            await writer.drain()

        world.serve = serve
        answer = await world.ask(request("http://ok.com/", f"Content-Length: {len(BIG)}", method="PUT", body=BIG))
        assert answer == b"HTTP/1.1 200 OK\r\n\r\n" + BIG

    assert play(talk).got == [BIG]


def test_a_half_closed_tunnel_still_carries_the_other_way(play: Callable[..., World]) -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.read()
        writer.write(b"answer to " + question)
        await writer.drain()

    async def talk(world: World) -> None:
        world.serve = late
        async with world.tunnel() as (reader, writer):
            writer.write(b"question")
            writer.write_eof()
            assert await reader.read() == b"answer to question"

    play(talk)


def test_a_server_that_ends_first_still_hears_the_client(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write_eof()
            world.got.append(await reader.read())

        world.serve = serve
        async with world.tunnel() as (reader, writer):
            assert await reader.read() == b""
            writer.write(b"last words")
            writer.write_eof()
            await world.ended.wait()

    assert play(talk).got == [b"last words"]


def test_a_client_that_does_not_finish_its_head_is_told(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        assert (await world.ask(b"CONNECT ok.com:443 HTTP/1.1\r\n")).startswith(b"HTTP/1.1 408 ")
        assert (await world.ask(b"")).startswith(b"HTTP/1.1 408 ")

    assert play(talk, Patience(head_s=0.1)).dialled == []


def test_a_head_that_is_too_long_is_refused(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        assert (await world.ask(request("http://ok.com/", "X: " + "x" * 200_000))).startswith(b"HTTP/1.1 431 ")

    assert play(talk).dialled == []


def test_a_tunnel_in_which_nothing_moves_is_ended_and_one_that_is_used_is_not(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        async with world.tunnel() as (idle, _), world.tunnel() as (reader, writer):
            left = asyncio.create_task(idle.read())
            while not left.done():
                writer.write(b"x")
                assert await reader.readexactly(1) == b"x"
            assert left.result() == b""
            writer.write(b"y")
            assert await reader.readexactly(1) == b"y"

    play(talk, Patience(idle_s=1.0))


def test_a_server_that_never_answers_a_connection_is_given_up(play: Callable[..., World]) -> None:
    async def never(_address: str, _port: int) -> Wire:
        await asyncio.Event().wait()
        raise AssertionError

    async def talk(world: World) -> None:
        world.dial = never  # type: ignore[method-assign]
        proxy = Proxy(judge_by(parse_hosts(ALLOWED)), patience=Patience(connect_s=0.05), look_up=world.look_up, dial=never)
        reader, writer = await connected(proxy)
        writer.write(request("http://ok.com/"))
        assert (await reader.read()).startswith(b"HTTP/1.1 502 ")
        writer.close()
        await proxy.aclose()

    play(talk)


def test_more_connections_than_allowed_are_refused_and_room_comes_back(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        async with world.tunnel() as (first, writer), world.tunnel():
            assert (await world.ask(request("ok.com:443", method="CONNECT"))).startswith(b"HTTP/1.1 503 ")
            writer.write_eof()
            await first.read()
            answer = b"HTTP/1.1 503 "
            while answer.startswith(b"HTTP/1.1 503 "):
                answer = await world.ask(request("evil.com:443", method="CONNECT"))
            assert answer.startswith(b"HTTP/1.1 403 ")

    play(talk, Patience(connections=2))


def test_closing_ends_what_is_under_way_even_for_a_reader_that_reads_nothing(play: Callable[..., World]) -> None:
    async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(BIG)
            await writer.drain()

    async def talk(world: World) -> None:
        world.serve = pour
        async with world.tunnel() as (reader, _), world.client():
            await reader.readexactly(1)
            await asyncio.wait_for(world.proxy.aclose(), 3)
            await world.ended.wait()
        with pytest.raises(OSError, match=r"."):
            await asyncio.open_unix_connection(world.path)

    play(talk)


def test_the_socket_is_this_users_alone(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        assert stat.S_IMODE(world.path.stat().st_mode) == 0o600

    play(talk)


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_no_socket_in_a_folder_that_is_open_to_others(tmp_path: Path, mode: int) -> None:
    async def scene() -> None:
        folder = tmp_path / "open"
        folder.mkdir()
        folder.chmod(mode)
        await Proxy(judge_by(parse_hosts([]))).listen_at(folder / "proxy")

    with pytest.raises(RefusedError, match="open to others"):
        asyncio.run(scene())


def test_nor_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(0o700)
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(RefusedError):
        asyncio.run(Proxy(judge_by(parse_hosts([]))).listen_at(tmp_path / "link" / "proxy"))


def test_the_judge_may_take_its_time_and_hears_the_canonical_name(play: Callable[..., World]) -> None:
    async def talk(world: World) -> None:
        asked: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def judge(host: str, port: int) -> bool:
            asked.put_nowait((host, port))
            return await answer

        proxy = Proxy(judge, look_up=world.look_up, dial=world.dial)
        reader, writer = await connected(proxy)
        writer.write(request("OK.com.:443", method="CONNECT"))
        await writer.drain()
        assert await asked.get() == ("ok.com", 443)
        answer.set_result(True)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert asked.empty()
        writer.close()
        await proxy.aclose()

    play(talk)


def test_the_real_look_up_and_connection(tmp_path: Path) -> None:
    """`localhost` is looked up for real and refused as this machine; the address, named itself, is connected to for real."""
    tmp_path.chmod(0o700)

    async def scene() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        proxy = Proxy(judge_by(parse_hosts([f"localhost:{port}", f"127.0.0.1:{port}"])))
        await proxy.listen_at(tmp_path / "proxy")
        for host, status in (("localhost", b"403"), ("127.0.0.1", b"204")):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "proxy")
            writer.write(request(f"http://{host}:{port}/"))
            assert (await reader.read()).startswith(b"HTTP/1.1 " + status)
            writer.close()
        await proxy.aclose()
        server.close()

    asyncio.run(scene())
