"""Landlock rules for a boundary: which rights are refused by default, and which folders get them.

Landlock only allows: what lies below an allowed folder can't be taken out again. So hidden paths are left out by allowing everything
beside the way down to them, and protected paths can't be expressed at all (mounts or `sandbox.guard` see to these). Bits and their ABI
are those of `linux/landlock.h`. What this module does not do: look at the disk, or call the kernel (`sandbox.helper`).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from kimicode.sandbox.boundary import Boundary
from kimicode.sandbox.task import Rule

MIN_ABI: Final = 3
"""Linux 6.2: before, a file outside could still be emptied (no TRUNCATE), or nothing moved between folders (no REFER)."""

MIN_NETWORK_ABI: Final = 4
"""Linux 6.7: rules for TCP ports."""

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _MAKE_CHAR, _MAKE_BLOCK, _TRUNCATE, _IOCTL_DEV = (
    1 << bit for bit in (0, 1, 2, 3, 6, 11, 14, 15)
)
_IOCTL_DEV_ABI: Final = 5

READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
ALL_WRITES: Final = (1 << 15) - 1 & ~READ
WRITE: Final = ALL_WRITES & ~_MAKE_CHAR & ~_MAKE_BLOCK
"""Everything that changes a folder's contents, except for making devices."""

_USE: Final = _WRITE_FILE | _TRUNCATE
_DEVICES: Final = "/dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx /dev/pts".split()
_OWN_FOLDERS: Final = ("/tmp", "/var/tmp", "/dev/shm")


def inside_namespaces(boundary: Boundary, writable: Sequence[Path]) -> tuple[int, list[Rule]]:
    """Handled rights and rules where mounts hold everything already: the same limits on writing once more. Pure."""
    granted = [*_rules((boundary.temporary, *writable), WRITE, must=True), *_rules(map(Path, _OWN_FOLDERS), WRITE, must=False)]
    return ALL_WRITES, [*granted, *_rules([Path("/dev")], _USE, must=False)]


def alone(boundary: Boundary, writable: Sequence[Path], children: Mapping[Path, Sequence[Path]], abi: int) -> tuple[int, list[Rule]]:
    """Handled rights and rules where nothing else holds the command. Pure.

    `children` are the entries, links left out, of every folder on the way down to a hidden path.
    """
    ioctl = _IOCTL_DEV if abi >= _IOCTL_DEV_ABI else 0
    granted = [
        *_rules((boundary.temporary, *writable), WRITE | READ, must=True),
        *_rules(readable(boundary.hidden, children), READ, must=False),
        *_rules(map(Path, _DEVICES), _USE | ioctl, must=False),
    ]
    return ALL_WRITES | READ | ioctl, granted


def readable(hidden: Sequence[Path], children: Mapping[Path, Sequence[Path]]) -> Iterator[Path]:
    """The topmost paths that have nothing hidden in them. Pure."""
    out_of_reach = set(hidden)
    waiting = [Path("/")]
    while waiting:
        path = waiting.pop()
        if path in out_of_reach:
            continue
        if path in children:
            waiting += children[path]
        else:
            yield path


def _rules(paths: Sequence[Path] | Iterator[Path], rights: int, *, must: bool) -> list[Rule]:
    return [{"path": bytes(path), "rights": rights, "must": must} for path in paths]
