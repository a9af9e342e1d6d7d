"""One word of bash: where it ends, what it is after quote removal, and what in it runs.

Written from bash's manual (Shell Syntax, Shell Expansions), and stricter than bash: whatever is rare enough to be misread is refused
with `Unclear`, not guessed. What this module does not do: know where commands begin (`script`).
"""

import re
from collections.abc import Callable
from typing import Final, Protocol

from kimicode.sandbox.commands.parts import Kind, Word

BREAKS: Final = frozenset(" \t\n;&|<>()")
"""Where a word ends outside quotes (bash's metacharacters)."""

_NAME: Final = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])", re.ASCII)
_BRACED: Final = re.compile(r"\$\{(?P<length>#?)(?P<name>[A-Za-z_]\w*|[0-9]+|[@*#?$!-])(?P<index>\[(?:[0-9]+|[@*])\])?", re.ASCII)
_OPERATOR: Final = re.compile(r":[0-9]+(?::[0-9]+)?(?=\})|:?[-=+?]|##?|%%?|/[/#%]?|\^\^?|,,?", re.ASCII)
_PLAIN_OPERAND: Final = re.compile(r"[\w ./:@%+,*?^#~=\[\]-]", re.ASCII)
_ARITHMETIC: Final = re.compile(r"[A-Za-z_]\w*|[0-9]+|\$[A-Za-z_]\w*|\$\{[A-Za-z_]\w*\}|\$[#?$!]|[ \t\n+*/%<>=!&|^~?:,-]", re.ASCII)
_INTEGERS: Final = frozenset({"$#", "$?", "$$", "$!"})
_ANSI_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|([0-7]{1,3})|([abefnrtv\\'\"?E]))")
_ANSI_LETTERS: Final = dict(zip("abefnrtvE\\'\"?", "\a\b\x1b\f\n\r\t\v\x1b\\'\"?", strict=True))


class Unclear(Exception):
    """The text can't be read with certainty. `reason` goes on "can't tell what this does: "; `at` is where in the text."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class Surroundings(Protocol):
    """What a word needs of the script it stands in."""

    def commands(self, at: int, closing: str, kind: Kind, start: int) -> int:
        """Read commands from `at` up to `closing`, noting a part of `kind` that began at `start`; the place behind it."""
        ...

    def sets(self, name: str, start: int, end: int) -> None:
        """Note that an expansion gives the variable `name` a value."""
        ...

    def computes(self, name: str, start: int, end: int) -> None:
        """Note that the variable `name` is evaluated as an arithmetic expression."""
        ...

    def unsure(self, reason: str, start: int, end: int) -> None:
        """Note that the text from `start` to `end` is read, but may do more than it says."""
        ...


def read_word(text: str, at: int, around: Surroundings) -> Word:
    """The word that starts at `at`. Raises `Unclear`."""
    reader = _WordReader(text, at, around)
    reader.unquoted()
    return reader.word(at)


def read_quoted_body(text: str, at: int, end: int, around: Surroundings) -> None:
    """Find what runs in a here-document's body, where quotes mean nothing but expansions do. Raises `Unclear`."""
    _WordReader(text, at, around).body(end)


def read_arithmetic(text: str, at: int, around: Surroundings) -> int:
    """The place behind the `))` that ends the arithmetic which starts at `at`. Raises `Unclear`.

    Bash evaluates the value of a variable again as an expression, and subscripts in it run commands; so names are reported.
    """
    depth = 0
    while at < len(text):
        if text[at] == "(":
            depth, at = depth + 1, at + 1
        elif text[at] == ")" and depth:
            depth, at = depth - 1, at + 1
        elif text.startswith("))", at):
            return at + 2
        elif text.startswith("$((", at):
            at = read_arithmetic(text, at + 3, around)
        elif text.startswith("$(", at):
            end = around.commands(at + 2, ")", "substitution", at)
            around.unsure("what a command prints is computed with, which can run other commands", at, end)
            at = end
        elif (found := _ARITHMETIC.match(text, at)) and not text.startswith(("<(", ">("), at):
            name = found.group().strip("${}")
            if (name[:1].isalpha() or name[:1] == "_") and found.group() not in _INTEGERS:
                around.computes(name, at, found.end())
            at = found.end()
        else:
            raise Unclear(f"{text[at]!r} in arithmetic", at)
    raise Unclear("arithmetic that does not end", at)


class _WordReader:
    """The text read so far as literal pieces; `head` freezes at the first thing that only running would tell."""

    def __init__(self, text: str, at: int, around: Surroundings) -> None:
        self.text, self.at, self.around = text, at, around
        self.pieces: list[str] = []
        self.head: str | None = None
        self.splits = self.many = False
        self.exact = True

    def word(self, start: int) -> Word:
        literal = "".join(self.pieces)
        if self.head is None:
            return Word(start, self.at, literal, literal, self.exact)
        return Word(start, self.at, None, "" if self.splits else self.head, single=not (self.splits or self.many))

    def dynamic(self, *, splits: bool = False, many: bool = False) -> None:
        if self.head is None:
            self.head = "".join(self.pieces)
        self.splits |= splits
        self.many |= many
        self.exact = False

    def unquoted(self) -> None:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in BREAKS:
            char = self.text[self.at]
            step = _STEPS.get(char)
            if step is not None:
                step(self)
                continue
            if char in "*?" or (char == "[" and self._bracket(start)):
                self.dynamic(many=True)
            elif char == "~" and (self.at == start or self.text[self.at - 1] in "=:"):
                self._tilde(start)
            elif char == "{":
                self._brace()
            self.pieces.append(char)
            self.at += 1

    # Quoted blanks may stand in brackets and braces, so the rest of the text is searched and not only the rest of the word.
    def _bracket(self, start: int) -> bool:
        alone = self.at == start and self.text[self.at + 1 : self.at + 2] in (*BREAKS, "")
        return not alone and "]" in self.text[self.at :]

    def _tilde(self, start: int) -> None:
        """A home folder; `~name` stays as it is where there is no such user, so that nothing is sure of it."""
        if self.at == start and self.text[self.at + 1 : self.at + 2] in ("/", *BREAKS, ""):
            self.pieces.append("/")
        elif self.at == start:
            self.head = ""
        self.dynamic()

    def _brace(self) -> None:
        if self.text.startswith("{}", self.at) and self.text[self.at + 2 : self.at + 3] in (*BREAKS, ""):
            return
        rest = self.text[self.at :]
        if "}" in rest and ("," in rest or ".." in rest):
            self.dynamic(many=True)

    def _backslash(self) -> None:
        self.exact = False
        if self.at + 1 >= len(self.text):
            raise Unclear("a backslash at the end", self.at)
        if self.text[self.at + 1] == "\n":
            raise Unclear("a word that goes on in the next line", self.at)
        self.pieces.append(self.text[self.at + 1])
        self.at += 2

    def _single(self) -> None:
        self.exact = False
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise Unclear("a quote that does not end", self.at)
        self.pieces.append(self.text[self.at + 1 : end])
        self.at = end + 1

    def _double(self) -> None:
        self.exact = False
        start = self.at
        self.at += 1
        while self.at < len(self.text) and self.text[self.at] != '"':
            self._within_quotes('$`"\\')
        if self.at >= len(self.text):
            raise Unclear("a quote that does not end", start)
        self.at += 1

    def body(self, end: int) -> None:
        while self.at < end:
            self._within_quotes("$`\\")
        if self.at > end:
            raise Unclear("an expansion that leaves its here-document", end)

    def _within_quotes(self, escapable: str) -> None:
        char = self.text[self.at]
        following = self.text[self.at + 1 : self.at + 2]
        if char == "\\" and following and following in escapable:
            self.pieces.append(following)
            self.at += 2
        elif char == "\\" and following == "\n":
            self.at += 2
        elif char == "$":
            self._dollar(quoted=True)
        elif char == "`":
            self._backtick(quoted=True)
        else:
            self.pieces.append(char)
            self.at += 1

    def _backtick(self, *, quoted: bool = False) -> None:
        end = self.text.find("`", self.at + 1)
        inner = self.text[self.at + 1 : end]
        if end < 0 or "\\" in inner or (quoted and '"' in inner):
            raise Unclear("backticks with escapes, or without an end", self.at)
        self.dynamic(splits=not quoted)
        self.at = self.around.commands(self.at + 1, "`", "substitution", self.at)

    def _dollar(self, *, quoted: bool = False) -> None:
        text, start = self.text, self.at
        if text.startswith("$((", start):
            self.at = read_arithmetic(text, start + 3, self.around)
            self.dynamic()
        elif text.startswith("$(", start):
            self.at = self.around.commands(start + 2, ")", "substitution", start)
            self.dynamic(splits=not quoted)
        elif text.startswith("${", start):
            self._braced(quoted=quoted)
        elif not quoted and text.startswith("$'", start):
            self._ansi()
        elif found := _NAME.match(text, start):
            self.at = found.end()
            self.dynamic(splits=found.group() not in _INTEGERS and (not quoted or found.group() == "$@"))
        elif text[start + 1 : start + 2] in ('"', "[") and not (quoted and text[start + 1] == '"'):
            raise Unclear(f"${text[start + 1]}", start)
        else:
            self.pieces.append("$")
            self.exact = False
            self.at += 1

    def _braced(self, *, quoted: bool) -> None:
        start = self.at
        found = _BRACED.match(self.text, start)
        if found is None:
            raise Unclear("an unusual ${…}", start)
        self.at = found.end()
        several = found["name"] == "@" or (found["index"] or "") == "[@]"
        self.dynamic(splits=not found["length"] and (not quoted or several))
        if not self.text.startswith("}", self.at):
            operator = _OPERATOR.match(self.text, self.at)
            if operator is None or found["length"]:
                raise Unclear("an unusual ${…}", start)
            self.at = operator.end()
            self._operand(start, quoted=quoted)
            if operator.group().endswith("=") and not operator.group().startswith("/"):
                self.around.sets(found["name"], start, self.at + 1)
        self.at += 1

    def _operand(self, start: int, *, quoted: bool) -> None:
        """What follows the operator, up to the closing brace. Quotes in there depend on the quotes around: refused."""
        while self.at < len(self.text) and self.text[self.at] != "}":
            if self.text[self.at] == "$" and self.text[self.at + 1 : self.at + 2] not in ("'", '"', "["):
                self._dollar(quoted=quoted)
            elif _PLAIN_OPERAND.match(self.text, self.at):
                self.at += 1
            else:
                raise Unclear("quotes or signs in ${…}", start)
        if self.at >= len(self.text):
            raise Unclear("a ${ that does not end", start)

    def _ansi(self) -> None:
        self.exact = False
        self.at += 2
        while self.at < len(self.text) and self.text[self.at] != "'":
            if self.text[self.at] != "\\":
                self.pieces.append(self.text[self.at])
                self.at += 1
                continue
            found = _ANSI_ESCAPE.match(self.text, self.at)
            if found is None:
                raise Unclear("an unusual escape in $'…'", self.at)
            self.pieces.append(_ansi_char(found))
            self.at = found.end()
        if self.at >= len(self.text):
            raise Unclear("a quote that does not end", self.at)
        self.at += 1


def _ansi_char(found: re.Match[str]) -> str:
    hexadecimal, unicode, octal, letter = found.groups()
    if letter:
        return _ANSI_LETTERS[letter]
    number = int(hexadecimal or unicode, 16) if octal is None else int(octal, 8)
    if number == 0 or (number > 0x7F and unicode is None) or 0xD800 <= number < 0xE000:
        raise Unclear("bytes that are no text in $'…'", found.start())
    return chr(number)


_STEPS: Final[dict[str, Callable[[_WordReader], None]]] = {
    "\\": _WordReader._backslash,
    "'": _WordReader._single,
    '"': _WordReader._double,
    "$": _WordReader._dollar,
    "`": _WordReader._backtick,
}
