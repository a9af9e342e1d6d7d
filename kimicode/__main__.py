"""The entry point: what must hold before anything else is imported.

Until a command takes the signals over, SIGINT and SIGTERM end the process at once with 130: nothing has been begun, and an exception
in the middle of an import would be a traceback. A standard stream that was closed is opened on nothing, so that no file of ours gets
its number; without a stdout there is no place for a payload, and that is an error. `--version` and git's hooks are
answered here: they must be instant.
"""

import os
import signal
import sys

from kimicode import __version__

_INTERRUPTED, _USAGE, _FAILED = 130, 2, 1
_HOOK_OPTIONS = ("--strict", "--no-model")


def main() -> None:
    """Run the command line. Exits."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    _fill_gaps()
    if sys.stdout is None:
        os.write(2, b"kimicode: stdout is closed\n  Send the answer somewhere, if only to /dev/null.\n")
        sys.exit(_USAGE)
    if sys.argv[1:] == ["--version"]:
        _version()
        return
    if sys.argv[1:3] == ["hook", "run"] and (hook := _hook(sys.argv[3:])) is not None:
        from kimicode.border import call

        sys.exit(call("hook_run:hook_run", *hook))
    from kimicode.cli import main as command_line

    command_line()


def _hook(words: list[str]) -> tuple[str, list[str], bool, bool] | None:
    """The arguments of `hook_run`; None for words that the command line itself had better explain. Without its library, which costs
    more time than a cached review."""
    name = next((at for at, word in enumerate(words) if not word.startswith("-")), None)
    options = words[:name]
    if name is None or any(option not in _HOOK_OPTIONS for option in options):
        return None
    rest = words[name + 1 :]
    return words[name], rest[1:] if rest[:1] == ["--"] else rest, "--strict" in options, "--no-model" in options


def _leave(_number: int, _frame: object) -> None:
    try:
        os.write(2, b"kimicode: interrupted\n")
    finally:
        os._exit(_INTERRUPTED)


def _fill_gaps() -> None:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given out, and that is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115 - open as long as the process


def _version() -> None:
    try:
        os.write(1, f"kimicode {__version__}\n".encode())
    except OSError:
        sys.exit(_FAILED)


if __name__ == "__main__":
    main()
