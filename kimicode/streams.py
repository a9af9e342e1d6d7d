"""The process's own standard streams where they fail: a reader that went away, a full disk, a terminal that is gone.

What this module does not do: decide what is written.
"""

import os
import sys
from typing import TextIO

from kimicode.text import Untrusted, render_safe


def complain(text: str) -> None:
    """Write `text` and a newline to stderr, harmless for a terminal. A stderr that nobody reads is no reason to stop anything."""
    try:
        sys.stderr.write(f"{render_safe(Untrusted(text))}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return


def write_payload(stdout: TextIO, text: str) -> None:
    """Write `text` to stdout at once: its very bytes as UTF-8, but only what is harmless where stdout is a terminal. Raises `OSError`."""
    # A lone surrogate (a file name that is not UTF-8) is written as a question mark, whatever the locale.
    if stdout.isatty():
        text = render_safe(Untrusted(text))
    stdout.buffer.write(text.encode("utf-8", "replace"))
    stdout.buffer.flush()


def silence(stream: TextIO) -> None:
    """Send what is still buffered, and all that follows, nowhere: Python would fail on it once more when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
