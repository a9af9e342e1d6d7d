"""Asking the user on the terminal, a line at a time.

What was typed before the question is thrown away: nobody allows what they have not seen. Everything but a clear yes is a no. What this
module does not do: decide when to ask.
"""

import asyncio
import os
import termios
from typing import TextIO

from kimicode.sandbox.approval import Answer, Approver, Choice, Question
from kimicode.streams import complain

_LONGEST = 4096
"""A terminal gives no longer line."""

_CHOICES = {"y": Choice.ONCE, "yes": Choice.ONCE, "s": Choice.SESSION, "session": Choice.SESSION}


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
        complain("Allow it? [y]es, once / for this [s]ession / [N]o, or say what to do instead:")
        said = (await _line(self._stdin.fileno())).strip()
        choice = _CHOICES.get(said.lower(), Choice.NO)
        return Answer(choice, said if choice is Choice.NO and said.lower() not in ("n", "no") else "")


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
