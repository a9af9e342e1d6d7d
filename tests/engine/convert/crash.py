"""Conversions in processes of their own that die at a chosen moment, are starved of disk, or tell how much memory they took."""

import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import typer

from engine.convert import command
from engine.convert.conversion import Options, Progress, convert
from engine.convert.disk import StoppedError

T = TypeVar("T")

_NAMES: Final = ("os.rename", "os.remove", "os.truncate", "open")
"""What Python announces to audit hooks when it changes the names or lengths of files."""


def after_bytes(source: Path, target: Path, options: Options, limit: int) -> int:
    """Kill the conversion once `limit` bytes are on the disk; its exit status, negative for a signal."""
    return _run(_die_after_bytes, source, target, options, limit)


def after_names(source: Path, target: Path, options: Options, limit: int) -> int:
    """Kill the conversion when it is about to open, cut, rename or remove a file for the `limit`th time; its exit status."""
    return _run(_die_after_names, source, target, options, limit)


def full_disk(source: Path, target: Path, options: Options, limit: int) -> int:
    """Convert where no file may grow past `limit` bytes; 75 if that was reported as a full disk."""
    return _run(_starve, source, target, options, limit)


def interrupted(source: Path, target: Path, errors: Path) -> int:
    """Run the command and press Ctrl-C when it gives the first file its final name; its exit status, its words in `errors`."""
    return _run(_interrupt, source, target, errors, 0)


def memory(source: Path, target: Path, options: Options) -> int:
    """Convert, and return the process's largest resident size in mebibytes."""
    with multiprocessing.get_context("forkserver").Pool(1) as pool:
        return pool.apply(_measure, (source, target, options))


def _run(work: Callable[[Path, Path, T, int], None], source: Path, target: Path, options: T, limit: int) -> int:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["engine.convert.command"])
    process = context.Process(target=work, args=(source, target, options, limit))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _quiet(_progress: Progress) -> None:
    """Report to nobody."""


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_after_bytes(source: Path, target: Path, options: Options, limit: int) -> None:
    def report(progress: Progress) -> None:
        if progress.phase == "writing" and progress.done >= limit:
            _die()

    convert(source, target, options, report)


def _die_after_names(source: Path, target: Path, options: Options, limit: int) -> None:
    left = limit

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in _NAMES and str(target.parent) in str(arguments[0]):
            left -= 1
            if left <= 0:
                _die()

    sys.addaudithook(hook)
    convert(source, target, options, _quiet)


def _starve(source: Path, target: Path, options: Options, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        convert(source, target, options, _quiet)
    except StoppedError as error:
        said = "the disk is full or the file may not grow: free space, and run the same command again to continue" in str(error)
        sys.exit(error.exit_code if said else 1)


def _interrupt(source: Path, target: Path, errors: Path, _limit: int) -> None:
    def hook(event: str, _arguments: tuple[object, ...]) -> None:
        if event == "os.rename":
            raise KeyboardInterrupt

    sys.addaudithook(hook)
    with errors.open("w") as sys.stderr:
        try:
            command.convert(source, target)
        except typer.Exit as end:
            sys.exit(end.exit_code)


def _measure(source: Path, target: Path, options: Options) -> int:
    convert(source, target, options, _quiet)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
