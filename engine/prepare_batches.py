"""A side file as batches of experts, each small enough for one thread's buffer; and their comparison with checksums.

What this module does not do: know where experts come from, or write (`engine.prepare`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.convert.conversion import Progress, Report
from engine.convert.disk import free_bytes
from engine.prepare_io import SCRATCH, Direct
from engine.prepare_team import Team
from engine.side_file import Layout, digest


@dataclass(frozen=True)
class Options:
    """How to work. `batch`: bytes that a thread handles at once, at least one expert; `sync`: bytes between two moments at which all is
    durable; `free`: how many bytes the disk under a folder has room for.
    """

    workers: int = 3
    batch: int = 32 << 20
    sync: int = 1 << 30
    free: Callable[[Path], int] = free_bytes


@dataclass(frozen=True)
class Batch:
    """Experts of one layer: `first` is counted within it, `number` over all layers; `at` is where they are in the side file."""

    layer: int
    first: int
    count: int
    number: int
    at: int
    stride: int

    @property
    def bytes(self) -> int:
        """In the side file."""
        return self.count * self.stride


def team_of(layout: Layout, options: Options) -> Team:
    """Threads whose buffers have room for a batch and `SCRATCH` bytes."""
    return Team(options.workers, max(*(layout.stride(layer) for layer in layout.filled), options.batch) + SCRATCH)


def batches(layout: Layout, most: int) -> Iterator[Batch]:
    """All experts in the file's order, in batches of at most so many bytes, or of one expert."""
    for row, layer in enumerate(layout.filled):
        stride, start = layout.stride(layer), layout.starts[layer]
        step = max(1, most // stride)
        for first in range(0, layout.experts, step):
            count = min(step, layout.experts - first)
            yield Batch(layer, first, count, row * layout.experts + first, start + first * stride, stride)


def wrong_ones(file: Direct, layout: Layout, digests: tuple[bytes, ...], report: Report, options: Options) -> list[int]:
    """The numbers of experts that don't have these checksums."""

    def look(batch: Batch, buffer: memoryview) -> list[bytes]:
        buffer = buffer[: batch.bytes]
        file.read(buffer, batch.at)
        return digests_of(buffer, batch)

    wrong: list[int] = []
    with team_of(layout, options) as team:
        for batch, found in team.each(batches(layout, options.batch), look):
            wanted = digests[batch.number : batch.number + batch.count]
            wrong += [batch.number + index for index, (one, other) in enumerate(zip(found, wanted, strict=True)) if one != other]
            report(Progress("checking", batch.at + batch.bytes, layout.starts[-1]))
    return wrong


def digests_of(buffer: memoryview, batch: Batch) -> list[bytes]:
    """The checksums of a batch's experts."""
    return [digest(buffer[at : at + batch.stride]) for at in range(0, batch.bytes, batch.stride)]
