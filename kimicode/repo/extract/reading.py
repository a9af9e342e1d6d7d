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
from kimicode.repo.extract.macros import without_macros

PARSE_LIMIT_S: Final = 0.7
"""Of the processor, not of the clock: a busy machine finds the same. A parser that has not lost its way needs half of it for the largest
file that is read."""

_MATCH_LIMIT: Final = 4_096
"""Matches that a query keeps open at once: bounds memory and time where the text is nonsense; sources need a few dozen."""


_MAX_DEPTH: Final = 400
"""Nodes deeper in the tree are not matched: to step to one costs as much as it is deep. Sources have some dozens of levels; in a chain of
calls or operators longer than this the far end is not seen."""

_WIDE: Final = 15_000

QUERY_LIMIT_S: Final = 0.5
"""Of the processor."""

_WINDOW: Final = 65_536
"""Bytes that are queried without a look at the clock. What reaches over several windows is caught in each."""

_CHUNK: Final = 65_536
"""Bytes (a parser that gets a view of them dies) handed over at once, also for each comparison that a query asks for."""


class Catch(msgspec.Struct, frozen=True):
    """The nodes of each capture of the queries, and whether the source has syntax errors."""

    nodes: dict[str, list[Node]]
    broken: bool


def caught(dialect: Dialect, source: bytes) -> Catch | None:
    """What the language's queries catch in `source`; None where the time was not enough."""
    tree = _parsed(dialect, without_macros(source) if dialect.macros else source)
    if tree is None:
        return None
    nodes = None if _is_wide(tree.root_node) else _captures(dialect, tree.root_node, len(source))
    return Catch(nodes, tree.root_node.has_error) if nodes is not None else None


def _is_wide(root: Node) -> bool:
    """True where a node has so many tokens, one after the other, that a query would need seconds: to pass one it looks at all that follow
    until there is something with a name. That is never source, but what a parser makes of thousands of brackets."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.child_count - node.named_child_count > _WIDE and node.named_child_count < node.child_count // 4:
            return True
        stack += [child for child in node.children if child.descendant_count > _WIDE] if node.descendant_count > _WIDE else ()
    return False


def _captures(dialect: Dialect, root: Node, size: int) -> dict[str, list[Node]] | None:
    cursor = QueryCursor(_query(dialect), match_limit=_MATCH_LIMIT)
    cursor.set_max_start_depth(_MAX_DEPTH)
    if size <= 2 * _WINDOW:
        return cursor.captures(root)
    end = time.thread_time() + QUERY_LIMIT_S
    nodes: dict[str, list[Node]] = {}
    for start in range(0, size, _WINDOW):
        cursor.set_byte_range(start, start + _WINDOW)
        for name, found in cursor.captures(root).items():
            nodes.setdefault(name, []).extend(found)
        if time.thread_time() >= end:
            return None
    return nodes


def _parsed(dialect: Dialect, source: bytes) -> Tree | None:
    end = time.thread_time() + PARSE_LIMIT_S
    try:
        return _parser(dialect).parse(
            lambda offset, _: source[offset : offset + _CHUNK], progress_callback=lambda _, __: time.thread_time() >= end
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
