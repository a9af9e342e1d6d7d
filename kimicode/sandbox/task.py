"""What `sandbox.helper` is told: plain values that `marshal` carries, made by `sandbox.plan`.

The helper is a process of its own that imports nothing of kimicode, so this is its only interface. What this module does not do:
decide any of it.
"""

from typing import TypedDict


class Rule(TypedDict):
    """Landlock `rights` below `path`. `must` says that a path which is not there, or is reached through a link, ends the start."""

    path: bytes
    rights: int
    must: bool


class Cage(TypedDict):
    """What the kernel refuses from then on. `handled` rights are denied where no rule grants them; an ABI of 0 leaves Landlock out.

    `only_proxy` allows TCP connections to the bridge's port alone. `drop` gives up all capabilities, for root outside of a namespace.
    `filter` is a seccomp program (`sandbox.seccomp`).
    """

    abi: int
    handled: int
    rules: list[Rule]
    only_proxy: bool
    drop: bool
    filter: bytes


class Ceilings(TypedDict):
    """Resource limits. `own_count` adds the processes that the user has already, where the kernel counts them all together."""

    memory_bytes: int
    processes: int
    own_count: bool
    file_bytes: int
    open_files: int


class Task(TypedDict):
    """One command. `namespace` says that the helper has a process namespace to itself. With a `proxy`, the Unix socket of the filtering
    proxy, a bridge to it listens on the loopback; `bridge` is its program, marshalled. Both are empty otherwise. Times are in seconds."""

    argv: list[bytes]
    environ: dict[bytes, bytes]
    cwd: bytes
    namespace: bool
    cage: Cage
    ceilings: Ceilings
    proxy: bytes
    bridge: bytes
    linger_s: float
    settle_s: float
    grace_s: float
