"""Simple commands of bash as they are written: words, assignments, redirects and here-documents, comments and line ends.

Like `words`, stricter than bash: `Unclear` for whatever could be read in two ways. What this module does not do: know lists, pipelines and
compound commands (`script`), or what a command means (`meaning`).
"""

import re
from typing import Final

import msgspec

from kimicode.sandbox.commands.parts import Kind, Part, Unknown, Word
from kimicode.sandbox.commands.words import BREAKS, Unclear, read_quoted_body, read_word

MAX_DEPTH: Final = 20
"""How deep constructs may stand in each other. People stay below 5; bash itself has no limit."""

RESERVED: Final = frozenset("! { } [[ ]] case coproc do done elif else esac fi for function if in select then time until while".split())
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)(?:\[[0-9]+\])?\+?=", re.ASCII)
REDIRECT: Final = re.compile(r"((?:[0-9]+(?!&>))?)(&>>|&>|<<<|<<-|<<|<&|<>|<|>>|>\||>&|>)")
_DESCRIPTOR: Final = re.compile(r"[0-9]+-?|-")
_DELIMITER: Final = re.compile(r"(['\"]?)([A-Za-z_0-9.!@%+:-]+)\1(?=[ \t\n;&|<>)]|$)")
INTEGER: Final = re.compile(r"-?[0-9]+")
_DECLARES: Final = frozenset("declare export local readonly typeset".split())


class Simple(msgspec.Struct, frozen=True):
    """A simple command."""

    words: tuple[Word, ...]
    source: str


class _Here(msgspec.Struct, frozen=True):
    start: int
    delimiter: str
    quoted: bool
    tabs: bool


