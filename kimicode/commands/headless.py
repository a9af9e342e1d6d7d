"""`kimicode --headless PROMPT`: options to an order for the headless runner.

What this module does not do: run (`kimicode.headless` does) or parse the command line (`kimicode.cli` does).
"""

import os
import sys
from pathlib import Path
from typing import get_args

import msgspec

from kimicode.commands.folder import current_folder
from kimicode.commands.worktree import enter
from kimicode.errors import UsageError
from kimicode.headless.runner import Order, run
from kimicode.headless.writers import Output
from kimicode.messages import JsonObject
from kimicode.settings import load_settings
from kimicode.wish import Wish

_NO_PROMPT = 'Say what to do: kimicode --headless "Fix the failing test", or pipe the prompt in: … | kimicode --headless -'


def headless(
    prompt: str | None,
    output: str,
    schema: Path | None,
    resume: str | None,
    latest: bool,
    flags: dict[str, object],
    sandbox: str | None = None,
    worktree: str | None = None,
) -> int:
    """Run once, here or in the worktree of that name; the exit code. Raises `KimicodeError` for what is wrong before the run begins."""
    if output not in get_args(Output):
        raise UsageError(f"there is no output {output!r}", hint=f"Choose one of: {', '.join(get_args(Output))}.")
    if resume and latest:
        raise UsageError("--resume and --continue exclude each other", hint="--continue takes the latest session of this folder.")
    wish = Wish(resume=resume, latest=latest, schema=None if schema is None else read_schema(schema))
    workspace = current_folder() if worktree is None else enter(worktree)
    order = Order(read_prompt(prompt), load_settings(os.environ, flags, sandbox=sandbox), wish, output)  # type: ignore[arg-type]
    return run(order, os.environ, workspace)


def read_prompt(prompt: str | None) -> str:
    """The prompt as given, or from stdin where it is `-`. Raises `UsageError` where there is none."""
    text = prompt if prompt != "-" else _stdin()
    if text is None or not text.strip():
        raise UsageError("no prompt", hint=_NO_PROMPT)
    return text


def _stdin() -> str:
    # Without a stdin Python sets it to None, and what is read may be any bytes.
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("the prompt should come from stdin, but stdin is closed", hint=_NO_PROMPT)
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the prompt on stdin is not UTF-8 (byte {error.start})", hint="Convert it first, for example with iconv."
        ) from error
    except OSError as error:
        raise UsageError(f"can't read the prompt from stdin: {error.strerror}", hint=_NO_PROMPT) from error


def read_schema(path: Path) -> JsonObject:
    """The JSON Schema in `path`. Raises `UsageError` where it is missing, no JSON, or no object."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict)
    except OSError as error:
        raise UsageError(f"can't read the schema {path}: {error.strerror}", hint="Give --schema a file with a JSON Schema.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the schema {path} is no JSON object: {error}", hint="Correct the file given with --schema.") from error
