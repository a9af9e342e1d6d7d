"""Results too large for a model's context: the whole goes to a scratch file, the model gets head, tail and the path.

The scratch folder is readable by policy, so the model can read or grep the file. What this module does not do: hold a command's output
while it runs (`sandbox.capture`).
"""

import contextlib
from pathlib import Path
from typing import Final

from kimicode.sandbox.capture import MAX_SPILL_BYTES, Captured, create_scratch

MAX_RESULT_CHARS: Final = 30_000
"""What a result may cost at most: about 8,000 tokens of source text."""

PREVIEW_CHARS: Final = 8_000
"""How much of the head, and of the tail, of a larger one is shown."""


def bounded(text: str, scratch: Path, stem: str) -> str:
    """`text`, or its preview where it is longer than `MAX_RESULT_CHARS`; then the whole is in a file named after `stem`."""
    if len(text) <= MAX_RESULT_CHARS:
        return text
    omitted = len(text) - 2 * PREVIEW_CHARS
    return preview(Captured(text[:PREVIEW_CHARS], text[-PREVIEW_CHARS:], omitted, _keep(text, scratch, stem)), "characters")


def preview(captured: Captured, unit: str = "bytes") -> str:
    """What was captured as one text; where something was left out, a line between head and tail says how much and where it is."""
    if not captured.omitted:
        return captured.head
    if captured.whole is None:
        where = "they could not be kept"
    else:
        what = f"the first {MAX_SPILL_BYTES // 2**20} MiB are" if captured.whole_cut else "the whole is"
        where = f"{what} in {captured.whole}; read it with offset, or grep it"
    return f"{captured.head}\n[{captured.omitted} {unit} left out here: {where}]\n{captured.tail}"


def _keep(text: str, scratch: Path, stem: str) -> Path | None:
    """The file with the text; None where the disk has no room for it."""
    path: Path | None = None
    try:
        with create_scratch(scratch, stem) as file:
            path = Path(file.name)
            file.write(text.encode("utf-8", "replace"))
    except OSError:
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink()
        return None
    return path
