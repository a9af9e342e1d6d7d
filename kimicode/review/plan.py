"""A review planned before a model is asked: which calls there would be, with what text, and under which name each answer is kept.

All of it follows from the change, the order and what the model is; the same again gives the same plan.
What this module does not do: ask.
"""

from collections.abc import Iterable, Mapping, Sequence
from string import Template
from typing import Final, TypeAlias

import msgspec

from kimicode.errors import ToolError
from kimicode.messages import Message, System, User
from kimicode.model.client import ModelInfo
from kimicode.review.answer import FINDINGS, VERDICTS
from kimicode.review.blocks import BARE, NARROW, USUAL
from kimicode.review.cache import key_of
from kimicode.review.change import Change, Contents, FileChange, Hunk
from kimicode.review.finding import Finding
from kimicode.review.groups import Limit, make_groups
from kimicode.review.order import Order
from kimicode.review.report import Omission
from kimicode.review.rules import FILE, MOST_BYTES, Rules
from kimicode.review.triage import triage
from kimicode.review.view import Piece, View, inert, view
from prompts import load

_VERSION: Final = "1"
"""Raised where the meaning of kept answers changes without any of the texts doing so."""

_BYTES_PER_TOKEN: Final = 1.5
"""Fewer than a small vocabulary needs for code (kimi-nano's: 1.7), so that what is planned fits."""

_ANSWER_SHARE: Final = 8
_LEAST_ROOM: Final = 600
Words: TypeAlias = Mapping[str, str]
"""Prompt texts by name."""

_PROMPTS: Final = ("review", "review/rules", "review/find", "review/refute", "review/again")


def load_words() -> dict[str, str]:
    """The texts that a review says to a model, by name."""
    return {name: load(name).text for name in _PROMPTS}


def opening(rules: Rules, words: Words) -> tuple[Message, ...]:
    """What comes first in every call for these rules, whatever is reviewed."""
    project = "\n".join(f"| {inert(line)}" for line in (rules.project or "The project has no rules of its own.").split("\n"))
    filled = Template(words["review/rules"]).substitute(own=rules.own or "The user adds nothing.", project=project)
    return System(words["review"]), User(filled)


class Group(msgspec.Struct, frozen=True):
    """What one call looks at."""

    views: tuple[View, ...]
    key: str

    @property
    def paths(self) -> tuple[str, ...]:
        """The files of the group."""
        return tuple(dict.fromkeys(each.piece.file.path for each in self.views))

    @property
    def hunks(self) -> tuple[tuple[str, Hunk], ...]:
        """All hunks with their paths."""
        return tuple((each.piece.file.path, hunk) for each in self.views for hunk in each.piece.hunks)

    @property
    def shown(self) -> str:
        """The block of code that the model reads."""
        return "\n".join(("<change>", *(each.text for each in self.views), "</change>"))


class Plan(msgspec.Struct, frozen=True):
    """The calls, and what no call looks at. `opening` is what all calls begin with, and `name` a short name for that."""

    groups: tuple[Group, ...]
    omissions: tuple[Omission, ...]
    opening: tuple[Message, ...] = ()
    name: str = ""


def plan(change: Change, contents: Contents, order: Order, info: ModelInfo, found: Iterable[Finding], words: Words) -> Plan:
    """The plan of a review by the model `info`. Lines on which the checks `found` a secret are not shown."""
    files, omissions = triage(change, contents, order)
    first = opening(order.rules, words)
    masked = _secrets(found)
    room = _room(info, first, words, order)
    if room < _LEAST_ROOM:
        detail = f"{info.model} has {info.context:,} tokens of context, which holds no more than the rules."
        return Plan((), (*omissions, Omission("too large", tuple(file.path for file in files), detail)))
    shower = _Shower(contents, masked, order.bounds.content_bytes)
    made, large = make_groups(files, Limit(order.bounds.group_lines, room), shower.size)
    if large:
        omissions = (*omissions, Omission("too large", large, f"A part of these files does not fit in one call to {info.model}."))
    if order.rules.cut:
        omissions = (*omissions, Omission("skipped", (FILE,), f"Only the first {MOST_BYTES:,} bytes of {FILE} count."))
    common = _common(order, info, first, words)
    groups = tuple(_group(shower.views(pieces, room), common) for pieces in made)
    return Plan(groups, omissions, first, key_of(common)[:16])


