"""Syntax errors that an edit introduces, found by tree-sitter: a file that parsed before and does not after.

The language goes by the file's name. A file that was broken before stays silent, and so does one in another dialect (JSON with comments,
C full of macros), since it was broken then too. A grammar is loaded when its language is first asked for; large files and parses that take
long are not judged. What this module does not do: say what is wrong, or judge meaning: it names the place where parsing first failed.
"""

import time
from collections.abc import Iterator
from typing import Final

import msgspec
from tree_sitter import Node, Parser, Tree

from kimicode.edit.lines import lf
from kimicode.languages import Grammar, grammar_of, language

MAX_CHARS: Final = 1_000_000
"""Longer texts are not judged: an error is easier to see than to wait for."""

TIME_LIMIT_S: Final = 0.5
"""For each parse. A clean file of a megabyte takes about a tenth of it; what takes longer is a grammar that lost its way."""

_MAX_SHOWN: Final = 160
_CHUNK: Final = 65_536
_AROUND: Final = 60
"""Lines on each side of a change that are parsed first; a parser does about 30 lines a millisecond."""


class SyntaxFault(msgspec.Struct, frozen=True):
    """Where a text stops being its language. `line` and `column` count from 1; `source` is the line, shortened; `what` is a few words."""

    language: str
    line: int
    column: int
    what: str
    source: str


def introduced_errors(name: str, before: str | None, after: str) -> str | None:
    """The first syntax error of `after`, where `before` (None: there was no file) has none: language, line, column, and the line itself.

    None where all is well, or nothing can be said: no grammar for the name, a long text, a slow parse, a text that was broken before.
    """
    fault = introduced_fault(name, before, after)
    if fault is None:
        return None
    where = f"line {fault.line}, column {fault.column}"
    return f"The {fault.language} file no longer parses: {fault.what} at {where}: {fault.source or '(an empty line)'}"


def introduced_fault(name: str, before: str | None, after: str) -> SyntaxFault | None:
    """The same as a value, for those who show it in their own way."""
    grammar = grammar_of(name)
    if grammar is None or after == before or max(len(after), len(before or "")) > MAX_CHARS:
        return None
    old, new = None if before is None else lf(before).split("\n"), lf(after).split("\n")
    for window in _windows(old, new):
        error = _first_error(grammar, "\n".join(new[window.first : window.new_end]))
        if error is None:
            return None
        if old is None or _is_clean(grammar, "\n".join(old[window.first : window.old_end])):
            return _fault(grammar, new, *_not_before(_first_change(old or [], new), window.first + error[0], error[1]), error[2])
    return None


def parses(name: str, text: str) -> bool | None:
    """True where the grammar for `name` reads all of `text`; None where there is no grammar, or the text is too long."""
    grammar = grammar_of(name)
    return None if grammar is None or len(text) > MAX_CHARS else _is_clean(grammar, lf(text))


def _first_change(old: list[str], new: list[str]) -> int:
    return next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))


def _not_before(change: int, row: int, column: int) -> tuple[int, int]:
    """A parser may put an error's start far before what it could not read; what did not change is not it."""
    return (row, column) if row >= change else (change, 0)


class _Window(msgspec.Struct, frozen=True):
    """The lines from `first` to before `old_end` or `new_end`: outside of them both texts are the same."""

    first: int
    old_end: int
    new_end: int


def _windows(old: list[str] | None, new: list[str]) -> Iterator[_Window]:
    """For a long text first the lines around the change, as far as the next ones without indentation; then the whole.

    Where a window cuts through something, the old text fails in it too, and the whole decides.
    """
    if old is not None and len(new) > 4 * _AROUND:
        short = min(len(old), len(new))
        head = next((n for n in range(short) if old[n] != new[n]), short)
        tail = next((n for n in range(short - head) if old[-1 - n] != new[-1 - n]), short - head)
        first = next((n for n in range(max(0, head - _AROUND), max(-1, head - 3 * _AROUND), -1) if _starts(new[n])), 0)
        rest = next((n for n in range(max(0, tail - _AROUND), max(-1, tail - 3 * _AROUND), -1) if n and _starts(new[-n])), 0)
        yield _Window(first, len(old) - rest, len(new) - rest)
    yield _Window(0, len(old or ()), len(new))


def _starts(line: str) -> bool:
    return line[:1].isalpha() or line[:1] in tuple("@#/<_")


def _fault(grammar: Grammar, lines: list[str], row: int, column: int, what: str) -> SyntaxFault:
    source = lines[row].strip() if row < len(lines) else ""
    shown = source if len(source) <= _MAX_SHOWN else source[:_MAX_SHOWN] + "…"
    return SyntaxFault(grammar.name, row + 1, column + 1, what, shown)


def _is_clean(grammar: Grammar, text: str) -> bool:
    tree = _parsed(grammar, text)
    return tree is not None and not tree.root_node.has_error


def _first_error(grammar: Grammar, text: str) -> tuple[int, int, str] | None:
    """Line and column from 0, in characters, and what was found there."""
    tree = _parsed(grammar, text)
    node = next(_errors(tree.root_node), None) if tree is not None and tree.root_node.has_error else None
    if node is None:
        return None
    row, offset = node.start_point
    line = text.split("\n")[row].encode("utf-8", "surrogatepass") if row <= text.count("\n") else b""
    return row, len(line[:offset].decode("utf-8", "replace")), f"'{node.type}' is missing" if node.is_missing else "syntax error"


def _errors(root: Node) -> Iterator[Node]:
    """Nodes that are errors, in the order of the text; a stack, since broken files nest deeply."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            yield node
        elif node.has_error:
            stack.extend(reversed(node.children))


def _parsed(grammar: Grammar, text: str) -> Tree | None:
    """The tree; None if the time was not enough: a progress callback that answers True ends the parse with a `ValueError`."""
    data = text.encode("utf-8", "surrogatepass")
    end = time.monotonic() + TIME_LIMIT_S
    try:
        return Parser(language(grammar)).parse(
            lambda offset, _: data[offset : offset + _CHUNK],
            progress_callback=lambda _, __: time.monotonic() >= end,
        )
    except ValueError:
        return None
