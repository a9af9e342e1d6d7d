"""Asking the user on the terminal, a line at a time.

What was typed before the question is thrown away: nobody allows what they have not seen. Everything but a clear yes is a no. Of a large
change only the beginning is shown, and it is said how much is not. What this module does not do: decide when to ask.
"""

import asyncio
import os
import termios
from collections.abc import Iterator
from typing import Final, TextIO

from kimicode.edit.diff import changes
from kimicode.sandbox.approval import Answer, Approver, Choice, FileText, Question
from kimicode.streams import complain
from kimicode.text import render_exact

_LONGEST = 4096
"""A terminal gives no longer line."""

_CHOICES = {"y": Choice.ONCE, "yes": Choice.ONCE, "s": Choice.SESSION, "session": Choice.SESSION}
_LASTING = {"a": Choice.ALWAYS, "always": Choice.ALWAYS}
_LINES: Final = 60
"""Of one file's change: what a terminal shows without scrolling too far."""

_WIDTH: Final = 200


def approver_for(stdin: TextIO | None, stderr: TextIO | None) -> Approver | None:
    """Whoever sits at this terminal, or None where there is none."""
    if stdin is None or stderr is None or not (stdin.isatty() and stderr.isatty()):
        return None
    return _Terminal(stdin)


class _Terminal:
    def __init__(self, stdin: TextIO) -> None:
        self._stdin = stdin

    async def ask(self, question: Question) -> Answer:
        """Show the question on stderr and read a line."""
        termios.tcflush(self._stdin, termios.TCIFLUSH)
        complain(f"{question.tool} wants to run or touch:\n  {question.text()}\nbecause: {question.reason}")
        for part in question.part_texts():
            if part != question.text():
                complain(f"  - {part}")
        for path in question.executable_config:
            complain(f"Other programs run or obey {path!r} by themselves.")
        for file in question.files:
            complain("\n".join(diff_lines(file)))
        choices = _CHOICES | _LASTING if question.rule else _CHOICES
        lasting = f" / [a]lways, by the rule {render_exact(question.rule)} in your settings" if question.rule else ""
        complain(f"Allow it? [y]es, once / for this [s]ession{lasting} / [N]o, or say what to do instead:")
        said = (await _line(self._stdin.fileno())).strip()
        choice = choices.get(said.lower(), Choice.NO)
        return Answer(choice, said if choice is Choice.NO and said.lower() not in ("n", "no") else "")


def diff_lines(file: FileText) -> Iterator[str]:
    """A change as a unified diff, such that no line of it can be mistaken for another."""
    kinds = {(True, False): "new file", (False, True): "deleted", (False, False): "changed", (True, True): ""}
    about = (kinds[file.before is None, file.after is None], render_exact(file.note))
    yield f"  {render_exact(file.path)} ({'; '.join(filter(None, about))})"
    if file.before is None or file.after is None:
        sign = "+" if file.before is None else "-"
        lines = (file.after or file.before or "").removesuffix("\n").split("\n")
        shown = [f"{sign}{line[:_WIDTH]}{'…' * (len(line) > _WIDTH)}" for line in lines[:_LINES] if line or len(lines) > 1]
        shown += [f"… {len(lines) - _LINES} more lines"] * (len(lines) > _LINES)
    else:
        shown = changes(file.before, file.after, max_lines=_LINES).split("\n")
    yield from (f"  {_exact(line)}" for line in shown if line)


def _exact(line: str) -> str:
    """The line exactly, but for the marks that say that something was left out here: those of the text itself are shown by number."""
    if line.startswith("… "):
        return line
    cut = len(line) > _WIDTH and line.endswith("…")
    return line[0] + render_exact(line[1:-1] if cut else line[1:]) + "…" * cut


async def _line(terminal: int) -> str:
    """A line from a terminal. Unlike a read in a thread, this wait can be cancelled: Ctrl-C ends it."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(terminal, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(terminal)
    return os.read(terminal, _LONGEST).decode("utf-8", "replace")
