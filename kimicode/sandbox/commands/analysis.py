"""A shell command taken apart before it runs: what it runs, redirects, sets and wraps, and whatever in it could not be understood.

Two readers that know nothing of each other (ours, by bash's manual, and tree-sitter's grammar) must find the same commands; then each
command's own meaning is followed into wrappers and scripts. In doubt something is `unknown`, never left out. What this module does not
do: look at the machine (which program a name is, what a script file holds), or judge (`sandbox.verdict`).
"""

import re
from typing import Final, assert_never

from kimicode.sandbox.commands.effects import Doubt, Inner, Script, Sets
from kimicode.sandbox.commands.meaning import effects, steers_bash
from kimicode.sandbox.commands.parts import Analysis, Part, Unknown, Word
from kimicode.sandbox.commands.script import Reading, read_script
from kimicode.sandbox.commands.shell_builtins import changes_place
from kimicode.sandbox.commands.simple import MAX_DEPTH
from kimicode.sandbox.commands.tree import second_opinion

MAX_BYTES: Final = 20_000
"""Longest command that is analysed: beyond it nobody reads what is shown, and every parser has its limits."""

MAX_PARTS: Final = 50
"""Most parts of a command, for the same reason. A cap that skipped rules instead would let the fifty-first command pass."""

_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00a0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Control, direction and invisible characters, and blanks that are none to bash: what is shown must be what runs."""


def analyse(command: str) -> Analysis:
    """Everything the command does, as far as its text tells. Never raises, whatever the text."""
    found = _Analysis()
    if hidden := _HIDDEN.search(command):
        found.doubt(f"it holds the character U+{ord(hidden.group()):04X}, which is not seen as what it is", hidden.group())
    if len(command.encode("utf-8", "replace")) > MAX_BYTES:
        found.doubt(f"it is longer than {MAX_BYTES} bytes", command[:80])
    if found.unknown:
        return Analysis(command, (), tuple(found.unknown))
    sequence = found.script(command, 0)
    found.check_computed()
    if len(found.parts) > MAX_PARTS:
        found.doubt(f"it has more than {MAX_PARTS} parts", command[:80])
    return Analysis(command, tuple(found.parts), tuple(found.unknown), sequence and not found.unknown)


class _Analysis:
    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.unknown: list[Unknown] = []
        self.integers: set[str] = set()
        self.others: set[str] = set()
        self.computed: list[tuple[str, str]] = []

    def doubt(self, reason: str, source: str) -> None:
        self.unknown.append(Unknown(reason, source))

    def script(self, text: str, depth: int) -> bool:
        """Note all of a script. True where it is a plain sequence of commands that leave the shell as it is."""
        if depth > MAX_DEPTH:
            self.doubt(f"more than {MAX_DEPTH} scripts in each other", text[:80])
            return False
        reading = read_script(text)
        self.unknown += reading.unknown
        if not reading.unknown:
            self._compare(reading, text)
        self.integers |= reading.integers
        self.others |= reading.others
        self.computed += reading.computed
        plain = reading.plain
        for item in reading.items:
            if isinstance(item, Part):
                self.parts.append(item)
                if item.kind == "assignment" and steers_bash(item.name):
                    self.doubt(f"{item.name} decides what is run", item.source)
                elif item.kind == "assignment" and item.name.startswith(("LC_", "LANG")) and not text.isascii():
                    self.doubt(f"{item.name} decides how other characters are read", item.source)
            else:
                plain = not changes_place(item.words[0].text or "") and plain
                self._command(item.words, item.source, text, depth)
            # Each command can hold a script that holds commands: stop before that grows out of hand.
            if len(self.parts) > 2 * MAX_PARTS:
                break
        return plain

    def _compare(self, reading: Reading, text: str) -> None:
        other = second_opinion(text)
        begins = other.begins - reading.timed
        agree = begins <= reading.begins and (bool(reading.timed) or begins == reading.begins)
        if not (other.sound and agree):
            self.doubt("it can be read in more than one way", text[:200])

    def _command(self, words: tuple[Word, ...], source: str, text: str, depth: int) -> None:
        """Note a command and what it runs in turn."""
        found = effects(words)
        wraps = any(isinstance(effect, Inner | Script) for effect in found)
        argv, heads = tuple(word.text for word in words), tuple(word.head for word in words)
        self.parts.append(Part("wrapper" if wraps else "command", source, argv, heads))
        if depth > MAX_DEPTH:
            self.doubt(f"more than {MAX_DEPTH} wrappers in each other", source)
            return
        for effect in found:
            match effect:
                case Inner():
                    self._command(effect.words, text[effect.words[0].start : max(word.end for word in effect.words)], text, depth + 1)
                case Script():
                    self.parts.append(Part("script", effect.text))
                    self.script(effect.text, depth + 1)
                case Sets():
                    self.others.add(effect.name)
                    self.parts.append(Part("assignment", effect.source or effect.name, name=effect.name))
                    if steers_bash(effect.name):
                        self.doubt(f"{effect.name} decides what is run", source)
                case Doubt():
                    self.doubt(effect.reason, source)
                case _ as never:
                    assert_never(never)
        if words[0].text in ("source", "."):
            # The file can set any variable.
            self.others |= {name for name, _ in self.computed} | self.integers

    def check_computed(self) -> None:
        """Bash evaluates a variable's value in arithmetic as an expression, and subscripts in that run commands."""
        for name, source in self.computed:
            if name not in self.integers or name in self.others:
                self.doubt(f"the value of {name} is computed with, which can run other commands", source)


def simple_commands(analysis: Analysis) -> tuple[Part, ...]:
    """The parts that run something by name."""
    return tuple(part for part in analysis.parts if part.kind in ("command", "wrapper"))
