"""The `models prepare` command: arguments, progress and messages; the work is done in `engine.prepare`.

The side file's path, or one JSON object, goes to stdout, everything else to stderr. What this module does not do: register itself with a
group of commands.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, TextIO

import msgspec
import typer

from engine import prepare as work
from engine import side_file
from engine.convert.command import Line, describe
from engine.convert.conversion import Progress, Report
from engine.errors import EngineError
from engine.plain import plain
from engine.prepare_gain import Gain, gain

LINE_SECONDS: Final = 60.0
"""How often progress is said where stderr is not a terminal."""

_BAD_INPUT: Final = 2
_INTERRUPTED: Final = 130


def prepare(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A GGUF file, or any part of a split one.", show_default=False)],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Where the side file is, or goes.", show_default="the model's folder")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Only read the side file that is there, and check every byte.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the side file, and what is left of unfinished ones.")] = False,
    measure: Annotated[bool, typer.Option("--measure", help="Only measure whether it would pay on this drive.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Write a model's experts again, each in one piece, for drives that like that; run again to continue after an interruption."""
    if verify + remove + measure > 1:
        raise typer.BadParameter("give one of --verify, --remove and --measure")
    with _reported():
        if remove:
            answer = _remove(model, to)
        elif measure:
            answer = _measure(model)
        elif verify:
            answer = _verify(model, to)
        else:
            answer = _prepare(model, to)
        if as_json:
            typer.echo(msgspec.json.encode(answer).decode())
        elif "file" in answer:
            typer.echo(answer["file"])


Answer = dict[str, object]


def _prepare(model: Path, to: Path | None) -> Answer:
    began = time.monotonic()
    there = side_file.find(model, to) is not None
    measured = None if there else gain(model)
    if measured is not None:
        _say(str(measured))
    with _shown(sys.stderr) as report:
        done = work.prepare(model, to, report, _say)
    answer: Answer = {"state": "there" if there else "written", "file": str(done.path), "bytes": done.size, "experts": done.experts}
    if there:
        _say("it is there already, and fits the model; --verify reads all of it")
        return answer
    return {
        **answer,
        "experts_kept": done.kept,
        "seconds": round(time.monotonic() - began, 3),
        **_gain(measured),
    }


def _verify(model: Path, to: Path | None) -> Answer:
    began = time.monotonic()
    with _shown(sys.stderr) as report:
        done = work.verify(model, to, report)
    _say(f"all {done.experts:,} experts are as they were in the model")
    seconds = round(time.monotonic() - began, 3)
    return {"state": "verified", "file": str(done.path), "bytes": done.size, "experts": done.experts, "seconds": seconds}


def _remove(model: Path, to: Path | None) -> Answer:
    gone = work.remove(model, to)
    for path in gone:
        _say(f"removed {path}")
    if not gone:
        _say("there is none")
    return {"state": "removed" if gone else "none", "files": [str(path) for path in gone]}


def _measure(model: Path) -> Answer:
    found = gain(model)
    _say("the model is too small, or its drive can't be read past the page cache: nothing to measure" if found is None else str(found))
    return {"state": "measured", **_gain(found)}


def _gain(found: Gain | None) -> Answer:
    if found is None:
        return {"gain": None}
    return {"gain": {"bytes_per_second_apart": found.apart, "bytes_per_second_together": found.together, "worth": found.worth}}


class Minutely:
    """Progress on a stream that is no terminal: a line a minute."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._phase = ""
        self._started = self._shown = 0.0
        self._first = 0

    def __call__(self, progress: Progress) -> None:
        """Say it, if it is time to."""
        now = self._clock()
        if progress.phase != self._phase:
            self._phase, self._started, self._shown, self._first = progress.phase, now, now, progress.done
        elif now - self._shown >= LINE_SECONDS:
            self._shown = now
            self._stream.write(f"{describe(progress, progress.done - self._first, now - self._started)}\n")
            self._stream.flush()


@contextmanager
def _shown(stream: TextIO) -> Iterator[Report]:
    if not stream.isatty():
        yield Minutely(stream)
        return
    line = Line(stream)
    try:
        yield line
    finally:
        line.close()


def _say(text: str) -> None:
    typer.echo(plain(text, 2000), err=True)


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        _say("interrupted; what is done is kept: run the same command again to continue")
        raise typer.Exit(_INTERRUPTED) from None
    except EngineError as error:
        _say(str(error))
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        _say(f"{error.filename or 'the side file'}: {(error.strerror or str(error)).lower()}; give another folder with --to")
        raise typer.Exit(_BAD_INPUT) from None
