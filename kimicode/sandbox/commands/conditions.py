"""`[[ ]]` as bash reads it, and what in it evaluates more than it shows.

What this module does not do: `[` and `test`, which are simple commands (`meaning`).
"""

import re
from typing import Final

from kimicode.sandbox.commands.parts import Word
from kimicode.sandbox.commands.simple import INTEGER, SimpleReader
from kimicode.sandbox.commands.words import BREAKS, Unclear

_PATTERN_WORD: Final = re.compile(r"[\w^$.*+?/@:,%=\[\]-]+(?=[ \t\n])", re.ASCII)
_ARITHMETIC_TESTS: Final = frozenset("-eq -ne -lt -le -gt -ge".split())
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class TestReader(SimpleReader):
    """Reads tests."""

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
            return INTEGER.fullmatch(word.text) is not None
        source = self.text[word.start : word.end].strip('"')
        if found := re.fullmatch(r"\$\{?([A-Za-z_]\w*)\}?", source, re.ASCII):
            self.computed.append((found.group(1), source))
            return True
        return re.fullmatch(r"\$[#?$!]|\$\{#\w+(?:\[@\])?\}", source, re.ASCII) is not None
