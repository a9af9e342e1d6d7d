"""Ids of tool calls: `functions.NAME:INDEX`, with an index that counts through the conversation. Pure.

An id stays as the model wrote it where it has that form and is new to the conversation, so that the next prompt repeats the model's own
tokens; any other id is replaced by one of that form with the next free index.
What this module does not do: check that a tool of that name exists.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

from engine.parse import CallBegun

_KIMI_ID: Final = re.compile(r"functions\.[^<>\s:]+:(\d{1,9})")


class CallIds:
    """Ids for the calls of one answer, none of which is in `taken`."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._next = first_index(self._taken)

    def give(self, call: CallBegun) -> str:
        """The id under which `call` goes out."""
        call_id = call.id
        if _KIMI_ID.fullmatch(call_id) is None or call_id in self._taken:
            call_id = f"functions.{call.name}:{self._next}"
        self._taken.add(call_id)
        self._next = max(self._next, _index(call_id) + 1)
        return call_id


def first_index(taken: Collection[str]) -> int:
    """The index of the next call in a conversation whose calls had the ids `taken`."""
    return max(len(taken), 1 + max(map(_index, taken), default=-1))


def _index(call_id: str) -> int:
    found = _KIMI_ID.fullmatch(call_id)
    return int(found[1]) if found else -1
