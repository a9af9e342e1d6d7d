"""Where the user's own words begin in a message of theirs, and what kimicode puts before them.

The first message may start with a block of facts about the environment, and any message with blocks of what the user ran by hand; the
words follow the last end tag. The writers of the blocks (`agent.opening`, `with_shell`) make sure that an end tag stands nowhere else in
them. What this module does not do: build the block of facts.
"""

import re
from collections.abc import Sequence
from typing import Final

from kimicode.events import ShellRan
from kimicode.text import Untrusted, render_safe, well_formed

ENVIRONMENT_START: Final = "<environment>\n"
ENVIRONMENT_END: Final = "\n</environment>\n\n"
SHELL_START: Final = "<user_shell>\n"
SHELL_END: Final = "\n</user_shell>\n\n"

SHELL_CHARS: Final = 8_000
"""So much of what one command printed goes along: the first and the last half of it."""

_TAG: Final = re.compile(r"<(?=\s*/?\s*user_shell\b)", re.IGNORECASE)


def user_words(content: str) -> str:
    """A user message without the blocks before the user's words."""
    content = _after(content, ENVIRONMENT_START, ENVIRONMENT_END)
    while (words := _after(content, SHELL_START, SHELL_END)) != content:
        content = words
    return content


def with_shell(ran: Sequence[ShellRan], words: str) -> str:
    """The user's words after a block for each command that they ran by hand. No output can end its block."""
    return "".join(f"{SHELL_START}{_TAG.sub('&lt;', _told(each))}{SHELL_END}" for each in ran) + words


def _told(ran: ShellRan) -> str:
    ending = "[stopped]" if ran.exit_code is None else f"[exit {ran.exit_code}]"
    lines = ("The user ran this by hand:", f"$ {_plain(ran.command)}", _cut(_plain(ran.output).strip("\n")), ending)
    return "\n".join(line for line in lines if line)


def _plain(text: str) -> str:
    return render_safe(Untrusted(well_formed(text)))


def _cut(text: str) -> str:
    half = SHELL_CHARS // 2
    if len(text) <= SHELL_CHARS:
        return text
    return f"{text[:half]}\n[{len(text) - 2 * half} characters left out here]\n{text[-half:]}"


def _after(content: str, start: str, end: str) -> str:
    if not content.startswith(start):
        return content
    _, found, words = content.partition(end)
    return words if found else content
