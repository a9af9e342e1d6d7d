"""Source text → styled lines, by the lexers of Pygments and the tokens of a palette.

What is too large, or of no known language, is drawn plain. What this module does not do: wrap, or fold.
"""

import functools
from typing import Final

from pygments.lexer import Lexer
from pygments.lexers import find_lexer_class_by_name, find_lexer_class_for_filename
from pygments.token import Token, _TokenType
from pygments.util import ClassNotFound
from rich.style import Style

from kimicode.tui.draw.lines import Line, source_lines
from kimicode.tui.draw.values import Palette

MAX_CHARS: Final = 60_000
"""Pygments reads about 0.6 million characters a second: what is longer would be felt."""

_TOKENS: Final = {
    Token.Comment.Preproc: "decorator",
    Token.Comment: "comment",
    Token.Keyword.Type: "type",
    Token.Keyword.Constant: "constant",
    Token.Keyword: "keyword",
    Token.Literal.Number: "number",
    Token.Literal.String.Doc: "comment",
    Token.Literal: "string",
    Token.Name.Function: "function",
    Token.Name.Class: "type",
    Token.Name.Exception: "type",
    Token.Name.Namespace: "type",
    Token.Name.Builtin: "builtin",
    Token.Name.Decorator: "decorator",
    Token.Name.Constant: "constant",
    Token.Name.Tag: "tag",
    Token.Name.Attribute: "attribute",
    Token.Operator.Word: "keyword",
    Token.Operator: "operator",
    Token.Generic.Heading: "heading",
    Token.Generic.Deleted: "removed",
    Token.Generic.Inserted: "added",
    Token.Generic.Subheading: "hunk",
}
"""Which of our tokens a token of Pygments is; the closest of its ancestors counts."""


def highlighted(text: str, language: str, palette: Palette, base: Style) -> list[Line]:
    """The lines of `text`, coloured as `language` (a name that Pygments knows; anything else is drawn plain) over `base`."""
    return _lexed(source_lines(text), _by_name(language.lower()), palette, base)


def highlighted_file(lines: list[str], path: str, palette: Palette, base: Style) -> list[Line]:
    """The same for lines that are harmless already, by the name of their file."""
    return _lexed(lines, _by_path(path.rpartition("/")[2]), palette, base)


def _lexed(lines: list[str], lexer: Lexer | None, palette: Palette, base: Style) -> list[Line]:
    text = "\n".join(lines)
    if lexer is None or len(text) > MAX_CHARS:
        return [[(line, base)] if line else [] for line in lines]
    out: list[Line] = [[]]
    for kind, value in lexer.get_tokens(text):
        token = _token(kind)
        style = base if token is None else base + palette[token]
        first, *rest = value.split("\n")
        if first:
            out[-1].append((first, style))
        out += ([(part, style)] if part else [] for part in rest)
    # Some lexers add a line end of their own, or drop blank lines at the edges.
    return out[: len(lines)] if len(out) >= len(lines) else [*out, *([] for _ in range(len(lines) - len(out)))]


@functools.cache
def _token(kind: _TokenType) -> str | None:
    return next((_TOKENS[each] for each in reversed(kind.split()) if each in _TOKENS), None)


@functools.lru_cache(maxsize=64)
def _by_name(language: str) -> Lexer | None:
    if not language or language in ("text", "plain", "plaintext", "txt"):
        return None
    try:
        return find_lexer_class_by_name(language)(stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@functools.lru_cache(maxsize=256)
def _by_path(name: str) -> Lexer | None:
    try:
        found = find_lexer_class_for_filename(name)
    except ClassNotFound:
        return None
    return None if found is None or found.name == "Text only" else found(stripnl=False, ensurenl=False)
