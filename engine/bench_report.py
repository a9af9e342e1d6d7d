"""A model's predicted speed beside what was measured, for people and as JSON.

A ratio is predicted over measured: 1 is a perfect prediction, 2 one twice too fast. What this module does not do: measure or predict.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, assert_never

import msgspec

from engine.advice import size
from engine.bench import Counts, Measured
from engine.expert_speed import bytes_read, expected_hits, layers_beside
from engine.layout import Layout
from engine.machine import Hit, Machine
from engine.plan import Share
from engine.shapes import ModelShape
from engine.speed import ASSUMED_DISK, EXPECTED, speed

COLUMNS: Final = 100
JSON_VERSION: Final = 1


class Unit(Enum):
    """What a figure counts."""

    TOKENS = "tokens/s"
    BYTES = "bytes"
    RATE = "bytes/s"
    SHARE = "of 1"


@dataclass(frozen=True)
class Row:
    """One figure, predicted and measured."""

    name: str
    unit: Unit
    predicted: float
    measured: float

    @property
    def ratio(self) -> float | None:
        """Predicted over measured; None where nothing was measured."""
        return self.predicted / self.measured if self.measured else None


@dataclass(frozen=True)
class Reading:
    """How a store reads: past the page cache or not, by io_uring or threads; how many of all experts have a place, and how many are in
    one."""

    direct: bool
    uring: bool
    places: int
    experts: int
    held: int

    @property
    def held_share(self) -> float:
        """The share of experts that memory holds."""
        return min(1.0, self.held / self.experts) if self.experts else 1.0

    @property
    def share(self) -> float:
        """The share of experts that memory can hold."""
        return min(1.0, self.places / self.experts) if self.experts else 1.0


@dataclass(frozen=True)
class Bench:
    """Everything. `load_seconds` is what loading took; `reading` is None where llama.cpp maps the experts; `kept` is what the plan will
    know from now on; `notes` are what should be known of the figures."""

    model: ModelShape
    layout: Layout
    shares: tuple[Share, ...]
    load_seconds: float
    reading: Reading | None
    rows: tuple[Row, ...]
    kept: Hit | None
    notes: tuple[str, ...]


def rows(model: ModelShape, machine: Machine, layout: Layout, prompt: int, found: Measured) -> Iterator[Row]:
    """Every figure that was both predicted for these places and measured."""
    behind = prompt + found.decode.tokens // 2
    yield Row(f"prompt of {prompt:,} tokens", Unit.TOKENS, speed(model, machine, layout, prompt).prefill.expected, found.prefill.rate)
    yield Row("answer", Unit.TOKENS, speed(model, machine, layout, behind).decode.expected, found.decode.rate)
    if (counts := found.decode.counts) is None:
        return
    yield Row("answer, by the hits it had", Unit.TOKENS, _hindsight(model, machine, layout, behind, counts), found.decode.rate)
    hits = expected_hits(machine, layout).expected
    yield Row("experts found in memory", Unit.SHARE, hits, counts.hit_rate)
    beside = layers_beside(model, layout)
    yield Row("read for a token", Unit.BYTES, bytes_read(beside, 1, hits), counts.bytes / found.decode.tokens)
    disk = machine.disk.rate.value if machine.disk.rate is not None else ASSUMED_DISK
    yield Row("disk, while it reads", Unit.RATE, disk * EXPECTED.store_disk, counts.disk_rate)


def text(bench: Bench) -> str:
    """Aligned lines for people."""
    return "\n".join(_lines(bench))


def as_json(bench: Bench) -> str:
    """One JSON object."""
    return msgspec.json.encode(
        {
            "v": JSON_VERSION,
            "model": {"name": bench.model.name, "bytes": bench.model.bytes, "files": [str(file) for file in bench.model.files]},
            "placement": bench.layout.placement,
            "shares": bench.shares,
            "load_seconds": round(bench.load_seconds, 3),
            "reading": bench.reading,
            "rows": [{**msgspec.to_builtins(row), "ratio": row.ratio} for row in bench.rows],
            "remembered": bench.kept,
            "notes": bench.notes,
        }
    ).decode()


def _hindsight(model: ModelShape, machine: Machine, layout: Layout, behind: int, counts: Counts) -> float:
    """What would have been predicted, had the hit rate been known: is it the hits that were wrong, or the seconds?"""
    hit = Hit(layout.resident, counts.hit_rate, "this time")
    return speed(model, replace(machine, hits=(hit,)), layout, behind).decode.expected


def _lines(bench: Bench) -> Iterator[str]:
    yield f"{bench.model.name}: {size(bench.model.bytes)}, loaded in {bench.load_seconds:.1f} s"
    yield from (f"  {share.place:<5} {size(share.bytes):>9}  {share.what}" for share in bench.shares)
    if bench.reading is not None:
        how = f"{'direct' if bench.reading.direct else 'buffered'} reads by {'io_uring' if bench.reading.uring else 'threads'}"
        yield f"Store: {bench.reading.places:,} places for {bench.reading.experts:,} experts, {how}"
    yield ""
    yield f"{'':<30}{'predicted':>14}{'measured':>14}{'ratio':>8}"
    for row in bench.rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        yield f"{row.name:<30}{_value(row, row.predicted):>14}{_value(row, row.measured):>14}{ratio:>8}".rstrip()
    for note in bench.notes:
        yield from textwrap.wrap(note, COLUMNS, subsequent_indent="  ", break_on_hyphens=False)


def _value(row: Row, value: float) -> str:
    match row.unit:
        case Unit.TOKENS:
            return f"{value:,.1f} t/s" if value >= 1 else f"{value:.3f} t/s"
        case Unit.RATE:
            return f"{value / 1e9:.2f} GB/s"
        case Unit.BYTES:
            return size(int(value))
        case Unit.SHARE:
            return f"{value:.1%}"
        case _:
            assert_never(row.unit)
