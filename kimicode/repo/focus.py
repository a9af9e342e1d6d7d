"""What a map is asked to turn to: files, names and folders; and what in the tree they are connected with.

What this module does not do: rank the rest of the tree, or choose lines.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from kimicode.repo.census import Census
from kimicode.repo.digest import Numbers, digest, family, name_of
from kimicode.repo.index import Index
from kimicode.repo.rank import Ranking
from kimicode.repo.rank_table import Row
from kimicode.repo.tree import Tree

_TOP: Final = 1 << 60
_FADE: Final = 8
_MOST_DEFINERS: Final = 3
"""Names that more files define say nothing about where one of them is used."""

_MOST_NAMED: Final = 40
_MOST_FILES: Final = 60
_MOST_USERS: Final = 20


class Focus(msgspec.Struct, frozen=True):
    """`files` by path have a boost for their own line, `names` by number one for their definitions, `used` for those outside of classes,
    `inside` by path for all lines of a file.

    `folders`, with "/" at their ends: nothing else is shown, but for `files`; empty: no limit. `unknown` is what nothing fits.
    """

    folders: tuple[str, ...] = ()
    files: Mapping[str, int] = {}
    names: Mapping[int, int] = {}
    used: Mapping[int, int] = {}
    inside: Mapping[str, int] = {}
    unknown: tuple[str, ...] = ()

    def allows(self, path: str) -> bool:
        """Whether a file may be shown."""
        return not self.folders or path.startswith(self.folders) or path in self.files


def turn(asked: Sequence[str], tree: Tree, index: Index, ranking: Ranking, show: Callable[[str], bool]) -> Focus:
    """The focus for `asked`: paths of files and of folders, and names. What must not be shown is unknown."""
    folders, files, names, unknown = [], [], [], []
    for each in dict.fromkeys(asked):
        path = each.strip().removeprefix("./").rstrip("/")
        if path in {"", "."}:
            continue
        if path in tree.by_path and show(path):
            files.append(path)
        elif _is_folder(f"{path}/", tree, ranking.census) and show(path):
            folders.append(f"{path}/")
        elif numbers := _numbers(path, ranking, show):
            names += numbers
        else:
            unknown.append(each)
    return _connected(Focus(tuple(folders), unknown=tuple(unknown)), files, names, tree, index, ranking)


def _is_folder(path: str, tree: Tree, known: Census) -> bool:
    return path in known.folders or any(file.path.startswith(path) for file in tree.files)


def _numbers(text: str, ranking: Ranking, show: Callable[[str], bool]) -> list[int]:
    """The name at the end of `text`, `Class.method` or `module::name`, in each family of languages that defines it."""
    name = text.replace("::", ".").replace("#", ".").rpartition(".")[2]
    numbers = [name_of(each, name) for each in sorted({family(language) for language in ranking.census.languages})]
    return [number for number in numbers if any(show(path) for path in _paths(ranking, ranking.row(number).definers))]


def _connected(focus: Focus, files: list[str], names: list[int], tree: Tree, index: Index, ranking: Ranking) -> Focus:
    used: dict[int, int] = {}
    at_files: dict[str, int] = {}
    for number in names[:_MOST_NAMED]:
        row = ranking.row(number)
        for path in _paths(ranking, row.definers)[:_MOST_FILES]:
            at_files.setdefault(path, _TOP)
        for nth, path in enumerate(_paths(ranking, row.users)[:_MOST_FILES]):
            at_files.setdefault(path, _TOP // 4 * _FADE // (_FADE + nth))
    inside = dict.fromkeys(files, _TOP)
    at_files.update((path, 2 * _TOP) for path in files)
    symbols = index.symbols_of(tree.by_path[path] for path in files)
    for path, each in sorted(symbols.items()):
        own = digest(path, each, Numbers())
        for number, boost in _used(own.uses, ranking):
            used[number] = max(boost, used.get(number, 0))
            at_files.update((other, at_files.get(other, 0)) for other in _paths(ranking, ranking.row(number).definers))
        for nth, other in enumerate(_users(own.defines, ranking)):
            at_files.setdefault(other, _TOP // 4 * _FADE // (_FADE + nth))
    return msgspec.structs.replace(focus, files=at_files, names=dict.fromkeys(names, 2 * _TOP), used=used, inside=inside)


def _used(uses: Mapping[int, int], ranking: Ranking) -> Iterable[tuple[int, int]]:
    """What a file uses of others, with a boost: much for names that few define, none for mere members, which could be anybody's."""
    rows = {number: ranking.row(number) for number in uses}
    few = [number for number, row in rows.items() if 0 < len(row.definers) <= _MOST_DEFINERS and not all(row.definers.values())]
    few.sort(key=lambda number: (len(rows[number].definers), -uses[number], -ranking.values(number)[0], number))
    for nth, number in enumerate(few[:_MOST_FILES]):
        yield number, _TOP // (2 * len(rows[number].definers)) * _FADE // (_FADE + nth)


def _users(defines: Mapping[int, bool], ranking: Ranking) -> list[str]:
    """The files that use most of what a file alone defines, for all to use."""
    counts: Counter[int] = Counter()
    for number, inner in defines.items():
        row = Row() if inner else ranking.row(number)
        if len(row.definers) == 1:
            counts.update(row.users)
    ranked = sorted(counts, key=lambda place: (-counts[place], ranking.paths[place]))
    return [ranking.paths[place] for place in ranked[:_MOST_USERS]]


def _paths(ranking: Ranking, places: Iterable[int]) -> list[str]:
    return sorted(ranking.paths[place] for place in places)
