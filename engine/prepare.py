"""Writes and checks a model's side file of experts (`engine.side_file`), so that no end of a run costs more than its last gigabyte.

It grows as `NAME.experts.part` beside `NAME.experts.journal`. A few threads each gather a batch of experts from the model, hash it and
write it. When all are durable everything is read back from the drive and compared with the checksums of what came out of the model; only
then the commit mark is written and the file gets its name. What this module does not do: print, or say whether it is worth it
(`engine.prepare_gain`).
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from engine.convert.conversion import Progress, Report
from engine.convert.disk import StoppedError, reported, size, sync_folder
from engine.errors import EngineError, ModelFileError
from engine.expert_files import ExpertFiles
from engine.parts import read_parts
from engine.plain import size_of
from engine.prepare_batches import Batch, Options, batches, digests_of, team_of, wrong_ones
from engine.prepare_io import SCRATCH, Direct, ModelBytes
from engine.prepare_journal import Journal
from engine.prepare_team import aligned
from engine.side_file import (
    HEADER_BYTES,
    Layout,
    SideFile,
    SideFileError,
    beside,
    digest,
    ending_of,
    header_of,
    lay_out,
    read,
    refusal,
)

PART: Final = ".part"
JOURNAL: Final = ".journal"


@dataclass(frozen=True)
class Prepared:
    """A side file that is whole: its place, bytes and experts. `kept`: how many experts an earlier run had written, all where it was
    finished already.
    """

    path: Path
    size: int
    experts: int
    kept: int


def prepare(model: Path, folder: Path | None, report: Report, say: Callable[[str], None], options: Options | None = None) -> Prepared:
    """Write the side file of `model`, next to it or in `folder`, unless a whole one is there; goes on where an earlier run ended.
    `say` hears why something that was there is not used.

    Raises `ModelFileError` where the model can't be used or read, or changes meanwhile; `StoppedError` where the disk is full or fails;
    `EngineError` while another process does the same, or what was written reads back differently; `OSError` where the folder can't be used.
    """
    layout, files = lay_out(read_parts(model))
    path = beside(model, folder)
    if path.exists():
        if (reason := refusal(path, layout)) is None:
            _tidy(path)
            return Prepared(path, layout.size, layout.count, layout.count)
        say(f"not used, and replaced: {reason}")
    with ModelBytes(files.files) as source, Journal(_with(path, JOURNAL), _job(layout, source)) as journal:
        if journal.other:
            say("the model has changed since an earlier run that did not end: starting over")
        work = _Work(path, layout, files, source, journal, report, options or Options())
        return Prepared(path, layout.size, layout.count, work.run())


def verify(model: Path, folder: Path | None, report: Report, options: Options | None = None) -> Prepared:
    """Read all of the side file of `model` and compare it with its checksums. Raises `SideFileError` where there is none, it is of another
    model, or is damaged, and `ModelFileError` where the model is.
    """
    layout, _ = lay_out(read_parts(model))
    path = beside(model, folder)
    if (reason := refusal(path, layout)) is not None:
        raise SideFileError(reason)
    found = read(path)
    with _readable(path), Direct(path, os.O_RDONLY) as file:
        wrong = wrong_ones(file, layout, found.digests, report, options or Options())
    if wrong:
        raise SideFileError(_damage(found, wrong))
    return Prepared(path, layout.size, layout.count, layout.count)


def remove(model: Path, folder: Path | None) -> tuple[Path, ...]:
    """Remove the side file of `model` and what is left of unfinished ones; what was there. `model` itself need not be there any more.

    Raises `EngineError` while another process writes it, and `OSError`.
    """
    path = beside(model, folder)
    there = tuple(each for each in (path, _with(path, PART), _with(path, JOURNAL)) if each.exists())
    _tidy(path)
    path.unlink(missing_ok=True)
    return there


def _tidy(path: Path) -> None:
    """Remove what is left of unfinished runs; of a finished one, a run that ended in its last moment leaves the journal."""
    part, journal = _with(path, PART), _with(path, JOURNAL)
    if part.exists() or journal.exists():
        with Journal(journal, "") as held:
            part.unlink(missing_ok=True)
            held.remove()


class _Work:
    """One side file to be written."""

    def __init__(
        self, path: Path, layout: Layout, files: ExpertFiles, source: ModelBytes, journal: Journal, report: Report, options: Options
    ) -> None:
        self._path, self._part = path, _with(path, PART)
        self._layout, self._files, self._source = layout, files, source
        self._journal, self._report, self._options = journal, report, options

    def run(self) -> int:
        """Write, check and publish; how many experts were there before."""
        kept = self._resume()
        self._check_space()
        # Whoever may read the model may read its experts.
        mode = stat.S_IMODE(self._files.files[0].stat().st_mode) & 0o666 | 0o600
        with reported(self._part), Direct(self._part, os.O_RDWR | os.O_CREAT, mode) as file:
            if kept == 0:
                file.cut(0)
                header = aligned(HEADER_BYTES)
                header[:] = header_of(self._layout)
                file.write(header, 0)
            self._write(file)
            if self._source.changed:
                self._journal.remove()
                raise ModelFileError(f"{self._files.files[0]}: the model has changed while it was read: run the same command again")
            self._check(file)
        self._publish()
        return kept

    def _resume(self) -> int:
        """How many experts are there from an earlier run; whole batches only, so that every run writes the same."""
        header, there = header_of(self._layout), size(self._part)
        done = len(self._journal.digests)
        if done and there >= HEADER_BYTES and _begins_with(self._part, header):
            kept = next((batch.number for batch in self._batches(0) if batch.number + batch.count > done), self._layout.count)
            last = max((batch.at + batch.bytes for batch in self._batches(0) if batch.number < kept), default=0)
            if there >= last:
                self._journal.note(kept, [])
                return kept
        self._journal.note(0, [])
        return 0

    def _check_space(self) -> None:
        needed = self._layout.size - (self._part.stat().st_blocks * 512 if self._part.exists() else 0)
        free = self._options.free(self._part.parent)
        if needed > free:
            old = ", as by --remove," if self._path.exists() else ""
            raise StoppedError(
                f"{self._part.parent}: {size_of(needed)} are still to be written, but only {size_of(free)} are free: "
                f"make {size_of(needed - free)} more free{old} or choose another folder with --to"
            )

    def _write(self, file: Direct) -> None:
        done = settled = len(self._journal.digests)
        digests: list[bytes] = []
        total = self._layout.starts[-1]
        try:
            with team_of(self._layout, self._options) as team:
                for batch, found in team.each(self._batches(done), lambda batch, buffer: self._copy(file, batch, buffer)):
                    digests += found
                    written = batch.at + batch.bytes
                    self._report(Progress("writing", written, total))
                    if written - self._at(settled) >= self._options.sync:
                        settled = self._settle(file, settled, digests)
                        digests = []
        except BaseException:
            with contextlib.suppress(EngineError, OSError):
                self._settle(file, settled, digests)
            raise
        self._settle(file, settled, digests)

    def _copy(self, file: Direct, batch: Batch, buffer: memoryview) -> list[bytes]:
        """Put a batch where it belongs; its checksums."""
        scratch, buffer = buffer[:SCRATCH], buffer[SCRATCH : SCRATCH + batch.bytes]
        ranges = self._files.ranges[batch.layer, batch.first : batch.first + batch.count]
        self._source.gather(buffer, scratch, ranges, batch.stride)
        digests = digests_of(buffer, batch)
        with reported(self._part):
            file.write(buffer, batch.at)
        return digests

    def _settle(self, file: Direct, first: int, digests: list[bytes]) -> int:
        """Make everything durable and say so in the journal; how many experts that is now."""
        if digests:
            with reported(self._part):
                file.sync()
            self._journal.note(first, digests)
        return first + len(digests)

    def _check(self, file: Direct) -> None:
        """Compare what is on the drive with what was read from the model."""
        with _readable(self._part):
            file.forget()
            wrong = wrong_ones(file, self._layout, tuple(self._journal.digests), self._report, self._options)
        if wrong:
            self._journal.note(wrong[0], [])
            raise EngineError(
                f"{self._part}: {self._layout.name(wrong[0])} does not read back as it was written: see to the drive and memory, and run "
                "the same command again to write it anew"
            )

    def _publish(self) -> None:
        digests = tuple(self._journal.digests)
        with reported(self._part), open(self._part, "r+b", buffering=0) as file:
            end, data = self._layout.starts[-1], memoryview(ending_of(self._layout, digests))
            os.ftruncate(file.fileno(), end)
            while data:
                count = os.pwrite(file.fileno(), data, end)
                data, end = data[count:], end + count
            os.fsync(file.fileno())
            read(self._part)
            self._part.replace(self._path)
            sync_folder(self._path.parent)
            self._journal.remove()

    def _batches(self, first: int) -> Iterator[Batch]:
        return (batch for batch in batches(self._layout, self._options.batch) if batch.number >= first)

    def _at(self, number: int) -> int:
        """Where the expert of this number begins."""
        if number == self._layout.count:
            return self._layout.starts[-1]
        layer = self._layout.filled[number // self._layout.experts]
        return self._layout.starts[layer] + number % self._layout.experts * self._layout.stride(layer)


def _damage(found: SideFile, wrong: list[int]) -> str:
    count = f"{len(wrong):,} of {found.layout.count:,} experts" if len(wrong) > 1 else "one expert"
    return (
        f"{found.path} is damaged: {count}, the first of them {found.layout.name(wrong[0])}: "
        "see to its drive, remove it (--remove) and prepare it again"
    )


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise what goes wrong with reading a side file as `SideFileError`."""
    try:
        yield
    except OSError as error:
        raise SideFileError(f"{path} can't be read: {(error.strerror or str(error)).lower()}: see to its drive") from None


def _begins_with(path: Path, header: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(header)) == header


def _with(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _job(layout: Layout, source: ModelBytes) -> str:
    """What makes this job itself: also the times of the model's files, so that nothing is continued from one that was written to."""
    return digest(header_of(layout) + msgspec.json.encode(source.state)).hex()
