"""A shell command read by bash's grammar: its simple commands, compounds, redirects and here-documents, in order.

Like `words`, stricter than bash: `Unclear` for whatever could be read in two ways. What this module does not do: know what a command
means (`meaning`), or trust itself (`analysis` compares it with a second parser).
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from kimicode.sandbox.commands.parts import Kind, Part, Unknown, Word
from kimicode.sandbox.commands.words import BREAKS, Unclear, read_arithmetic, read_quoted_body, read_word

MAX_DEPTH: Final = 20
"""How deep constructs may stand in each other. People stay below 5; bash itself has no limit."""

_RESERVED: Final = frozenset("! { } [[ ]] case coproc do done elif else esac fi for function if in select then time until while".split())
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)(?:\[[0-9]+\])?\+?=", re.ASCII)
_FUNCTION: Final = re.compile(r"([\w.:@%+-]+)[ \t]*\([ \t]*\)", re.ASCII)
_REDIRECT: Final = re.compile(r"([0-9]*)(&>>|&>|<<<|<<-|<<|<&|<>|<|>>|>\||>&|>)")
_DESCRIPTOR: Final = re.compile(r"[0-9]+-?|-")
_DELIMITER: Final = re.compile(r"(['\"]?)([A-Za-z_0-9.!@%+:-]+)\1(?=[ \t\n;&|<>)]|$)")
_PATTERN_WORD: Final = re.compile(r"[\w^$.*+?/@:,%=\[\]-]+(?=[ \t\n])", re.ASCII)
_ARITHMETIC_TESTS: Final = frozenset("-eq -ne -lt -le -gt -ge".split())
_INTEGER: Final = re.compile(r"-?[0-9]+")
_DECLARES: Final = frozenset("declare export local readonly typeset".split())
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Simple(msgspec.Struct, frozen=True):
    """A simple command."""

    words: tuple[Word, ...]
    source: str


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


class _Here(msgspec.Struct, frozen=True):
    start: int
    delimiter: str
    quoted: bool
    tabs: bool


class _Script:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.plain = True
        self.pending: list[_Here] = []
        self.items: list[Part | Simple] = []
        self.unknown: list[Unknown] = []
        self.begins: set[int] = set()
        self.timed: set[int] = set()
        self.integers: set[str] = set()
        self.others: set[str] = set()
        self.computed: list[tuple[str, str]] = []

    def all(self) -> None:
        self._list(frozenset(), "")
        if self.pending:
            raise Unclear("a here-document that does not end", self.pending[0].start)

    # What words ask of their surroundings (`words.Surroundings`).

    def commands(self, at: int, closing: str, kind: Kind, start: int) -> int:
        self._deeper()
        whole, outer_at, outer_pending = self.text, self.at, self.pending
        self.at, self.pending, self.plain = at, [], False
        place = len(self.items)
        if closing == "`":
            # Inside backticks the text ends where they do.
            self.text = whole[: whole.index("`", at)]
            closing = ""
        self._list(frozenset(), closing)
        if self.pending:
            raise Unclear("a here-document that does not end in its substitution", at)
        end = self.at + 1
        self.text, self.at, self.pending = whole, outer_at, outer_pending
        self.depth -= 1
        self.items.insert(place, Part(kind, whole[start:end]))
        return end

    def sets(self, name: str, start: int, end: int) -> None:
        self.plain = False
        self.others.add(name)
        self.items.append(Part("assignment", self.text[start:end], name=name))

    def computes(self, name: str, start: int, end: int) -> None:
        self.computed.append((name, self.text[start:end]))

    def unsure(self, reason: str, start: int, end: int) -> None:
        self.unknown.append(Unknown(reason, self.text[start:end]))

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
        first = len(self.items)
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
        elif text[start] in BREAKS and not _REDIRECT.match(text, start) or text.startswith(("<(", ">("), start):
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
        while (found := _REDIRECT.match(self.text, self.at)) and not self.text.startswith(("<(", ">("), self.at):
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
        if name in _RESERVED:
            raise Unclear("a function with the name of a reserved word", start)
        self.at = at
        self._lines()
        if self.at >= len(self.text) or not (self.text[self.at] == "(" or self._reserved() in ("{", "if", "while", "until", "for", "case", "[[")):
            raise Unclear("an unusual function", start)
        place = len(self.items)
        self._command()
        self.items.insert(place, Part("function", self.text[start : self.at], name=name))

    # Tests.

    def _test(self) -> None:
        depth = 0
        words: list[Word | None] = []
        while True:
            self._lines()
            text, at = self.text, self.at
            if at >= len(text):
                raise Unclear("a [[ that does not end", at)
            if text.startswith(("&&", "||"), at):
                self.at += 2
                words.append(None)
            elif text[at] in "()":
                depth += 1 if text[at] == "(" else -1
                self.at += 1
                words.append(None)
            elif text[at] in "<>" and text[at + 1 : at + 2] in (" ", "\t"):
                self.at += 1
                words.append(None)
            elif text[at] in BREAKS:
                raise Unclear(f"{text[at]!r} in [[ ]]", at)
            else:
                word = self._word()
                if word.text == "]]" and word.exact:
                    break
                words.append(word)
                if word.exact and word.text == "=~":
                    self._pattern()
                    words.append(None)
        if depth:
            raise Unclear("brackets in [[ ]] that do not match", self.at)
        self._check_test(words)

    def _pattern(self) -> None:
        self._blanks()
        if self.text[self.at : self.at + 1] in ('"', "'", "$"):
            self._word()
            return
        found = _PATTERN_WORD.match(self.text, self.at)
        if found is None:
            raise Unclear("an unusual pattern behind =~", self.at)
        self.at = found.end()

    def _check_test(self, words: list[Word | None]) -> None:
        """Integer tests evaluate their operands, and `-v` a subscript: both can run commands."""
        for index, word in enumerate(words):
            if word is None or word.text is None:
                continue
            if word.text in _ARITHMETIC_TESTS:
                beside = [words[place] for place in (index - 1, index + 1) if 0 <= place < len(words)]
                for operand in beside:
                    if operand is not None and not self._integer(operand):
                        self.unsure("a value is computed with, which can run other commands", operand.start, operand.end)
            elif word.text in ("-v", "-R"):
                operand = words[index + 1] if index + 1 < len(words) else None
                if operand is None or operand.text is None or not _IDENTIFIER.fullmatch(operand.text):
                    self.unsure("a subscript is computed, which can run other commands", word.start, word.end)

    def _integer(self, word: Word) -> bool:
        if word.text is not None:
            return _INTEGER.fullmatch(word.text) is not None
        source = self.text[word.start : word.end].strip('"')
        if found := re.fullmatch(r"\$\{?([A-Za-z_]\w*)\}?", source, re.ASCII):
            self.computed.append((found.group(1), source))
            return True
        return re.fullmatch(r"\$[#?$!]|\$\{#\w+(?:\[@\])?\}", source, re.ASCII) is not None

    # Simple commands.

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
            elif redirect := _REDIRECT.match(text, at):
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
        if name.text in _RESERVED:
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
            counts = (_INTEGER.fullmatch(source) or re.fullmatch(r"\$\(\([^()`]*\)\)", source)) and found.group().endswith(name + "=")
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
        return Word(start, self.at, None, "/")

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
        self.at = stop

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
        return word if word in _RESERVED else None

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
                if text[self.at - 3 : self.at - 2] not in (" ", "\t", "\n", "") and text[self.at : self.at + 1] not in (" ", "\t", "\n", ""):
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
