"""The table of verdicts as values."""

import re
from pathlib import Path

import msgspec

_SIGNS = {"␤": "\n", "␍": "\r", "␀": "\0"}


class Row(msgspec.Struct, frozen=True):
    expected: str
    command: str


def rows() -> list[Row]:
    lines = (Path(__file__).parent / "verdicts.txt").read_text("utf-8").split("\n")
    return [Row(line[:3], _decoded(line[4:])) for line in lines if line and not line.startswith("#")]


def _decoded(text: str) -> str:
    text = re.sub("⟪([0-9A-F]+)⟫", lambda found: chr(int(found[1], 16)), text)
    return re.sub("[␤␍␀]", lambda found: _SIGNS[found[0]], text)