class _Shower:
    """Shows pieces with as much around them as there is room for. Contents are read once; one that can't be read is done without."""

    def __init__(self, contents: Contents, masked: Mapping[str, frozenset[int]], most: int) -> None:
        self._contents = contents
        self._masked = masked
        self._most = most
        self._known: dict[str, bytes | None] = {}
        self._sizes: dict[tuple[str, Hunk], int] = {}

    def views(self, pieces: Sequence[Piece], room: int) -> tuple[View, ...]:
        """The widest form that fits."""
        for shape in (USUAL, NARROW):
            shown = tuple(view(each, self._content(each), shape, self._masked.get(each.file.path, ())) for each in pieces)
            if _size(shown) <= room:
                return shown
        return self._bare(pieces)

    def size(self, piece: Piece) -> int:
        """How many bytes the narrowest form takes at most. Asked for the same hunks again and again while groups are made."""
        return sum(self._size(piece.file, hunk) for hunk in piece.hunks)

    def _size(self, file: FileChange, hunk: Hunk) -> int:
        key = (file.path, hunk)
        if key not in self._sizes:
            self._sizes[key] = _size(self._bare((Piece(file, (hunk,)),)))
        return self._sizes[key]

    def _bare(self, pieces: Sequence[Piece]) -> tuple[View, ...]:
        return tuple(view(each, None, BARE, self._masked.get(each.file.path, ())) for each in pieces)

    def _content(self, piece: Piece) -> bytes | None:
        path = piece.file.path
        if path not in self._known:
            try:
                content = self._contents.new(piece.file)
            except ToolError:
                content = None
            self._known[path] = content if content is not None and len(content) <= self._most else None
        return self._known[path]


def _size(views: Iterable[View]) -> int:
    return sum(len(each.text.encode("utf-8", "replace")) for each in views)


def _secrets(found: Iterable[Finding]) -> dict[str, frozenset[int]]:
    lines: dict[str, frozenset[int]] = {}
    for each in found:
        if each.rule.partition("/")[0] == "secret":
            lines[each.path] = lines.get(each.path, frozenset()) | frozenset(range(each.line, each.end_line + 1))
    return lines


def most_tokens(info: ModelInfo, *, thinking: bool) -> int:
    """The output limit of one call."""
    return max(1, min(24_000 if thinking else 4_000, info.context // _ANSWER_SHARE))


def _room(info: ModelInfo, first: Sequence[Message], words: Words, order: Order) -> int:
    """Bytes of shown code that fit in one call beside everything else: the second pass holds the first one's findings too."""
    fixed = sum(len(each.content.encode("utf-8", "replace")) for each in first if isinstance(each, System | User))
    fixed += max(len(words[name]) for name in ("review/find", "review/refute"))
    answers = most_tokens(info, thinking=order.effort != "low") + most_tokens(info, thinking=False)
    return min(order.bounds.group_bytes, int((info.context - answers) * _BYTES_PER_TOKEN) - fixed)


def _common(order: Order, info: ModelInfo, first: Sequence[Message], words: Words) -> tuple[str, ...]:
    """What an answer depends on beside the code."""
    said = msgspec.json.encode([first, words, FINDINGS, VERDICTS]).decode()
    return _VERSION, info.model, info.endpoint, order.effort, said


def _group(views: tuple[View, ...], common: Sequence[str]) -> Group:
    paths = (each.piece.file.path for each in views)
    return Group(views, key_of((*common, *paths, *(each.identity for each in views))))
