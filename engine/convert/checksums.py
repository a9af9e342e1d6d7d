"""SHA-256 sums beside a model, in the format of the `sha256sum` command, and their check.

What this module does not do: hash while a model is written (`engine.convert.write` does).
"""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from engine.convert.sources import Count
from engine.errors import ModelFileError

_READ_BYTES: Final = 8 * 1024 * 1024
_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *]([^/\0]+)")


def beside(target: Path) -> Path:
    """The checksum file of the model `target`, which may be split in parts."""
    return target.with_name(target.name + ".sha256")


def write(target: Path, digests: Mapping[Path, str]) -> None:
    """Write the sums of `target`'s files, complete or not at all."""
    new = target.with_name(target.name + ".sha256.partial")
    with new.open("w", encoding="utf-8") as file:
        file.writelines(f"{digest}  {path.name}\n" for path, digest in digests.items())
        file.flush()
        os.fsync(file.fileno())
    new.replace(beside(target))


def read(target: Path) -> dict[Path, str]:
    """The recorded sums of `target`'s files. Raises `ModelFileError` where there are none or they are damaged."""
    listing = beside(target)
    try:
        lines = listing.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{listing} can't be read ({error}), so there is nothing to check {target.name} against") from None
    found = [_LINE.fullmatch(line) for line in lines]
    if not found or None in found:
        raise ModelFileError(f"{listing}: not lines of checksum and file name, as sha256sum writes them; convert the model again")
    return {target.with_name(line[2]): line[1] for line in found if line}


def verify(digests: Mapping[Path, str], count: Count) -> None:
    """Read every file and compare. Raises `ModelFileError` for the first that is missing or differs."""
    for path, digest in digests.items():
        hashed = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while piece := file.read(_READ_BYTES):
                    hashed.update(piece)
                    count(len(piece))
        except OSError as error:
            raise ModelFileError(f"{path} can't be read: {(error.strerror or str(error)).lower()}") from None
        if hashed.hexdigest() != digest:
            raise ModelFileError(f"{path} is damaged: its SHA-256 is not the one in its checksum file; convert or copy it again")
