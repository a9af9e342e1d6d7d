"""Choosing by number, in pure steps: what of a long list is shown, and what an answer means.

What this module does not do: ask or print.
"""

from typing import Final, TypeAlias

import msgspec

from kimicode.interactive.person import Menu, Option
from kimicode.line.words import Line, count, flat

AT_ONCE: Final = 20
"""Options that are read out before somebody asks for more."""


class Listing(msgspec.Struct, frozen=True):
    """What of a menu is on offer: the options that fit the filter, by index, and how many of them have been shown."""

    fitting: tuple[int, ...]
    start: int = 0

    @property
    def shown(self) -> tuple[int, ...]:
        """Those that are shown now."""
        return self.fitting[self.start : self.start + AT_ONCE]

    @property
    def left(self) -> int:
        """How many come after them."""
        return max(0, len(self.fitting) - self.start - AT_ONCE)


class Chosen(msgspec.Struct, frozen=True):
    """One option, or none."""

    index: int | None


class Look(msgspec.Struct, frozen=True):
    """More about one option is wanted."""

    index: int


class Again(msgspec.Struct, frozen=True):
    """Ask again, with another listing or after a word."""

    listing: Listing
    words: str = ""


Move: TypeAlias = Chosen | Look | Again


def opened(menu: Menu) -> Listing:
    """The listing at the start."""
    return Listing(tuple(range(len(menu.options))))


def listing_lines(menu: Menu, listing: Listing) -> tuple[Line, ...]:
    """The options that are shown, with their numbers, and what else can be answered."""
    lines = [Line(_option(index, menu.options[index])) for index in listing.shown]
    if listing.left:
        lines.append(Line(f"{count(listing.left, 'more option')}: answer more, or /text for those with text in them."))
    return tuple(lines)


def asked_for(menu: Menu) -> str:
    """What stands before the answer."""
    look = ", ? and a number to hear more" if menu.preview else ""
    return f"Number or name{look}, Enter for none:"


def move(menu: Menu, listing: Listing, said: str) -> Move:
    """What an answer means."""
    word = said.strip()
    low = word.casefold()
    if not word:
        return Chosen(None)
    if low == "more":
        return Again(Listing(listing.fitting, listing.start + AT_ONCE)) if listing.left else Again(listing, "That was all.")
    if word.startswith("/"):
        return _filtered(menu, listing, low[1:].strip())
    if word.startswith("?"):
        return _looked(menu, listing, word[1:].strip())
    if word.isdecimal():
        index = _numbered(menu, word)
        return Chosen(index) if index is not None else Again(listing, f"There is no number {flat(word)}.")
    by_key = [index for index, option in enumerate(menu.options) if option.key and option.key.casefold() == low]
    if len(by_key) == 1:
        return Chosen(by_key[0])
    return _named(menu, listing, low)


def _option(index: int, option: Option) -> str:
    detail = f", {flat(option.detail)}" if option.detail and option.detail != f"{index + 1}." else ""
    return f"{index + 1}. {flat(option.label)}{detail}{', in force now' if option.current else ''}"


def _numbered(menu: Menu, word: str) -> int | None:
    number = int(word) if len(word) < 10 else 0
    return number - 1 if 1 <= number <= len(menu.options) else None


def _filtered(menu: Menu, listing: Listing, text: str) -> Again:
    fitting = tuple(i for i, option in enumerate(menu.options) if text in f"{option.label} {option.detail}".casefold())
    return Again(Listing(fitting), count(len(fitting), "option")) if fitting else Again(listing, f"Nothing has {flat(text)} in it.")


def _looked(menu: Menu, listing: Listing, word: str) -> Move:
    index = _numbered(menu, word) if word.isdecimal() else None
    if menu.preview is None:
        return Again(listing, "There is no more to hear about these.")
    return Look(index) if index is not None else Again(listing, "Say which: ? and its number.")


def _named(menu: Menu, listing: Listing, low: str) -> Move:
    labels = [option.label.casefold() for option in menu.options]
    exact = [index for index, label in enumerate(labels) if label == low]
    fitting = exact or [index for index, label in enumerate(labels) if label.startswith(low)]
    if len(fitting) == 1:
        return Chosen(fitting[0])
    if not fitting:
        return Again(listing, f"Nothing here is named {flat(low, 60)}.")
    return Again(Listing(tuple(fitting)), f"{len(fitting)} of them begin so.")
