"""A change in portions that a model reads in one call: bounded, related files together, the same ones for the same change.

A file that is too large for one call is divided between hunks, and a hunk that is (a new file, say) between lines, where a blank line is
near. A test stands beside what it tests. What this module does not do: read contents.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

import msgspec

from kimicode.review.change import FileChange, Hunk
from kimicode.review.checks.paths import kind_of
from kimicode.review.view import Piece

_TEST_WORDS: Final = re.compile(r"(?:^|[._-])(?:tests?|specs?)(?=[._-]|$)|(?<=[a-z0-9])(?:Tests?|Spec)$|^Test(?=[A-Z])")
_SLACK: Final = 40
"""How far from the limit a blank line may be that a long hunk is cut at."""

_FEW: Final = 8
"""So few changed lines are not worth being torn apart."""

Cost = Callable[[Piece], int]
"""How many bytes a piece takes when it is shown."""


class Limit(msgspec.Struct, frozen=True):
    """What one call may hold: changed lines, and bytes as they are shown."""

    lines: int
    size: int


def make_groups(files: Iterable[FileChange], limit: Limit, cost: Cost) -> tuple[tuple[tuple[Piece, ...], ...], tuple[str, ...]]:
    """The groups, those with more than tests first, and the paths of files that have a part which fits in no call."""
    groups: list[tuple[Piece, ...]] = []
    open_group: list[Piece] = []
    too_large: list[str] = []
    for cluster in _clusters(files):
        pieces = [piece for file in cluster for piece in _pieces(file, limit, cost)]
        fitting = [piece for piece in pieces if cost(piece) <= limit.size]
        too_large += [piece.file.path for piece in pieces if cost(piece) > limit.size]
        if open_group and (not _fits([*open_group, *fitting], limit, cost) or _is_elsewhere(open_group, fitting, limit)):
            groups.append(tuple(open_group))
            open_group = []
        for piece in fitting:
            if open_group and not _fits([*open_group, piece], limit, cost):
                groups.append(tuple(open_group))
                open_group = []
            open_group.append(piece)
    if open_group:
        groups.append(tuple(open_group))
    groups.sort(key=lambda group: all(kind_of(piece.file.path).made_up for piece in group))
    return tuple(groups), tuple(dict.fromkeys(too_large))


def _fits(pieces: Sequence[Piece], limit: Limit, cost: Cost) -> bool:
    return sum(piece.changed for piece in pieces) <= limit.lines and sum(map(cost, pieces)) <= limit.size


def _is_elsewhere(group: Sequence[Piece], pieces: Sequence[Piece], limit: Limit) -> bool:
    """True where `group` is large enough to be left alone, so that another folder's changes don't shift what is cached of this one."""
    if not pieces or sum(piece.changed for piece in group) < limit.lines // 4:
        return False
    return _folder(group[-1].file.path) != _folder(pieces[0].file.path)


def _folder(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _clusters(files: Iterable[FileChange]) -> Iterator[tuple[FileChange, ...]]:
    """Each file with the tests that are called after it; what is called after nothing stands alone."""
    ordered = sorted(files, key=lambda file: file.path)
    tests = {file.path: _stem(file.path) for file in ordered if kind_of(file.path).test}
    sources = [file for file in ordered if file.path not in tests]
    first = {_stem(file.path): file.path for file in reversed(sources)}
    for file in ordered:
        if file.path not in tests:
            mine = (test for test in ordered if first.get(tests.get(test.path, ""), "") == file.path)
            yield (file, *mine)
        elif tests[file.path] not in first:
            yield (file,)


def _stem(path: str) -> str:
    stem = PurePosixPath(path).name.partition(".")[0]
    return _TEST_WORDS.sub("", stem).strip("._-").lower()


def _pieces(file: FileChange, limit: Limit, cost: Cost) -> Iterator[Piece]:
    held: list[Hunk] = []
    for hunk in (part for whole in file.hunks for part in _parts(file, whole, limit, cost)):
        if held and not _fits([Piece(file, (*held, hunk))], limit, cost):
            yield Piece(file, tuple(held))
            held = []
        held.append(hunk)
    if held:
        yield Piece(file, tuple(held))


def _parts(file: FileChange, hunk: Hunk, limit: Limit, cost: Cost) -> Iterator[Hunk]:
    """The hunk in parts that fit in one call each; few lines are not divided, but shown with less around them."""
    changed = sum(line[:1] != " " for line in hunk.lines)
    if _fits([Piece(file, (hunk,))], limit, cost):
        yield hunk
    elif changed <= _FEW:
        yield trimmed(hunk)
    else:
        for part in split_hunk(hunk, min(limit.lines, (changed + 1) // 2)):
            yield from _parts(file, part, limit, cost)


def trimmed(hunk: Hunk) -> Hunk:
    """The hunk with one unchanged line before and after it at most."""
    changed = [at for at, line in enumerate(hunk.lines) if line[:1] != " "]
    first, end = max(0, changed[0] - 1), min(len(hunk.lines), changed[-1] + 2)
    whole = end == len(hunk.lines)
    return _hunk(hunk.old_start + first, hunk.new_start + first, hunk.section, hunk.lines[first:end], hunk.no_newline and whole)


def _hunk(old: int, new: int, section: str, lines: tuple[str, ...], no_newline: bool = False) -> Hunk:
    olds, news = sum(line[:1] != "+" for line in lines), sum(line[:1] != "-" for line in lines)
    return Hunk(old, olds, new, news, section, lines, no_newline)


def split_hunk(hunk: Hunk, most: int) -> Iterator[Hunk]:
    """The hunk in parts of at most `most` changed lines; each of them is a hunk, and together they are the whole."""
    lines, old, new = hunk.lines, hunk.old_start, hunk.new_start
    while sum(line[:1] != " " for line in lines) > most:
        end = _cut(lines, most)
        part, lines = _hunk(old, new, hunk.section, lines[:end]), lines[end:]
        yield part
        old, new = old + part.old_count, new + part.new_count
    if any(line[:1] != " " for line in lines):
        yield _hunk(old, new, hunk.section, lines, hunk.no_newline)


def _cut(lines: Sequence[str], most: int) -> int:
    """Behind how many lines to cut: not above `most` changed ones, behind a blank line where one is near."""
    changed, last = 0, 0
    for at, line in enumerate(lines):
        changed += line[:1] != " "
        if changed > most:
            last = at
            break
    near = (at for at in range(last, max(1, last - _SLACK), -1) if not lines[at - 1][1:].strip())
    return next(near, last)
