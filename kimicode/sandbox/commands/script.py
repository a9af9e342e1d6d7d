"""A shell command read by bash's grammar: its lists, pipelines and compound commands, down to the simple ones, in order.

Like `words`, stricter than bash: `Unclear` for whatever could be read in two ways. What this module does not do: know what a command
means (`meaning`), or trust itself (`analysis` compares it with a second parser).
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from kimicode.sandbox.commands.conditions import TestReader
from kimicode.sandbox.commands.parts import Kind, Part, Unknown
from kimicode.sandbox.commands.simple import REDIRECT, RESERVED, Simple
from kimicode.sandbox.commands.words import BREAKS, Unclear, read_arithmetic

_FUNCTION: Final = re.compile(r"([\w.:@%+-]+)[ \t]*\([ \t]*\)", re.ASCII)
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Reading(msgspec.Struct, frozen=True):
    """What a text holds, in order.

    `begins` are the places of command names, `timed` those of the reserved word `time`. `plain`: only simple commands one after another.
    `integers` are the variables that are only ever set to numbers here, `others` the rest, `computed` the ones used in arithmetic, each
    with its source.
    """

    items: tuple[Part | Simple, ...]
    unknown: tuple[Unknown, ...]
    begins: frozenset[int]
    timed: frozenset[int]
    plain: bool
    integers: frozenset[str]
    others: frozenset[str]
    computed: tuple[tuple[str, str], ...]


def read_script(text: str) -> Reading:
    """Read the whole text. Never raises: what stopped it is in `unknown`."""
    script = _Script(text)
    try:
        script.all()
    except RecursionError:
        # Expansions in expansions, thousands deep: nobody writes that, but somebody may try it.
        script.unknown.append(Unknown("too many expansions in each other", text[:80]))
    except Unclear as error:
        script.unknown.append(Unknown(error.reason, text[max(error.at - 1, 0) : error.at + 80]))
    return Reading(
        tuple(script.items),
        tuple(script.unknown),
        frozenset(script.begins),
        frozenset(script.timed),
        script.plain,
        frozenset(script.integers),
        frozenset(script.others),
        tuple(script.computed),
    )


class _Script(TestReader):
    def all(self) -> None:
        self._list(frozenset(), "")
        if self.pending:
            raise Unclear("a here-document that does not end", self.pending[0].start)

    # What words ask of their surroundings (`words.Surroundings`).

    def commands(self, at: int, closing: str, kind: Kind, start: int) -> int:
        self._deeper()
        whole, outer_at, outer_pending = self.text, self.at, self.pending
        self.at, self.pending, self.plain = at, [], False
        self.within += 1
        place = len(self.items)
        if closing == "`":
            # Inside backticks the text ends where they do.
            self.text = whole[: whole.index("`", at)]
            closing = ""
        self._list(frozenset(), closing)
        if self.pending:
            raise Unclear("a here-document that does not end in its substitution", at)
        # Bash prints a substitution and reads that again; 5.2 loses separators that follow a here-document then (measured).
        if self.here_ended >= at and self.text[self.here_ended : self.at].strip():
            raise Unclear("a substitution that goes on behind its here-document", at)
        end = self.at + 1
        self.text, self.at, self.pending = whole, outer_at, outer_pending
        self.depth -= 1
        self.within -= 1
        self.items.insert(place, Part(kind, whole[start:end]))
        return end

    # Lists and pipelines.

    def _list(self, stops: frozenset[str], closing: str) -> None:
        """Commands up to a reserved word in `stops` (left for the caller) or the sign `closing` (at it)."""
        while True:
            self._lines()
            if self.at >= len(self.text):
                if closing or stops:
                    raise Unclear("something that does not end", self.at)
                return
            if closing and self.text.startswith(closing, self.at):
                return
            if self._reserved() in stops:
                return
            if "esac" in stops and self.text.startswith((";;", ";&"), self.at):
                return
            self._pipeline()
            self._separator(closing, stops)

    def _separator(self, closing: str, stops: frozenset[str]) -> None:
        self._blanks()
        text, at = self.text, self.at
        if at >= len(text) or text[at] == "\n" or (closing and text.startswith(closing, at)):
            return
        if "esac" in stops and text.startswith((";;", ";&"), at):
            return
        for sign in ("&&", "||", ";", "&"):
            if text.startswith(sign, at) and not text.startswith((";;", ";&", "&>"), at):
                self.at += len(sign)
                self.plain = self.plain and sign != "&"
                if sign in ("&&", "||"):
                    self._lines()
                    if self.at >= len(text):
                        raise Unclear("a command is missing at the end", at)
                return
        raise Unclear(f"{text[at]!r} where no command ends", at)

    def _pipeline(self) -> None:
        while (word := self._reserved()) in ("!", "time"):
            if word == "time":
                self.timed.add(self.at)
            self.at += len(word)
            self._blanks()
            if word == "time" and self.text.startswith("-", self.at):
                if not self.text.startswith(("-p ", "-p\t"), self.at):
                    raise Unclear("an unusual option of time", self.at)
                self.at += 2
                self._blanks()
        piped = False
        self._command()
        self._blanks()
        while self.text.startswith("|", self.at) and not self.text.startswith("||", self.at):
            piped = True
            self.at += 2 if self.text.startswith("|&", self.at) else 1
            self._lines()
            self._command()
            self._blanks()
        if piped:
            self.plain = False

    # Commands.

    def _command(self) -> None:
        text, start = self.text, self.at
        if start >= len(text):
            raise Unclear("a command is missing at the end", start)
        if text.startswith("((", start):
            self.at = read_arithmetic(text, start + 2, self)
            self._one_line(start)
            self._compound("arithmetic", start)
        elif text[start] == "(":
            self._inside(self._subshell, "subshell", start)
        elif (word := self._reserved()) is not None:
            self._reserved_command(word, start)
        elif found := _FUNCTION.match(text, start):
            self._function(found.group(1), found.end(), start)
        elif (text[start] in BREAKS and not REDIRECT.match(text, start)) or text.startswith(("<(", ">("), start):
            raise Unclear(f"{text[start]!r} where a command begins", start)
        else:
            self._simple()

    def _reserved_command(self, word: str, start: int) -> None:
        self.at += len(word)
        match word:
            case "{":
                self._inside(lambda: self._block("}"), "group", start)
            case "if":
                self._inside(self._if, "condition", start)
            case "while" | "until":
                self._inside(self._while, "loop", start)
            case "for" | "select":
                self._inside(self._for, "loop", start)
            case "case":
                self._inside(self._case, "case", start)
            case "[[":
                self.begins.add(start)
                self._test()
                self._compound("test", start)
            case "function":
                self._blanks()
                found = re.compile(r"([\w.:@%+-]+)(?:[ \t]*\([ \t]*\))?", re.ASCII).match(self.text, self.at)
                if found is None:
                    raise Unclear("a function without a plain name", start)
                self._function(found.group(1), found.end(), start)
            case _:
                raise Unclear(f"the reserved word {word} here", start)

    def _inside(self, read: Callable[[], object], kind: Kind, start: int) -> None:
        self._deeper()
        place = len(self.items)
        read()
        self.depth -= 1
        self._compound(kind, start, place)

    def _compound(self, kind: Kind, start: int, place: int | None = None) -> None:
        """Note the part and read the redirects behind it."""
        self.plain = False
        self.items.insert(len(self.items) if place is None else place, Part(kind, self.text[start : self.at]))
        self._blanks()
        while (found := REDIRECT.match(self.text, self.at)) and not self.text.startswith(("<(", ">("), self.at):
            self._redirect(found)
            self._blanks()

    def _subshell(self) -> None:
        self.at += 1
        self._list(frozenset(), ")")
        self.at += 1

    def _block(self, *ends: str) -> str:
        self._list(frozenset(ends), "")
        word = self._reserved()
        assert word is not None
        self.at += len(word)
        return word

    def _if(self) -> None:
        self._block("then")
        while True:
            word = self._block("elif", "else", "fi")
            if word == "fi":
                return
            if word == "else":
                self._block("fi")
                return
            self._block("then")

    def _while(self) -> None:
        self._block("do")
        self._block("done")

    def _for(self) -> None:
        self._blanks()
        if self.text.startswith("((", self.at):
            self._counted()
        else:
            start = self.at
            name = self._name()
            self.sets(name, start, self.at)
            self._lines()
            if self._reserved() == "in":
                self.at += 2
                self._words_to_end()
            self._blanks()
        if self.text.startswith(";", self.at):
            self.at += 1
        self._lines()
        if self._reserved() != "do":
            raise Unclear("a loop without do", self.at)
        self.at += 2
        self._block("done")

    def _counted(self) -> None:
        # `;` is no sign of arithmetic: the three expressions are read on their own.
        end = self.text.find("))", self.at)
        header = self.text[self.at + 2 : max(end, 0)]
        if end < 0 or header.count(";") != 2 or set(header) & set("()\n"):
            raise Unclear("an unusual for ((…))", self.at)
        for found in re.finditer(r"\b([A-Za-z_]\w*)\s*=(?!=)", header):
            self.integers.add(found.group(1))
        for expression in header.split(";"):
            read_arithmetic(expression + "))", 0, self)
        self.at = end + 2
        self._blanks()

    def _name(self) -> str:
        found = _IDENTIFIER.match(self.text, self.at)
        if found is None or self.text[found.end() : found.end() + 1] not in (*" \t\n;", ""):
            raise Unclear("a loop without a plain name", self.at)
        self.at = found.end()
        return found.group()

    def _words_to_end(self) -> None:
        self._blanks()
        while self.at < len(self.text) and self.text[self.at] not in ";\n":
            self._word()
            self._blanks()

    def _case(self) -> None:
        self._blanks()
        self._word()
        self._lines()
        if self._reserved() != "in":
            raise Unclear("a case without in", self.at)
        self.at += 2
        while True:
            self._lines()
            if self._reserved() == "esac":
                self.at += 4
                return
            self._patterns()
            self._list(frozenset({"esac"}), "")
            found = re.compile(r";;&?|;&").match(self.text, self.at)
            self.at = found.end() if found else self.at

    def _patterns(self) -> None:
        if self.text.startswith("(", self.at):
            self.at += 1
        while True:
            self._blanks()
            self._word()
            self._blanks()
            sign = self.text[self.at : self.at + 1]
            self.at += 1
            if sign == ")":
                return
            if sign != "|":
                raise Unclear("an unusual pattern of case", self.at - 1)

    def _function(self, name: str, at: int, start: int) -> None:
        if name in RESERVED:
            raise Unclear("a function with the name of a reserved word", start)
        self.at = at
        self._lines()
        if self.at >= len(self.text) or not (
            self.text[self.at] == "(" or self._reserved() in ("{", "if", "while", "until", "for", "case", "[[")
        ):
            raise Unclear("an unusual function", start)
        place = len(self.items)
        self._command()
        self.items.insert(place, Part("function", self.text[start : self.at], name=name))
