"""How many tokens lines have that differ from map to map by a number: remembered, so that a map needs no vocabulary to say another number.

What this module does not do: count (`tokens`).
"""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from kimicode.repo.index import Index
from kimicode.tokens import count

_KIND: Final = "map-lines-1"
_DIGITS: Final = re.compile(r"[0-9]")
_MOST: Final = 2_000
_COUNTS: Final = msgspec.msgpack.Decoder(dict[str, int])


class Lines:
    """For one workspace. Up to three digits are one token of K2.6, whichever: lines that differ in digits alone count as much."""

    def __init__(self, index: Index, root: Path) -> None:
        self._index = index
        self._name = os.fsencode(root).hex()
        data = index.kept(_KIND, self._name)
        self._known: dict[str, int] = {}
        self._fresh = False
        with suppress(msgspec.DecodeError):
            self._known = {} if data is None else _COUNTS.decode(data)

    def count(self, line: str) -> int:
        """The tokens of a line with its end."""
        shape = _DIGITS.sub("1", line)
        if shape not in self._known:
            self._known[shape] = count(shape)
            self._fresh = True
        return self._known[shape]

    def keep(self) -> None:
        """Remember for other processes what was counted."""
        if self._fresh:
            known = self._known if len(self._known) <= _MOST else {}
            self._index.keep({self._name: msgspec.msgpack.encode(known)}, kind=_KIND)
