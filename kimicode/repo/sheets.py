"""The files that may come into a map, as sheets to choose lines from. Those of a counted tree's most important files are kept.

What this module does not do: rank, or choose.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

import msgspec

from kimicode.repo.choose import Sheet
from kimicode.repo.focus import Focus
from kimicode.repo.index import Index
from kimicode.repo.lines import Lines
from kimicode.repo.outline import INDENT, Unit, one_line, outline
from kimicode.repo.rank import Ranking
from kimicode.repo.rank_keep import Kept
from kimicode.repo.tree import Tree, TreeFile
from kimicode.repo.wire import unwired, wired

_KIND: Final = "map-sheets-2"
_CHUNK: Final = 100
_MOST_NOTABLE: Final = 8
_WHOLE: Final = 16
"""The weight of a class or a function."""


class _File(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is kept of a file: its path, wired, tokens of its line and its folder's, its outline, and what the names were worth."""

    path: str
    line_tokens: int
    folder_tokens: int
    units: tuple[Unit, ...]
    values: tuple[int, ...]


_FILES: Final = msgspec.msgpack.Decoder(tuple[_File, ...])


def file_line(path: str) -> str:
    """The line of a file in its folder."""
    return INDENT + one_line(path.rpartition("/")[2]) + "\n"


def folder_line(path: str) -> str:
    """The line of the folder that a file is in."""
    return (one_line(path.rpartition("/")[0]) or ".") + "/\n"


def sheets(index: Index, tree: Tree, kept: Kept, focus: Focus, most: int, show: Callable[[str], bool], lines: Lines) -> list[Sheet]:
    """Of the files that come first, about `most`, and of those that the focus names, by path; without what must not be shown."""
    ranking = kept.ranking
    first = list(islice((place for place in ranking.order() if focus.allows(ranking.paths[place]) and show(ranking.paths[place])), most))
    notable = [path for path in ranking.census.notable if focus.allows(path) and show(path)][:_MOST_NOTABLE]
    wanted = {ranking.paths[place]: place for place in first}
    others = [path for path in (*notable, *focus.files) if path not in wanted and _file(tree, path) and show(path)]
    wanted.update((path, place) for path in others if (place := ranking.place(path)) is not None)
    files = _kept_files(index, kept, most)
    before = {unit.text: unit.tokens for path in kept.changed & files.keys() for unit in files.pop(path).units}
    fresh = [path for path in wanted if path not in files]
    files.update((unwired(each.path), each) for each in _made(index, tree, ranking, fresh, lines, before))
    boost = {path: (2 << 60) // (1 + nth) for nth, path in enumerate(notable)}
    return [_sheet(path, files[path], wanted[path], ranking, focus, boost.get(path, 0)) for path in sorted(wanted)]


def _sheet(path: str, file: _File, place: int, ranking: Ranking, focus: Focus, notable: int) -> Sheet:
    moved = ranking.moved
    values = tuple(_now(moved, unit, value) for unit, value in zip(file.units, file.values, strict=True)) if moved else file.values
    inside = focus.inside.get(path, 0)
    extra = tuple(_extra(unit, inside, focus) for unit in file.units) if inside or focus.names or focus.used else ()
    first = max(notable, focus.files.get(path, 0))
    tokens = (file.line_tokens, file.folder_tokens)
    return Sheet(path, ranking.worth(place), ranking.factor(place), *tokens, file.units, values, extra, first)


def _extra(unit: Unit, inside: int, focus: Focus) -> int:
    used = 0 if unit.inner else focus.used.get(unit.name, 0)
    return max(inside // _WHOLE * unit.weight, focus.names.get(unit.name, 0), used)


def _now(moved: Mapping[int, tuple[int, int]], unit: Unit, value: int) -> int:
    return moved[unit.name][unit.inner] if unit.name in moved else value


def _kept_files(index: Index, kept: Kept, most: int) -> dict[str, _File]:
    """Those of the counted tree's most important files whose sheets are kept."""
    found: dict[str, _File] = {}
    for number in range((most + _CHUNK - 1) // _CHUNK if kept.name else 0):
        data = index.kept(_KIND, f"{kept.name}:{number}")
        if data is None:
            break
        with suppress(msgspec.DecodeError):
            found.update((unwired(each.path), each) for each in _FILES.decode(data))
    return found


def keep_sheets(index: Index, tree: Tree, kept: Kept, most: int, lines: Lines) -> None:
    """Keep what a later map needs, of `tree`, which is the counted one, for its `most` first files."""
    order = kept.ranking.order()
    for number in range((most + _CHUNK - 1) // _CHUNK):
        paths = [kept.ranking.paths[place] for place in islice(order, _CHUNK)]
        name = f"{kept.name}:{number}"
        if index.kept(_KIND, name) is None:
            index.keep({name: msgspec.msgpack.encode(_made(index, tree, kept.ranking, paths, lines))}, kind=_KIND)


def _file(tree: Tree, path: str) -> TreeFile | None:
    """One file of a large tree, without a table of all."""
    at = bisect_left(tree.files, path, key=lambda file: file.path)
    return tree.files[at] if at < len(tree.files) and tree.files[at].path == path else None


def _made(
    index: Index, tree: Tree, ranking: Ranking, paths: Sequence[str], lines: Lines, before: Mapping[str, int] | None = None
) -> Iterable[_File]:
    symbols = index.symbols_of(file for path in paths if (file := _file(tree, path)) is not None) if paths else {}
    made = []
    for path in paths:
        units = outline(symbols[path], before) if path in symbols else ()
        values = tuple(ranking.values(unit.name)[unit.inner] for unit in units)
        made.append(_File(wired(path), lines.count(file_line(path)), lines.count(folder_line(path)), units, values))
    return made
