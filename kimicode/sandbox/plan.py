"""From a boundary and a tier to everything that is needed to run one command in it. Pure: the disk was looked at before (`survey`).

Three layers say the same in their own terms: mounts and namespaces (`bubblewrap`), Landlock rules (`landlock`) and system calls
(`seccomp`). What a tier can't promise is refused here rather than left out. What this module does not do: run anything.
"""

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from kimicode.errors import RefusedError
from kimicode.sandbox import bubblewrap, landlock, seccomp
from kimicode.sandbox.boundary import Boundary, Tier
from kimicode.sandbox.probe import Capabilities, why_not
from kimicode.sandbox.survey import Kind, Survey
from kimicode.sandbox.task import Cage, Ceilings, Task

LINGER_S: Final = 0.25
"""How long what a command left running may go on: `> >(tee log)` ends a moment later than its shell."""

SETTLE_S: Final = 0.25
"""How long that may take to end after SIGTERM."""

GRACE_S: Final = 1.0
"""How long everything may take to end after SIGTERM when the command is given up."""

_LINK_HINT: Final = "Replace the link by what it leads to, or start kimicode again if it was made just now."
CagedTier = Literal[Tier.BUBBLEWRAP, Tier.LANDLOCK]


class Plan(msgspec.Struct, frozen=True):
    """`launcher` comes before the helper's own command line (empty without namespaces). The paths in `guarded` have to be put back after
    the command."""

    launcher: tuple[str, ...]
    task: Task
    guarded: tuple[Path, ...] = ()


def plan(
    boundary: Boundary,
    tier: CagedTier,
    capabilities: Capabilities,
    survey: Survey,
    argv: Sequence[str],
    *,
    placeholders: Collection[Path] = (),
) -> Plan:
    """How `argv` (program and arguments) runs within `boundary`. Pure.

    `placeholders` are the empty folders that stand at `missing_protected` paths (tier 1). Raises `RefusedError` where `tier` can't keep
    the boundary, and `ValueError` for arguments that no program can get.
    """
    if reason := why_not(tier, capabilities):
        raise RefusedError(f"sandbox: {tier.value} can't be used here. {reason}", hint="`kimicode doctor` shows what can.")
    _refuse_links(boundary, survey)
    if tier is Tier.BUBBLEWRAP:
        # Where nothing is writable, a workspace below /tmp would be covered.
        keep = (*capabilities.helper.needs, boundary.cwd)
        options = bubblewrap.options(boundary, survey, keep, placeholders=placeholders, modern=capabilities.modern)
        return Plan((str(capabilities.bubblewrap), *options), _in_namespaces(boundary, capabilities, survey, argv))
    return _alone(boundary, capabilities, survey, argv)


def environment(boundary: Boundary) -> dict[str, str]:
    """The boundary's environment, with its temporary folder under every name that programs look for. Pure."""
    return {**boundary.environ, **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(boundary.temporary))}


def _in_namespaces(boundary: Boundary, capabilities: Capabilities, survey: Survey, argv: Sequence[str]) -> Task:
    abi = capabilities.landlock_abi if capabilities.landlock_abi >= landlock.MIN_ABI else 0
    handled, rules = landlock.inside_namespaces(boundary, bubblewrap.writable_folders(boundary, survey))
    cage = Cage(
        abi=abi,
        handled=handled,
        rules=rules,
        only_proxy=False,
        drop=False,
        # The network namespace holds the rest: what is left in it is a loopback of the command's own.
        filter=seccomp.program(capabilities.machine, seccomp.Sockets.INTERNET),
    )
    return _task(boundary, capabilities, cage, argv, namespace=True)


def _alone(boundary: Boundary, capabilities: Capabilities, survey: Survey, argv: Sequence[str]) -> Plan:
    writable = bubblewrap.writable_folders(boundary, survey)
    for path in boundary.hidden:
        if any(bubblewrap.lies_in(path, folder) for folder in writable):
            hint = "Install bubblewrap, move it elsewhere, or start in a folder that does not contain it."
            raise RefusedError(f"sandbox: {path} can't be hidden within a writable folder without namespaces (Landlock)", hint=hint)
    by_proxy = boundary.network.access == "hosts"
    if by_proxy and capabilities.landlock_abi < landlock.MIN_NETWORK_ABI:
        hint = "Allow no network or all of it, or install bubblewrap."
        raise RefusedError("sandbox: single hosts can't be allowed here: Landlock rules for ports need Linux 6.7", hint=hint)
    sockets = {"none": seccomp.Sockets.NONE, "hosts": seccomp.Sockets.TCP, "all": seccomp.Sockets.INTERNET}[boundary.network.access]
    handled, rules = landlock.alone(boundary, writable, survey.children, capabilities.landlock_abi)
    cage = Cage(
        abi=capabilities.landlock_abi,
        handled=handled,
        rules=rules,
        only_proxy=by_proxy,
        drop=True,
        filter=seccomp.program(capabilities.machine, sockets),
    )
    return Plan((), _task(boundary, capabilities, cage, argv, namespace=False), guarded=boundary.protected)


def _task(boundary: Boundary, capabilities: Capabilities, cage: Cage, argv: Sequence[str], *, namespace: bool) -> Task:
    limits = boundary.limits
    proxy = b""
    if boundary.network.access == "hosts":
        if boundary.network.proxy is None:
            raise RefusedError("sandbox: hosts are allowed, but no filtering proxy runs", hint="This is a fault in kimicode: report it.")
        proxy = bytes(bubblewrap.PROXY if namespace else boundary.network.proxy)
    return Task(
        argv=[_argument(each) for each in argv],
        environ={_argument(name): _argument(value) for name, value in environment(boundary).items()},
        cwd=bytes(boundary.cwd),
        namespace=namespace,
        cage=cage,
        ceilings=Ceilings(
            memory_bytes=limits.memory_bytes,
            processes=limits.processes,
            own_count=not namespace,
            file_bytes=limits.file_bytes,
            open_files=limits.open_files,
        ),
        proxy=proxy,
        bridge=capabilities.helper.bridge if proxy else b"",
        linger_s=LINGER_S,
        settle_s=SETTLE_S,
        grace_s=GRACE_S,
    )


def _refuse_links(boundary: Boundary, survey: Survey) -> None:
    for paths, what in ((boundary.protected, "protected"), (boundary.writable, "made writable"), (boundary.hidden, "hidden")):
        for path in paths:
            if survey.kinds[path] is Kind.LINK:
                raise RefusedError(f"sandbox: {path} is or lies behind a symbolic link, so it can't be {what}", hint=_LINK_HINT)


def _argument(text: str) -> bytes:
    data = os.fsencode(text)
    if b"\0" in data:
        raise ValueError("embedded null byte")
    return data
