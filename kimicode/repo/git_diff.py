"""A unified diff as files and hunks of text, to be shown in part.

What this module does not do: read what the lines of a hunk say, or diffs of another form than `Reader.diff` gives.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import msgspec

_START: Final = re.compile(rb"^diff --git ", re.MULTILINE)
_HUNK: Final = re.compile(rb"^@@ ", re.MULTILINE)
_FACT: Final = re.compile(
    r"(old mode|new mode|deleted file mode|new file mode|rename from|rename to|copy from|copy to|---|\+\+\+|Binary files) (.*)"
)
_ESCAPE: Final = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_CONTROL: Final = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}


class FileDiff(msgspec.Struct, frozen=True):
    """What changed of one file. `origin` is the earlier path of what was renamed or copied, `notes` what changed beside lines, in words;
    each hunk is its text, header first, without a line end. Bytes that are not UTF-8 are replaced in hunks, kept in paths as `os` does."""

    path: str
    origin: str = ""
    notes: tuple[str, ...] = ()
    hunks: tuple[str, ...] = ()

    @property
    def added(self) -> int:
        """How many lines came."""
        return self._count("+")

    @property
    def removed(self) -> int:
        """How many lines went."""
        return self._count("-")

    def _count(self, mark: str) -> int:
        return sum(line.startswith(mark) for hunk in self.hunks for line in hunk.split("\n")[1:])


def split_diff(diff: bytes) -> tuple[FileDiff, ...]:
    """The files of a diff, in its order."""
    starts = [found.start() for found in _START.finditer(diff)]
    return tuple(_file(diff[start:end]) for start, end in pairwise([*starts, len(diff)]))


def _file(text: bytes) -> FileDiff:
    starts = [found.start() for found in _HUNK.finditer(text)]
    head = text[: starts[0]] if starts else text
    facts = {found[1]: found[2] for line in _lines(head) if (found := _FACT.match(line))}
    hunks = tuple(text[start:end].decode("utf-8", "replace").removesuffix("\n") for start, end in pairwise([*starts, len(text)]))
    old, new = paths_of(_lines(head)[0], facts)
    moved = "rename from" in facts or "copy from" in facts
    return FileDiff(new, old if moved else "", _notes(facts, old), hunks)


def _notes(facts: dict[str, str], old: str) -> tuple[str, ...]:
    notes = []
    if "new file mode" in facts:
        notes.append("new executable" if facts["new file mode"] == "100755" else "new")
    if "deleted file mode" in facts:
        notes.append("deleted")
    for kind, verb in (("rename from", "renamed"), ("copy from", "copied")):
        if kind in facts:
            notes.append(f"{verb} from {old}")
    if "old mode" in facts:
        notes.append(f"mode {facts['old mode']} → {facts['new mode']}")
    if "Binary files" in facts:
        notes.append("binary")
    return tuple(notes)


def paths_of(first: str, facts: Mapping[str, str]) -> tuple[str, str]:
    """The old and the new path of a file, from the first line about it and the others by their first words (`rename from`, `---`)."""
    for before, after in (("rename from", "rename to"), ("copy from", "copy to")):
        if before in facts:
            return _unquoted(facts[before]), _unquoted(facts[after])
    named = (_unquoted(facts[key].removesuffix("\t")) for key in ("+++", "---") if key in facts)
    path = next((name[2:] for name in named if name != "/dev/null"), None)
    if path is None:
        # Only the mode changed, or it is binary: both halves of the first line are the same but for their prefix.
        both = first.removeprefix("diff --git ")
        path = _unquoted(both[: len(both) // 2])[2:]
    return path, path


def _unquoted(text: str) -> str:
    """A path as git spells it where it holds quotes, control characters or other bytes than ASCII."""
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    plain = _ESCAPE.sub(_unescaped, text[1:-1].encode("utf-8", "surrogateescape"))
    return plain.decode("utf-8", "surrogateescape")


def _unescaped(found: re.Match[bytes]) -> bytes:
    code: bytes = found[1]
    return bytes([int(code, 8)]) if len(code) == 3 else _CONTROL.get(code, code)


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogateescape").split("\n")
