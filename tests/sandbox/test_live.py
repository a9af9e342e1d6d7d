"""What is told of a running command: whole characters, the newest text, few pieces, and nothing once it has ended."""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.sandbox.live import LEFT_OUT, Live


def told(work: Callable[[Live], Coroutine[None, None, None]], *, every_s: float = 0.0, most_bytes: int = 64) -> list[str]:
    """What is told while `work` feeds, on a loop of its own."""
    pieces: list[str] = []

    async def run() -> None:
        live = Live(pieces.append, every_s=every_s, most_bytes=most_bytes)
        await work(live)
        live.close()

    asyncio.run(run())
    return pieces


async def turns(count: int = 3) -> None:
    """Let what is due come."""
    for _ in range(count):
        await asyncio.sleep(0)


@given(text=st.text(max_size=40), cuts=st.lists(st.integers(0, 160), max_size=6))
def test_characters_across_the_borders_of_pieces_stay_whole(text: str, cuts: list[int]) -> None:
    data = text.encode("utf-8", "replace")
    borders = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})

    async def work(live: Live) -> None:
        for start, end in pairwise(borders):
            live.feed(data[start:end])
            await turns()

    assert "".join(told(work, most_bytes=1000)) == data.decode()


def test_what_comes_at_once_is_one_piece() -> None:
    async def work(live: Live) -> None:
        for number in range(50):
            live.feed(b"%d " % (number % 10))
        await turns()

    assert told(work, most_bytes=1000) == ["".join(f"{number % 10} " for number in range(50))]


def test_of_a_flood_the_newest_is_told_and_that_the_rest_is_not() -> None:
    async def work(live: Live) -> None:
        for number in range(100_000):
            live.feed(b"line %d\n" % number)
        await turns()
        live.feed(b"after\n")
        await turns()

    flood, after = told(work)
    assert flood.startswith(LEFT_OUT + "line 9999")
    assert flood.endswith("\nline 99999\n")
    assert len(flood.encode()) <= 64
    assert after == "after\n"


def test_a_flood_without_lines_is_cut_between_characters() -> None:
    async def work(live: Live) -> None:
        live.feed("€".encode() * 1000 + "ä".encode()[:1])
        await turns()
        live.feed("ä".encode()[1:])
        await turns()

    flood, rest = told(work)
    assert set(flood.removeprefix(LEFT_OUT)) == {"€"}
    assert rest == "ä"


def test_pieces_keep_their_distance() -> None:
    """With a distance that never passes there is the first piece alone, however much comes."""

    async def work(live: Live) -> None:
        for _ in range(20):
            live.feed(b"x")
            await turns()

    assert told(work, every_s=1e6) == ["x"]


def test_once_closed_nothing_is_told_and_no_timer_is_left() -> None:
    pieces: list[str] = []

    async def run() -> None:
        live = Live(pieces.append, every_s=1e6)
        live.feed(b"a")
        await turns()
        live.feed(b"b")
        live.close()
        live.feed(b"c")
        await turns()
        assert not [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]

    asyncio.run(run())
    assert pieces == ["a"]


@pytest.mark.parametrize("data", [b"\xff\xfe", b"\xe2\x82", b"\x80\x80"])
def test_what_is_no_text_is_told_as_such_and_never_raises(data: bytes) -> None:
    async def work(live: Live) -> None:
        live.feed(data)
        await turns()
        live.feed(b"ok")
        await turns()

    assert "".join(told(work)).endswith("ok")
