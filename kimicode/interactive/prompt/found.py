"""What a search among paths gives, and how one is had without loading its library before the first: a first paint must not wait for it.

What this module does not do: search (`fuzzy` does).
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import msgspec


class Found(msgspec.Struct, frozen=True):
    """A path that fits, its score, and where its matched characters are."""

    path: str
    score: int
    matched: tuple[int, ...]


class Searching(Protocol):
    """Searches some paths; `fuzzy.Finder` is it."""

    def search(self, query: str, limit: int = 50, overtaken: Callable[[], bool] = ...) -> tuple[Found, ...] | None:
        """The best `limit` paths. None where `overtaken` said so on the way."""
        ...


def finder(paths: Sequence[str], recent: Sequence[str] = ()) -> Searching:
    """A `Finder` of `paths`."""
    make = cast("Callable[[Sequence[str], Sequence[str]], Searching]", importlib.import_module("kimicode.interactive.prompt.fuzzy").Finder)
    return make(paths, recent)
