"""The mounts and namespaces of bubblewrap for a boundary, as options of `bwrap`.

The whole file system is there, read-only; on it lie fresh folders where sockets and other people's files are, then the boundary's
paths, the deeper the later, so that the most exact line wins. Folders between a writable folder and something protected in it are
mount points too: what is a mount point can't be renamed, and so nothing can take the protected path's place.
What this module does not do: run anything (`sandbox.start`), or filter system calls (`sandbox.seccomp`).
"""

import itertools
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from kimicode.sandbox.boundary import Boundary
from kimicode.sandbox.survey import Kind, Survey

NAMESPACES: Final = ("--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--cap-drop", "ALL")
BASE: Final = ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
_ALL_WRITABLE: Final = ("--bind", *BASE[1:])
NO_MORE_NAMESPACES: Final = "--disable-userns"
"""Since bubblewrap 0.8. With an older one seccomp alone forbids new namespaces."""

PROXY: Final = Path("/run/kimicode-proxy")
"""Where the filtering proxy's socket is inside."""

_ROOT: Final = Path("/")
_TEMPORARY: Final = Path("/tmp")
_FRESH: Final = ("/var/tmp", "/dev/shm", "/run")
_COVERED: Final = (_TEMPORARY, *map(Path, _FRESH))
_SYSTEMS: Final = ("/run/current-system", "/run/wrappers", "/run/opengl-driver")
"""Where NixOS has its programs."""


def options(
    boundary: Boundary, survey: Survey, keep: Iterable[Path], *, placeholders: Collection[Path] = (), modern: bool = True
) -> tuple[str, ...]:
    """All options of `bwrap` up to the command. Pure.

    `keep` are folders that must stay readable: the interpreter of the helper. `placeholders` are those of `missing_protected` that
    have been made; what could not be made can't be made by the command either.
    """
    base = _ALL_WRITABLE if _ROOT in boundary.writable else BASE
    made = [*NAMESPACES, *((NO_MORE_NAMESPACES,) if modern else ()), *base, "--bind", str(boundary.temporary), str(_TEMPORARY)]
    if boundary.network.access == "all":
        made.append("--share-net")
    for folder in _FRESH:
        # What is written there takes memory: it has the same limit.
        made += ["--size", str(boundary.limits.memory_bytes), "--tmpfs", folder] if modern else ["--tmpfs", folder]
    for system in _SYSTEMS:
        made += ["--ro-bind-try", system, system]
    if boundary.network.access != "none" and lies_in(survey.resolver, Path("/run")):
        made += ["--ro-bind-try", str(survey.resolver), str(survey.resolver)]
    if boundary.network.proxy is not None:
        made += ["--ro-bind", str(boundary.network.proxy), str(PROXY)]
    keep, hidden = tuple(keep), _hidden(boundary, survey, keep)
    mounts = _mounts(boundary, survey, keep, placeholders) | {path: _hide(path, survey.kinds) for path in hidden}
    for path in sorted(mounts, key=lambda path: (len(path.parts), path)):
        made += mounts[path]
    # At the end: a folder that is read-only takes no mount points any more.
    made += [each for path in hidden if survey.kinds[path] is Kind.FOLDER for each in ("--remount-ro", str(path))]
    return (*made, "--chdir", str(boundary.cwd))


def missing_protected(boundary: Boundary, survey: Survey) -> tuple[Path, ...]:
    """Where empty folders must stand so that nothing can be made there: the topmost missing path on the way. Pure."""
    return tuple(path for path in _standing(boundary, survey) if survey.kinds[path] is Kind.MISSING)


def writable_folders(boundary: Boundary, survey: Survey) -> tuple[Path, ...]:
    """The writable paths that exist. Pure."""
    return tuple(path for path in boundary.writable if survey.kinds[path] is not Kind.MISSING)


def between(protected: Collection[Path], roots: Collection[Path]) -> tuple[Path, ...]:
    """The folders above a protected path and below the writable one that has it, without those that are protected already. Pure."""
    found: dict[Path, None] = {}
    for path in protected:
        way = list(itertools.takewhile(lambda parent: parent not in roots, path.parents))
        if not any(parent in protected for parent in way):
            found |= dict.fromkeys(way)
    return tuple(found)


def _standing(boundary: Boundary, survey: Survey) -> tuple[Path, ...]:
    """The protected paths as mount points; a missing one stands for all that is missing below it."""
    roots = writable_folders(boundary, survey)
    found = (survey.missing.get(path, path) for path in boundary.protected)
    return tuple(dict.fromkeys(path for path in found if _below(path, roots)))


def _mounts(boundary: Boundary, survey: Survey, keep: Iterable[Path], placeholders: Collection[Path]) -> dict[Path, tuple[str, ...]]:
    """What lies on the read-only whole, by path. Of two for one path the stricter one stands: it comes later here."""
    roots = writable_folders(boundary, survey)
    protected = [path for path in _standing(boundary, survey) if survey.kinds[path] is not Kind.MISSING or path in placeholders]
    kept = (path for path in keep if _innermost(path, (*_COVERED, *boundary.hidden, *roots)) not in (None, *roots))
    return (
        {path: _bind("--ro-bind", path) for path in kept}
        | {path: _bind("--bind", path) for path in (*between(protected, roots), *roots, boundary.temporary) if path != _ROOT}
        | {path: _bind("--ro-bind", path) for path in protected}
    )


def _hidden(boundary: Boundary, survey: Survey, keep: Collection[Path]) -> tuple[Path, ...]:
    """The hidden paths that could be seen: below a fresh folder there is only what was put there."""
    shown = (*writable_folders(boundary, survey), *keep)
    there = (path for path in boundary.hidden if survey.kinds[path] is not Kind.MISSING)
    return tuple(path for path in there if _innermost(path, (*_COVERED, *shown)) in (None, *shown))


def _innermost(path: Path, folders: Iterable[Path]) -> Path | None:
    """The deepest of `folders` that has `path`: whatever that one is, decides."""
    return max((folder for folder in folders if lies_in(path, folder)), key=lambda folder: len(folder.parts), default=None)


def lies_in(path: Path, folder: Path) -> bool:
    """Whether `path` is `folder` or lies below it. `is_relative_to` took a third of the time that a plan took. Pure."""
    return path.parts[: len(folder.parts)] == folder.parts


def _below(path: Path, folders: Iterable[Path]) -> bool:
    return any(folder in path.parents for folder in folders)


def _hide(path: Path, kinds: Mapping[Path, Kind]) -> tuple[str, ...]:
    return ("--perms", "0555", "--tmpfs", str(path)) if kinds[path] is Kind.FOLDER else ("--ro-bind", "/dev/null", str(path))


def _bind(option: str, path: Path) -> tuple[str, ...]:
    return (option, str(path), str(path))
