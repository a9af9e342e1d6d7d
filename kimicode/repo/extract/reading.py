"""A source parsed and queried within a time limit. Grammars and compiled queries are kept for the life of the process.

What this module does not do: know what was caught (`assemble`).
"""

import time
from functools import cache
from importlib import resources
from typing import Final

import msgspec
from tree_sitter import Node, Parser, Query, QueryCursor, Tree

from kimicode.languages import language
from kimicode.repo.extract.dialects import Dialect

PARSE_LIMIT_S: Final = 0.6
"""A parser that has not lost its way needs half of it for the largest file that is read."""

_MATCH_LIMIT: Final = 4_096
"""Matches that a query keeps open at once: bounds memory and time where the text is nonsense; sources need a few dozen."""


_CHUNK: Final = 65_536
"""Bytes (a parser that gets a view of them dies) handed over at once, also for each comparison that a query asks for."""


class Catch(msgspec.Struct, frozen=True):
    """The nodes of each capture of the queries, and whether the source has syntax errors."""

    nodes: dict[str, list[Node]]
    broken: bool


def caught(dialect: Dialect, source: bytes) -> Catch | None:
    """What the language's queries catch in `source`; None where the time was not enough."""
    tree = _parsed(dialect, source)
    if tree is None:
        return None
    root = tree.root_node
    return Catch(QueryCursor(_query(dialect), match_limit=_MATCH_LIMIT).captures(root), root.has_error)


def _parsed(dialect: Dialect, source: bytes) -> Tree | None:
    end = time.monotonic() + PARSE_LIMIT_S
    try:
        return _parser(dialect).parse(
            lambda offset, _: source[offset : offset + _CHUNK], progress_callback=lambda _, __: time.monotonic() >= end
        )
    except ValueError:
        # It was stopped, and would go on where it was.
        _parser(dialect).reset()
        return None


@cache
def _parser(dialect: Dialect) -> Parser:
    return Parser(language(dialect.grammar))


@cache
def _query(dialect: Dialect) -> Query:
    folder = resources.files(__package__) / "queries"
    return Query(language(dialect.grammar), "\n".join((folder / f"{name}.scm").read_text("utf-8") for name in dialect.queries))