class SimpleReader:
    """A text and the place reached in it. `items` are what was found, in order; `plain`: only simple commands one after another."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.within = 0
        self.here_ended = -1
        self.plain = True
        self.pending: list[_Here] = []
        self.items: list[Part | Simple] = []
        self.unknown: list[Unknown] = []
        self.begins: set[int] = set()
        self.timed: set[int] = set()
        self.integers: set[str] = set()
        self.others: set[str] = set()
        self.computed: list[tuple[str, str]] = []

    def commands(self, at: int, closing: str, kind: Kind, start: int) -> int:
        """As in `words.Surroundings`."""
        raise NotImplementedError

    def sets(self, name: str, start: int, end: int) -> None:
        """Note that `name` gets a value that is no number."""
        self.plain = False
        self.others.add(name)
        self.items.append(Part("assignment", self.text[start:end], name=name))

    def computes(self, name: str, start: int, end: int) -> None:
        """As in `words.Surroundings`."""
        self.computed.append((name, self.text[start:end]))

    def unsure(self, reason: str, start: int, end: int) -> None:
        """As in `words.Surroundings`."""
        self.unknown.append(Unknown(reason, self.text[start:end]))

    def _simple(self) -> None:
        start = end = self.at
        place = len(self.items)
        words: list[Word] = []
        while True:
            self._blanks()
            text, at = self.text, self.at
            if at >= len(text):
                break
            if text.startswith(("<(", ">("), at):
                words.append(self._process())
            elif redirect := REDIRECT.match(text, at):
                self._redirect(redirect)
            elif text[at] in BREAKS:
                break
            elif not words and (found := _ASSIGNMENT.match(text, at)):
                self._assignment(found)
            else:
                words.append(self._argument(words))
            end = self.at
        if end == start or self.text.startswith("(", self.at):
            raise Unclear("no command where one is due", start)
        if words:
            self._check_name(words[0])
            self.begins.add(words[0].start)
            self.items.insert(place, Simple(tuple(words), self.text[start:end]))

    def _argument(self, before: list[Word]) -> Word:
        """The next word. To `export` and its like bash gives an assignment as one word, whatever its value."""
        found = _ASSIGNMENT.match(self.text, self.at)
        word = self._word()
        if found and word.text is None and before and before[0].exact and before[0].text in _DECLARES:
            return Word(word.start, word.end, None, word.head or found.group())
        return word

    def _check_name(self, name: Word) -> None:
        source = self.text[name.start : name.end]
        if name.text in RESERVED:
            raise Unclear(f"the reserved word {name.text} as a name", name.start)
        if "=" in source or (source != "[" and "[" in source):
            raise Unclear("a name that looks like an assignment", name.start)

    def _assignment(self, found: re.Match[str]) -> None:
        start, name = self.at, found.group(1)
        self.at = found.end()
        self.plain = False
        text = self.text
        if text.startswith("(", self.at):
            self.at += 1
            self._array()
            self.others.add(name)
        else:
            value = self._word() if self.at < len(text) and text[self.at] not in BREAKS else None
            if text.startswith(("<(", ">("), self.at):
                raise Unclear("a process substitution in an assignment", self.at)
            source = text[value.start : value.end] if value else ""
            counts = (INTEGER.fullmatch(source) or re.fullmatch(r"\$\(\([^()`]*\)\)", source)) and found.group().endswith(name + "=")
            (self.integers if counts else self.others).add(name)
        self.items.append(Part("assignment", text[start : self.at], name=name))

    def _array(self) -> None:
        while True:
            self._lines()
            if self.text.startswith(")", self.at):
                self.at += 1
                return
            if self.at >= len(self.text) or self.text[self.at] in BREAKS or self.text[self.at] == "[":
                raise Unclear("an unusual array", self.at)
            self._word()

    def _process(self) -> Word:
        start = self.at
        self.at = self.commands(start + 2, ")", "process substitution", start)
        self._one_line(start)
        if self.at < len(self.text) and self.text[self.at] not in " \t\n;&|)":
            raise Unclear("a word that goes on behind a process substitution", self.at)
        return Word(start, self.at, None, "/dev/fd/")

    def _redirect(self, found: re.Match[str]) -> None:
        start, sign = self.at, found.group(2)
        self.at = found.end()
        self.plain = False
        if sign in ("<<", "<<-"):
            self._here(start, sign)
            return
        self._blanks()
        piped = self.text.startswith(("<(", ">("), self.at)
        if piped:
            word = self._process()
        elif self.at >= len(self.text) or self.text[self.at] in BREAKS:
            raise Unclear("a redirect to nowhere", start)
        else:
            word = self._word()
        source = self.text[start : self.at]
        # For bash `>&-` is a whole sign, and what follows it another word.
        if sign in (">&", "<&") and (word.text or word.head).startswith("-") and word.text != "-":
            raise Unclear("an unusual redirect", start)
        if sign == "<<<":
            self.items.append(Part("here-string", source))
        elif piped or (sign in (">&", "<&") and word.text is not None and _DESCRIPTOR.fullmatch(word.text)):
            self.items.append(Part("redirect", source, effect="descriptor"))
        else:
            self.items.append(Part("redirect", source, target=word.text, effect="read" if sign in ("<", "<&") else "write"))

    def _here(self, start: int, sign: str) -> None:
        self._blanks()
        found = _DELIMITER.match(self.text, self.at)
        if found is None:
            raise Unclear("an unusual end mark of a here-document", start)
        if self.pending:
            raise Unclear("two here-documents in one line", start)
        if self.within > 1:
            raise Unclear("a here-document in a substitution in a substitution", start)
        self.at = found.end()
        self.pending.append(_Here(start, found.group(2), bool(found.group(1)), sign == "<<-"))

    def _bodies(self) -> None:
        """At the start of a line: read the here-document that is due."""
        here, self.pending = self.pending[0], []
        begin = at = self.at
        while True:
            if at >= len(self.text):
                raise Unclear("a here-document that does not end", here.start)
            stop = self.text.find("\n", at)
            stop = len(self.text) if stop < 0 else stop
            line = self.text[at:stop]
            if (line.lstrip("\t") if here.tabs else line) == here.delimiter:
                break
            if not here.quoted and line.endswith("\\"):
                raise Unclear("a here-document whose lines are joined", at)
            at = stop + 1
        place = len(self.items)
        if not here.quoted:
            read_quoted_body(self.text, begin, at, self)
        self.items.insert(place, Part("here-document", self.text[here.start : stop]))
        self.at = self.here_ended = stop

    # Words and blanks.

    def _word(self) -> Word:
        word = read_word(self.text, self.at, self)
        if word.end == word.start:
            raise Unclear("no word where one is due", word.start)
        following = self.text[word.end : word.end + 1]
        source = self.text[word.start : word.end]
        if following == "(" or self.text.startswith(("<(", ">("), word.end):
            raise Unclear("'(' within a word", word.end)
        if following in ("<", ">") and source.startswith("{") and source.endswith("}"):
            raise Unclear("a redirect of a named descriptor", word.start)
        self.at = word.end
        self._one_line(word.start)
        return word

    def _one_line(self, start: int) -> None:
        """A here-document begins at the next line end, wherever that is: none may hide in a construct."""
        if self.pending and "\n" in self.text[start : self.at]:
            raise Unclear("a line break within something behind a here-document", start)

    def _reserved(self) -> str | None:
        """The reserved word that stands here, if one does. It is not consumed."""
        end = self.at
        while end < len(self.text) and self.text[end] not in BREAKS:
            end += 1
        word = self.text[self.at : end]
        return word if word in RESERVED else None

    def _blanks(self) -> None:
        text = self.text
        while self.at < len(text):
            if text[self.at] in " \t":
                self.at += 1
            elif text.startswith("\\\n", self.at):
                if self.pending:
                    raise Unclear("a continued line behind a here-document", self.at)
                self.at += 2
                # `a\<newline>b` is one word for bash.
                if text[self.at - 3 : self.at - 2] not in (" ", "\t", "\n", "") and text[self.at : self.at + 1] not in (
                    " ",
                    "\t",
                    "\n",
                    "",
                ):
                    raise Unclear("a word that goes on in the next line", self.at)
            elif text[self.at] == "#" and (self.at == 0 or text[self.at - 1] in BREAKS or text[self.at - 1] == "`"):
                end = text.find("\n", self.at)
                self.at = len(text) if end < 0 else end
            else:
                return

    def _lines(self) -> None:
        """Blanks, comments and line ends, with the here-documents that begin there."""
        while True:
            self._blanks()
            if not self.text.startswith("\n", self.at):
                return
            self.at += 1
            if self.pending:
                self._bodies()

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unclear(f"more than {MAX_DEPTH} constructs in each other", self.at)
