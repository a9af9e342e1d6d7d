"""The `models convert` command: arguments, progress and messages; the work is done in `engine.convert.conversion`.

Everything goes to stderr but the names of finished files. What this module does not do: register itself with a group of commands.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TextIO

import typer

from engine.convert import conversion
from engine.convert.conversion import Options, Progress, Report, Result
from engine.convert.encode import Kind
from engine.errors import EngineError
from engine.plain import plain

LINE_SECONDS: Final = 5.0
"""How often progress is said where stderr is not a terminal."""

REDRAW_SECONDS: Final = 0.1
"""How often the line of progress changes on a terminal."""

_BAD_INPUT: Final = 2
_INTERRUPTED: Final = 130
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)", re.IGNORECASE)
_UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class OutType(StrEnum):
    """The types that matrices other than INT4 ones can have."""

    BF16 = "bf16"
    F16 = "f16"
    Q8_0 = "q8_0"
    F32 = "f32"


def _size(text: str) -> int:
    if (match := _SIZE.fullmatch(text.strip().removesuffix("B"))) is None or (size := int(float(match[1]) * _UNITS[match[2].upper()])) <= 0:
        raise typer.BadParameter(f"{text!r} is not a size such as 50G or 800M")
    return size


def convert(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a Hugging Face checkpoint of Kimi K2.", show_default=False)],
    target: Annotated[Path | None, typer.Argument(metavar="[OUT.gguf]", help="The model file to write.", show_default=False)] = None,
    mmproj: Annotated[Path | None, typer.Option("--mmproj", metavar="OUT", help="Write the vision tower to OUT, too.")] = None,
    outtype: Annotated[OutType, typer.Option("--outtype", help="Type of matrices that are not INT4; those stay exact.")] = OutType.BF16,
    split_max_size: Annotated[
        int | None, typer.Option("--split-max-size", metavar="SIZE", parser=_size, help="Split in files of at most SIZE, such as 50G.")
    ] = None,
    vocab_only: Annotated[bool, typer.Option("--vocab-only", help="Write metadata and vocabulary only; needs no weights.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check OUT.gguf against its checksums, after writing it if need be.")] = False,
) -> None:
    """Convert a checkpoint to a GGUF model file; run again to continue after an interruption."""
    if target is None and mmproj is None:
        raise typer.BadParameter("give OUT.gguf, --mmproj OUT, or both")
    options = Options(outtype=Kind[outtype.name], split=split_max_size)
    work = conversion.convert_vocabulary if vocab_only else conversion.convert
    kept = None if verify else _kept(target, mmproj)
    with _reported(), _shown(sys.stderr) as report:
        if mmproj is not None and mmproj != kept:
            _make(mmproj, verify, report, lambda path: conversion.convert_vision(source, path, options, report))
        if target is not None and target != kept:
            _make(target, verify, report, lambda path: work(source, path, options, report))


def _kept(*targets: Path | None) -> Path | None:
    """Of two files wanted, the one that an earlier run of the command has finished, if only one."""
    wanted = [target for target in targets if target is not None]
    finished = [target for target in wanted if conversion.is_finished(target)]
    if len(finished) != 1 or len(wanted) == 1:
        return None
    typer.echo(plain(f"{finished[0]} is finished already and kept", 2000), err=True)
    return finished[0]


def _make(target: Path, verify: bool, report: Report, work: Callable[[Path], Result]) -> None:
    """Write `target` and check it, as far as wanted."""
    if not (verify and conversion.is_finished(target)):
        result = work(target)
        for note in result.notes:
            typer.echo(plain(note, 2000), err=True)
        for file in result.files:
            typer.echo(str(file))
    if verify:
        for file in conversion.verify(target, report):
            typer.echo(plain(f"{file}: checksum is right", 2000), err=True)


class Line:
    """Progress on `stream`: one line that changes on a terminal, a new line every few seconds elsewhere."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._terminal = stream.isatty()
        self._phase = ""
        self._started = self._shown = 0.0
        self._first = 0
        self._open = False

    def __call__(self, progress: Progress) -> None:
        """Show it, if it is time to."""
        now = self._clock()
        if progress.phase != self._phase:
            self._phase, self._started, self._first = progress.phase, now, progress.done
            self._shown = now if not self._terminal else 0.0
        finished = self._terminal and progress.done == progress.total
        if finished or now - self._shown >= (REDRAW_SECONDS if self._terminal else LINE_SECONDS):
            self._shown = now
            self._write(describe(progress, progress.done - self._first, now - self._started))

    def close(self) -> None:
        """End the line that changes."""
        if self._open:
            self._stream.write("\n")

    def _write(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")
        self._stream.flush()
        self._open = self._terminal


def describe(progress: Progress, moved: int, seconds: float) -> str:
    """`writing 12.3 of 594.0 GB, 410 MB/s, 23 min left`; `moved` bytes took `seconds`."""
    text = f"{progress.phase} {progress.done / 1e9:.1f} of {progress.total / 1e9:.1f} GB"
    if moved <= 0 or seconds <= 0:
        return text
    left = (progress.total - progress.done) * seconds / moved
    return f"{text}, {moved / seconds / 1e6:.0f} MB/s, {f'{left / 60:.0f} min' if left >= 90 else f'{left:.0f} s'} left"


@contextmanager
def _shown(stream: TextIO) -> Iterator[Report]:
    line = Line(stream)
    try:
        yield line
    finally:
        line.close()


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("interrupted; what is done is kept: run the same command again to continue", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    except EngineError as error:
        typer.echo(plain(str(error), 2000), err=True)
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        typer.echo(plain(f"{error.filename or 'the conversion'}: {error.strerror or error}", 2000), err=True)
        raise typer.Exit(_BAD_INPUT) from None
