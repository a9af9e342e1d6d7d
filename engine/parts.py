"""All parts of a model that lies in several files, as llama.cpp's `gguf-split` writes them: `NAME-00001-of-00014.gguf` and so on.

The first part's header has the model's metadata and `split.count`, each part `split.no` (from 0) and its own tensors. What this module
does not do: judge the model (`engine.gguf.refusal` and `engine.describe` do).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.gguf import Header, TensorInfo, read_header

_NAME: Final = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """One file of a model that is there."""

    path: Path
    header: Header


@dataclass(frozen=True)
class Parts:
    """The files of a model: those that are there in order, and those that are not. `files` is never empty. `problem` is what is wrong
    with the set and what to do, or None where it is whole.
    """

    files: tuple[Part, ...]
    missing: tuple[Path, ...]
    problem: str | None

    @property
    def first(self) -> Part:
        """The part with the model's metadata where it is there, else the first one that is."""
        return self.files[0]

    @property
    def count(self) -> int:
        """How many files the model has, missing ones included."""
        return len(self.files) + len(self.missing)

    @property
    def size(self) -> int:
        """Bytes on disk of the files that are there."""
        return sum(part.header.size for part in self.files)

    def tensors(self) -> Iterator[tuple[Path, TensorInfo]]:
        """Every tensor with the file it is in."""
        return ((part.path, tensor) for part in self.files for tensor in part.header.tensors)


def split_name(name: str) -> tuple[str, int, int] | None:
    """What a part's file name says: the model's name, the part's number from 1, and how many there are; None for any other name."""
    match = _NAME.fullmatch(name)
    if match is None or not 1 <= int(match["number"]) <= int(match["count"]):
        return None
    return match["stem"], int(match["number"]), int(match["count"])


def part_name(stem: str, number: int, count: int) -> str:
    """The file name of part `number` (from 1) of `count`."""
    return f"{stem}-{number:05d}-of-{count:05d}.gguf"


def read_parts(path: Path) -> Parts:
    """All parts of the model that the file at `path` is, or is a part of. Raises `ModelFileError` where one that is there is damaged."""
    named = split_name(path.name)
    header = read_header(path)
    declared = header.whole("split.count") or 0
    if named is None:
        wanted = part_name("NAME", 1, declared)
        problem = f"a part of a split model of {declared} files: name it like {wanted}" if declared > 1 else None
        return Parts((Part(path, header),), (), problem)
    stem, _, count = named
    paths = [path.with_name(part_name(stem, other, count)) for other in range(1, count + 1)]
    there = [other for other in paths if other.name == path.name or other.is_file()]
    files = tuple(Part(other, header if other.name == path.name else read_header(other)) for other in there)
    missing = tuple(other for other in paths if other not in set(there))
    return Parts(files, missing, _problem(files, missing, count))


def _problem(files: tuple[Part, ...], missing: tuple[Path, ...], count: int) -> str | None:
    if missing:
        named = ", ".join(path.name for path in missing[:3]) + (" …" if len(missing) > 3 else "")
        return f"{len(missing)} of {count} parts are missing ({named}): get them into the same folder"
    for index, part in enumerate(files):
        header = part.header
        if (header.whole("split.count"), header.whole("split.no")) != (count, index):
            return f"{part.path.name} is not part {index + 1} of {count} inside: get the file again"
        if header.end > header.size:
            return f"{part.path.name} is cut off: it has {header.size:,} of {header.end:,} bytes; copy or download it again"
    total, names = files[0].header.whole("split.tensors.count") or 0, [tensor.name for part in files for tensor in part.header.tensors]
    if len(names) != total or len(set(names)) != total:
        return f"the parts hold {len(set(names)):,} different tensors of {total:,}: they are not of one model; get them again"
    return None
