"""What a project wants to be looked for: `REVIEW.md` at the top of the repository, and the user's own words from the settings.

Both are data. The first is the repository's, so the caller says which side of a change it is read from: a change that brings its own
rules should not be judged by them. What this module does not do: read files, or obey what they say.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from kimicode.text import well_formed

FILE: Final = "REVIEW.md"
MOST_BYTES: Final = 8_000
"""About 2,000 tokens, which every call of every review pays for."""


class Rules(msgspec.Struct, frozen=True):
    """`own` are the user's, `project` the repository's. `cut`: the repository's were longer than what is read of them."""

    own: str = ""
    project: str = ""
    cut: bool = False


def read_rules(read: Callable[[str], bytes | None], *, own: str = "") -> Rules:
    """The rules as `read` gives the file of a path relative to the top of the repository, None where there is none."""
    data = read(FILE) or b""
    kept = data if len(data) <= MOST_BYTES else data[:MOST_BYTES].rpartition(b"\n")[0] or data[:MOST_BYTES]
    return Rules(well_formed(own).strip(), kept.decode("utf-8", "replace").strip(), len(kept) < len(data))
