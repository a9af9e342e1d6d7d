"""What a command may touch, as values: folders, network, environment, limits; and the means that can enforce it.

`sandbox.policy` decides a boundary, `sandbox.plan` turns it into a command line, `sandbox.run` runs that. What this module does not
do: decide, look at the disk, or enforce anything.
"""

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

_GIB: Final = 1024**3


class Tier(enum.Enum):
    """What enforces a boundary. BUBBLEWRAP: own namespaces, with Landlock and seccomp inside. LANDLOCK: Landlock and seccomp alone;
    protected paths are put back after the command instead of being out of reach. SEATBELT: macOS. NONE: nothing does."""

    BUBBLEWRAP = "bubblewrap"
    LANDLOCK = "landlock"
    SEATBELT = "seatbelt"
    NONE = "none"


class Network(msgspec.Struct, frozen=True):
    """Who can be reached: nobody, the hosts that the filtering proxy listening on the Unix socket `proxy` lets through, or everybody.

    `proxy` is set where `access` is "hosts", and None otherwise.
    """

    access: Literal["none", "hosts", "all"] = "none"
    proxy: Path | None = None


class Limits(msgspec.Struct, frozen=True):
    """Ceilings. Memory is a process's own private data, processes are all of the command's together, a file is a single one."""

    memory_bytes: int
    processes: int = 1024
    file_bytes: int = 16 * _GIB
    open_files: int = 4096


class Boundary(msgspec.Struct, frozen=True, kw_only=True):
    """Everything outside these lines is out of reach. All paths are absolute and resolved.

    `writable` folders can be changed, except for the paths in `protected`, which lie below them and stay as they are even where
    nothing exists there yet. `hidden` paths can neither be read nor listed. `temporary` is the session's own folder: it becomes
    `/tmp` where namespaces allow it, and `TMPDIR` everywhere. `environ` is the whole environment. `cwd` is where the command starts.
    """

    writable: tuple[Path, ...]
    temporary: Path
    environ: Mapping[str, str]
    limits: Limits
    cwd: Path
    protected: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    network: Network = Network()


def limits_for(machine_memory_bytes: int) -> Limits:
    """Limits for a machine with that much memory: half of it for a process, and at least 2 GiB, so that compilers run. Pure."""
    return Limits(memory_bytes=max(2 * _GIB, machine_memory_bytes // 2))
