"""In which order files are read, when there may not be time for all: first what a question is most likely about.

Pure. What this module does not do: rank symbols.
"""

import random
import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from kimicode.repo.reading import Wanted

_FOREIGN: Final = re.compile(
    rb"(?:^|/)(?:vendor|third[_-]?party|node_modules|external|extern|deps|dist|build|generated|\.\w+)/", re.IGNORECASE
)
_TEST: Final = re.compile(
    rb"(?:^|/)(?:tests?|testing|spec|fixtures?|testdata|examples?|benchmarks?|docs?)/|[._-]tests?\.|(?:^|/)test_", re.IGNORECASE
)


def in_order(wanted: Sequence[Wanted], changed: AbstractSet[str]) -> list[Wanted]:
    """What somebody works on comes first, then the project's own source, its tests, what it took from elsewhere; high up before deep down.

    `changed` are paths that differ from what is committed.
    """
    return sorted(wanted, key=lambda each: (each.path not in changed, _distance(each.raw), each.raw.count(b"/"), each.raw))


def scattered(wanted: Sequence[Wanted]) -> list[Wanted]:
    """In an order of its own, for a process that isn't the first to read these files."""
    return random.sample(wanted, len(wanted))


def _distance(path: bytes) -> int:
    return 2 if _FOREIGN.search(path) else 1 if _TEST.search(path) else 0
