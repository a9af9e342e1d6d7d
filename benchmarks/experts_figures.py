"""What the measurements mean: ratios to the others, shares of what memory and the drive allow, points of a curve.

A ratio is the other's time over ours, so more is better. What this module does not do: measure.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from experts_resident import FEW, USED, Times
from experts_route import PUBLISHED, Routing
from experts_slice import Slice
from experts_streamed import STREAMS, Decoded, Found, Point

STOCK: Final = ("repacked", "plain")
"""llama.cpp's two ways with weights in memory; what is quicker counts."""

Figures = dict[str, float]


def resident(times: Times, bandwidth: float) -> Figures:
    """A layer in memory; `bandwidth` is what memory gives, bytes a second, 0 where that isn't known."""
    found: Figures = {}
    for rows, by in times.all.items():
        moved = times.distinct[rows] * times.expert_bytes
        found |= {f"moe_batch{rows}_ms_{who}": 1000 * seconds for who, seconds in by.items()}
        found |= {f"moe_batch{rows}_gb_s_{who}": moved / seconds / 1e9 for who, seconds in by.items()}
        if "ours" in by and (stock := [by[who] for who in STOCK if who in by]):
            found[f"moe_batch{rows}_vs_stock"] = min(stock) / by["ours"]
        if "ours" in by and bandwidth:
            found[f"moe_batch{rows}_bandwidth_share"] = moved / by["ours"] / bandwidth
    for rows, by in times.few.items():
        if "kt" in by and "ours" in by:
            moved = times.distinct_few[rows] * times.expert_bytes
            found[f"moe_batch{rows}_vs_kt"] = by["kt"] / by["ours"]
            found |= {f"moe_batch{rows}_of_{FEW}_gb_s_{who}": moved / seconds / 1e9 for who, seconds in by.items()}
    return found


def streamed(found: Mapping[Routing, Found], drive: float) -> Figures:
    """Tokens of a model larger than memory. The skewed routing's figures have plain names. `drive` is what the drive gives, bytes a
    second."""
    figures: Figures = {}
    for routing, each in found.items():
        ending = "" if routing is Routing.SKEWED else f"_{routing.value}"
        figures |= {f"{name}{ending}": value for name, value in _of_routing(each, drive)}
    return figures


def _of_routing(found: Found, drive: float) -> Iterator[tuple[str, float]]:
    ours = found.decoded.get("ours")
    for who, each in found.decoded.items():
        yield f"streamed_decode_tokens_s_{who}", 1 / each.seconds
        if each.bytes is not None:
            yield f"streamed_decode_gb_a_token_{who}", each.bytes / 1e9
    for who, seconds in found.load.items():
        yield ("streamed_load_s" if who == "ours" else f"streamed_load_s_{who}"), seconds
    if ours is not None:
        yield from ((name, found.decoded[who].seconds / ours.seconds) for who, name in _DECODE.items() if who in found.decoded)
        yield from _of_possible(found, ours, drive)
        if found.streams is not None:
            yield from _together(found.streams, ours)
    if len(found.announced) > 1:
        yield "streamed_announced_vs_not", found.announced[False].seconds / found.announced[True].seconds
    yield from _prompt(found, drive)


_DECODE: Final = {"mapped": "streamed_decode_vs_mmap", "ik": "streamed_decode_vs_ik_prefetch"}


def _of_possible(found: Found, ours: Decoded, drive: float) -> Iterator[tuple[str, float]]:
    """A token can't take less than reading what was missed at the drive's rate, or computing with all in memory."""
    if ours.hits is not None:
        yield "streamed_hit_rate", ours.hits
    if found.again is not None:
        yield "streamed_decode_all_hits_s", found.again
    if ours.read is None or not drive:
        return
    reading = ours.read / drive
    yield "streamed_decode_of_drive", reading / ours.seconds
    yield "streamed_decode_of_possible", max(reading, found.again or 0.0) / ours.seconds


def _together(streams: Decoded, ours: Decoded) -> Iterator[tuple[str, float]]:
    yield f"streams{STREAMS}_tokens_s", 1 / streams.seconds
    yield f"streams{STREAMS}_vs_one", ours.seconds / streams.seconds
    if streams.read is not None and ours.read:
        yield f"streams{STREAMS}_reads_a_token", streams.read / ours.read


def _prompt(found: Found, drive: float) -> Iterator[tuple[str, float]]:
    """The other's better way counts: its usual micro-batches, or one that meets each expert once."""
    for who, seconds in found.prefill.items():
        yield f"streamed_prefill2048_s_{who}", seconds
    theirs = {who: seconds for who, seconds in found.prefill.items() if who.startswith("mapped_")}
    if "ours" in found.prefill:
        if theirs:
            yield "streamed_prefill2048_vs_mmap", min(theirs.values()) / found.prefill["ours"]
            yield from ((f"streamed_prefill2048_vs_mmap_{who[7:]}", seconds / found.prefill["ours"]) for who, seconds in theirs.items())
        if "ik" in found.prefill:
            yield "streamed_prefill2048_vs_ik_prefetch", found.prefill["ik"] / found.prefill["ours"]
    if found.reading is not None:
        yield "streamed_reader_gb_s", found.reading / 1e9
        if drive:
            yield "streamed_reader_of_drive", found.reading / drive


def token_bytes(what: Slice) -> int:
    """Bytes of the experts that a token uses."""
    return USED * what.shape.mixed * what.expert_bytes


def published(what: Slice) -> list[tuple[float, float]]:
    """What the published hit rates would leave to be read, as (share of experts in memory, bytes a token)."""
    return [(share, (1 - hits) * token_bytes(what)) for share, hits in PUBLISHED]


def read_of(point: Point) -> float | None:
    """Bytes a token from the drive: the store's own count where there is one."""
    return point.decoded.bytes if point.decoded.read is None else point.decoded.read
