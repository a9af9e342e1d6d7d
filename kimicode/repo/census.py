"""What the paths of a tree say by themselves: how many files in which languages and folders, and which ones a reader looks at first.

What this module does not do: read files, or rank them.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from kimicode.repo.kinds import kind_of
from kimicode.repo.wire import unwired, wired

_DEPTH: Final = 4
_NOTABLE: Final = re.compile(
    r"README(?:\.\w+)?|CONTRIBUTING(?:\.\w+)?|ARCHITECTURE(?:\.\w+)?|AGENTS\.md|Makefile|CMakeLists\.txt|meson\.build|Dockerfile|compose\.ya?ml"
    r"|pyproject\.toml|setup\.(?:py|cfg)|requirements\.txt|package\.json|tsconfig\.json|Cargo\.toml|go\.mod|pom\.xml|build\.gradle(?:\.kts)?"
    r"|Gemfile|composer\.json|Package\.swift|build\.zig|build\.sbt|stack\.yaml|\w+\.(?:cabal|csproj|sln)|manage\.py",
    re.IGNORECASE,
)
_NOTABLE_DEPTH: Final = 1


class Census(msgspec.Struct, frozen=True, array_like=True):
    """`folders`: by folder, four levels deep at most and with "/" at its end, how many files are below. `languages`: how many source
    files. `notable`: files that tell what a project is and how it is built, those at the top first."""

    files: int
    languages: dict[str, int]
    folders: dict[str, int]
    notable: tuple[str, ...]


def census(paths: Iterable[str]) -> Census:
    """Of all files of a tree."""
    return adjusted(Census(0, {}, {}, ()), paths, ())


def adjusted(known: Census, added: Iterable[str], removed: Iterable[str]) -> Census:
    """The census of a tree that differs from the `known` one by these paths."""
    came, went = list(added), list(removed)
    if not came and not went:
        return known
    notable = (set(known.notable) | {path for path in came if is_notable(path)}) - set(went)
    return Census(
        known.files + len(came) - len(went),
        _moved(known.languages, (kind_of(path) for path in came), (kind_of(path) for path in went)),
        _moved(known.folders, _folders(came), _folders(went)),
        tuple(sorted(notable, key=lambda path: (path.count("/"), path))),
    )


def is_notable(path: str) -> bool:
    """Whether a reader who is new looks at the file first."""
    return path.count("/") <= _NOTABLE_DEPTH and _NOTABLE.fullmatch(path.rpartition("/")[2]) is not None


def wired_census(known: Census) -> Census:
    """For keeping."""
    return _mapped(known, wired)


def unwired_census(known: Census) -> Census:
    """As it was before `wired_census`."""
    return _mapped(known, unwired)


def _mapped(known: Census, change: Callable[[str], str]) -> Census:
    folders = {change(folder): number for folder, number in known.folders.items()}
    return Census(known.files, known.languages, folders, tuple(map(change, known.notable)))


def _moved(counts: Mapping[str, int], came: Iterable[str], went: Iterable[str]) -> dict[str, int]:
    moved = Counter(counts)
    moved.update(came)
    moved.subtract(went)
    return {name: number for name, number in sorted(moved.items()) if name and number}


def _folders(paths: Iterable[str]) -> Iterable[str]:
    for path in paths:
        at = -1
        for _ in range(_DEPTH):
            at = path.find("/", at + 1)
            if at < 0:
                break
            yield path[: at + 1]
