"""`/export` and `/copy`: a session as a file, an answer in the clipboard.

What this module does not do: find the clipboard (`clipboard` does), or overwrite a file unasked.
"""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kimicode.errors import KimicodeError, UsageError
from kimicode.interactive.abilities import WritesSequences
from kimicode.interactive.clipboard import copy as copy_text
from kimicode.interactive.clipboard import run_program
from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.interactive.view.blocks import Answered
from kimicode.session.export import to_json, to_markdown
from kimicode.session.log import read_events

_FORMS: Final = ("md", "json")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
"""The line that opens or closes a block of code (CommonMark 0.31, 4.5)."""


async def export(desk: Desk, argument: str) -> None:
    """Write the session as Markdown or JSON."""
    first, _, rest = argument.partition(" ")
    form, name = (first, rest.strip()) if first in _FORMS else ("json" if argument.endswith(".json") else "md", argument)
    path = _place(desk, name or f"kimicode-{desk.session_id}.{form}")
    if await asyncio.to_thread(path.exists) and not await desk.person.confirm(f"Overwrite {path}?"):
        return
    await asyncio.to_thread(_write, desk, path, form)
    desk.person.say(f"Written: {path}")


def _place(desk: Desk, name: str) -> Path:
    return desk.workspace / Path(name).expanduser()


def _write(desk: Desk, path: Path, form: str) -> None:
    events = tuple(read_events(desk.host.store.path(desk.session_id)))
    data = to_json(events) if form == "json" else to_markdown(events).encode("utf-8", "replace")
    try:
        path.write_bytes(data)
    except OSError as error:
        raise KimicodeError(f"can't write {path}: {error.strerror}", hint="Give /export another place.") from error


async def copy(desk: Desk, argument: str) -> None:
    """An answer, or a block of code in one, into the clipboard."""
    answers = [block.text for block in desk.transcript.blocks if isinstance(block, Answered) and block.text.strip()]
    words = argument.split()
    code = words[:1] == ["code"]
    number = _number(words[1:] if code else words, argument)
    found = [text for answer in answers for text in code_blocks(answer)] if code else answers
    if number > len(found):
        what = "block of code" if code else "answer"
        raise UsageError(
            f"there is no {what} to copy" if not found else f"there are only {len(found)}", hint="/copy N counts from the last one."
        )
    write = desk.person.write_sequence if isinstance(desk.person, WritesSequences) else None
    desk.person.say(await copy_text(found[-number], desk.environ, run_program, write))


def code_blocks(markdown: str) -> tuple[str, ...]:
    """What stands between fences, in order. A block that is not closed is none yet."""
    blocks: list[str] = []
    mark = ""
    held: list[str] = []
    for line in markdown.split("\n"):
        found = _FENCE.fullmatch(line)
        if not mark and found:
            mark, held = found[1], []
        elif mark and found and found[1].startswith(mark) and not found[2].strip():
            blocks.append("".join(f"{each}\n" for each in held))
            mark = ""
        elif mark:
            held.append(line)
    return tuple(blocks)


def _number(words: Sequence[str], argument: str) -> int:
    match words:
        case []:
            return 1
        case [word] if word.isdecimal() and 0 < int(word) < 10_000:
            return int(word)
        case _:
            raise UsageError(
                f"/copy can't be {argument!r}", hint="Write /copy, /copy 2 for the answer before, /copy code for the last block of code."
            )


COMMANDS: Final = (
    Command("export", "Write this session as Markdown or JSON", export, "[md|json] [FILE]", complete=lambda _desk: _FORMS),
    Command("copy", "Copy the last answer, an earlier one, or a block of code", copy, "[N|code]", complete=lambda _desk: ("code",)),
)
