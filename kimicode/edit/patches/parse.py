"""From text to a patch: the notation is told by its shape, because models send the one they were taught, whatever was asked for.

What this module does not do: read files.
"""

from typing import Final

from kimicode.edit.patches.blocks import is_block, parse_blocks
from kimicode.edit.patches.reader import Reader
from kimicode.edit.patches.unified import is_unified, parse_unified
from kimicode.edit.patches.v4a import is_v4a, parse_v4a
from kimicode.edit.patches.values import Operation, Patch
from kimicode.errors import ToolError

_WANTED: Final = "'*** Begin Patch' (or a unified diff, or a path and '<<<<<<< SEARCH')"


def parse_patch(text: str) -> Patch:
    """The patch in `text`. Raises `ToolError` that names the line and what was expected there."""
    if not text.strip():
        raise ToolError(f"patch line 1: the patch is empty; expected {_WANTED}.")
    reader = Reader(text)
    operations = _parse(reader)
    if not operations:
        reader.fail("there is nothing in this patch; expected at least one file to add, update or delete.", 1)
    return Patch(operations)


def _parse(reader: Reader) -> tuple[Operation, ...]:
    for ahead in range(reader.last - reader.number + 1):
        if is_v4a(reader.peek(ahead)):
            return parse_v4a(reader)
        if is_unified(reader, ahead):
            return parse_unified(reader)
        if is_block(reader.peek(ahead)):
            return parse_blocks(reader)
    return reader.unexpected(_WANTED)
