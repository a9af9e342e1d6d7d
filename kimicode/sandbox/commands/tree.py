"""A second opinion: where tree-sitter's grammar of bash sees commands begin.

Two readers with different bugs must agree before a command is believed. What this module does not do: say what a command is.
"""

from typing import Final

import msgspec
import tree_sitter_bash
from tree_sitter import Language, Node, Parser

_NAMED: Final = frozenset({"command", "declaration_command", "unset_command", "test_command"})


class Opinion(msgspec.Struct, frozen=True):
    """`begins` are the places of command names, in characters; `sound` is false where the grammar did not fit."""

    begins: frozenset[int]
    sound: bool


def second_opinion(text: str) -> Opinion:
    """What the grammar says of `text`. Takes time linear in its length, which `analysis` limits."""
    data = text.encode()
    # Built anew each time: it costs microseconds, and nothing is created at import.
    tree = Parser(Language(tree_sitter_bash.language())).parse(data)
    if tree.root_node.has_error:
        return Opinion(frozenset(), sound=False)
    begins: set[int] = set()
    waiting = [tree.root_node]
    while waiting:
        node = waiting.pop()
        if node.is_missing:
            return Opinion(frozenset(), sound=False)
        if node.type in _NAMED:
            begins |= _begin(node, data)
        waiting += node.children
    places = begins if text.isascii() else {len(data[:place].decode()) for place in begins}
    return Opinion(frozenset(places), sound=True)


def _begin(node: Node, data: bytes) -> set[int]:
    if node.type == "command":
        name = node.child_by_field_name("name")
        return {name.start_byte} if name is not None else set()
    if node.type == "test_command" and data.startswith(b"((", node.start_byte):
        return set()
    return {node.start_byte}
