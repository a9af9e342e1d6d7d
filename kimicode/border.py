"""The border where every error of a command becomes a message on stderr and an exit code.

A command is a function of `kimicode.commands`, called by name, so that its module is imported then and only then. What this module does
not do: know commands or options (`cli` does); it loads nothing that a git hook would have to wait for.
"""

import importlib
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from kimicode.errors import Interrupted, KimicodeError
from kimicode.streams import complain, silence


def find(place: str) -> object:
    """What `module:attribute` names."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def call(place: str, *arguments: object) -> int:
    """Call `module:function` of `kimicode.commands`; its exit code, or that of the error it raised."""
    try:
        function = cast("Callable[..., int]", find(f"kimicode.commands.{place}"))
        with _interruptible():
            code = function(*arguments)
            sys.stdout.flush()
    except KimicodeError as error:
        code = _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        code = _fail("interrupted", Interrupted.exit_code)
    except BrokenPipeError:
        code = KimicodeError.exit_code
    except OSError as error:
        code = _fail(f"{error.filename or 'input or output'}: {error.strerror or error}")
    except Exception as error:  # noqa: BLE001
        code = _fail(f"unexpected {type(error).__name__}: {error}\n  {_origin(error)} This is a fault in kimicode; please report it.")
    try:
        sys.stdout.flush()
    except OSError:
        silence(sys.stdout)
    return code


@contextmanager
def _interruptible() -> Iterator[None]:
    """While a command runs SIGINT and SIGTERM raise `KeyboardInterrupt` in it, so that it can end what it began."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _fail(message: str, code: int = KimicodeError.exit_code) -> int:
    complain(f"kimicode: {message}")
    return code


def _origin(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"In {trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}." if trace else ""
