"""What tools and commands may touch: a pure decision over a permission, a workspace and a real path.

File tools ask here before they open anything, and open the place they get back; `boundary_of` draws the same lines for a command.
Paths are judged after symbolic links are resolved, so a link in the workspace that leads out of it is refused. What this module does
not do: contain a process (`sandbox.run`), follow hard links, or ask a person (`sandbox.verdict`).
"""

import enum
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import RefusedError, ToolError, UsageError
from kimicode.files.place import Place, place_of
from kimicode.sandbox.boundary import Boundary, Limits, Network
from kimicode.sandbox.environment import child_environment
from kimicode.sandbox.hidden import hidden_paths
from kimicode.sandbox.protected import folded, is_protected, protected_paths

MAX_PATH_BYTES: Final = 4096
"""The kernel takes no longer path (`PATH_MAX`), and 255 bytes for each name (`NAME_MAX`)."""

_MAX_NAME_BYTES: Final = 255
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_OF_A_PROCESS: Final = re.compile(
    r"/proc/[^/]+/(?:task/[^/]+/)?(?:root|cwd|fd|exe|fdinfo|map_files)(?:/|$)|/dev/(?:fd|std(?:in|out|err))(?:/|$)"
)
_GIT_HINT: Final = "Leave commits to the user, or run with --permission full."
_TEMPORARY_HINT: Final = "Remove it, or set KIMICODE_HOME to a folder of your own."
_PROTECTED_HINT: Final = "Say what should be changed there and let the user do it, or run with --permission full."


class Permission(enum.Enum):
    """How far tools may go: look only; change the workspace and run commands; anything the user may do."""

    READ_ONLY = "read-only"
    WORKSPACE = "workspace"
    FULL = "full"


class Policy(msgspec.Struct, frozen=True):
    """A permission applied to one workspace.

    `also_readable` are folders outside it that may be read (large tool results), `also_writable` folders that the user opened beside
    it, `hidden` paths that may not even be read (`sandbox.hidden`), `home` the user's home folder, whose start-up files are protected
    wherever they lie in a writable folder, and `protected` further paths that stay as they are (`protected.protected_paths`).
    """

    permission: Permission
    workspace: Path
    also_readable: tuple[Path, ...] = ()
    also_writable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    home: Path | None = None
    protected: tuple[Path, ...] = ()

    def readable(self, path: str) -> Place:
        """Where `path` (relative to the workspace) really is, or `RefusedError`; `ToolError` for what can't be a path."""
        real = self.real(path)
        if self.permission is Permission.FULL:
            return self._place(real, (self.workspace, *self.also_readable)) or place_of(real)
        self._refuse_hidden(path, real)
        if place := self._place(real, (self.workspace, *self.also_readable, *self.also_writable)):
            return place
        raise self._outside(path)

    def writable(self, path: str) -> Place:
        """Where `path` really is, for writing, or `RefusedError`. Protected paths are never writable except with full permission."""
        if self.permission is Permission.READ_ONLY:
            raise RefusedError(f"{path}: writing is off (--permission read-only)", hint="Run with --permission workspace to allow edits.")
        real = self.real(path)
        if self.permission is Permission.FULL:
            return place_of(real)
        self._refuse_hidden(path, real)
        place = self._place(real, (self.workspace, *self.also_writable))
        if place is None:
            raise self._outside(path)
        self._refuse_protected(path, place)
        return place

    def opened(self, real: Path, *, write: bool) -> "Policy":
        """This policy, with one path opened that a rule or a person allowed: the folder that holds it, or itself where it is a folder."""
        folder = real if real.is_dir() else real.parent
        if write:
            return msgspec.structs.replace(self, also_writable=(*self.also_writable, folder))
        return msgspec.structs.replace(self, also_readable=(*self.also_readable, folder))

    def can_open(self, real: Path, *, write: bool) -> bool:
        """True where `opened` helps: not for what is hidden or protected, nor for writing where the permission is to look."""
        opened = self.opened(real, write=write)
        home = None if self.home is None else self.home.resolve().parts[1:]
        # The folder that is opened may itself be `.git`: here the whole path is judged.
        if write and self.permission is not Permission.FULL and is_protected(real.parts[1:], home) is not None:
            return False
        try:
            (opened.writable if write else opened.readable)(str(real))
        except (RefusedError, ToolError):
            return False
        return True

    def hidden_below(self, folder: Path) -> tuple[Path, ...]:
        """The hidden paths in `folder` (real), for tools that look at everything in it. None with full permission."""
        if self.permission is Permission.FULL:
            return ()
        return tuple(real for each in self.hidden if (real := each.resolve()).is_relative_to(folder))

    def real(self, path: str) -> Path:
        """Where `path` really is, whether or not it may be touched. Raises `ToolError`, and `RefusedError` for parts of a process."""
        _refuse_unusable(path)
        whole = os.path.normpath(self.workspace / path)
        if _OF_A_PROCESS.match(re.sub(r"^/+", "/", whole)):
            raise RefusedError(f"{path}: names a part of a running process, not a file", hint="Use the path of the file itself.")
        try:
            return (self.workspace / path).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise ToolError(f"{path[:200]!r}: not a usable path ({error})") from error

    def _place(self, real: Path, roots: tuple[Path, ...]) -> Place | None:
        for root in roots:
            if real.is_relative_to(folder := root.resolve()):
                return Place(folder, real.relative_to(folder).parts)
        return None

    def _refuse_hidden(self, path: str, real: Path) -> None:
        parts = [folded(part) for part in real.parts]
        for each in self.hidden:
            hidden = [folded(part) for part in each.resolve().parts]
            if parts[: len(hidden)] == hidden:
                raise RefusedError(
                    f"{path}: hidden from tools, since it holds secrets ({each})", hint="Ask the user for what you need of it."
                )

    def _refuse_protected(self, path: str, place: Place) -> None:
        home = None if self.home is None else self.home.resolve()
        below = home.relative_to(place.root).parts if home is not None and home.is_relative_to(place.root) else None
        reason = is_protected(place.parts, below)
        if reason is None and any(place.path.is_relative_to(each) for each in self.protected):
            reason = "protected, as a repository's own files or configuration"
        if reason is not None:
            raise RefusedError(f"{path}: {reason}", hint=_GIT_HINT if "git" in reason else _PROTECTED_HINT)

    def _outside(self, path: str) -> RefusedError:
        hint = "Use a path inside the workspace, or --permission full."
        return RefusedError(f"{path}: outside the workspace {self.workspace}", hint=hint)


def boundary_of(
    policy: Policy,
    *,
    temporary: Path,
    environ: Mapping[str, str],
    home: Path,
    kimicode_home: Path,
    limits: Limits,
    network: Network = Network(),  # noqa: B008 - a frozen value
    cwd: Path | None = None,
    pass_env: frozenset[str] = frozenset(),
) -> Boundary:
    """The lines that `policy` draws for a command, as they lie on the disk now: links are resolved and protected paths looked for.

    `environ` is the user's (secrets are taken out here), `temporary` the session's own folder, `cwd` the workspace unless given.
    With full permission everything is writable and nothing protected or hidden; the permission to look gives only `temporary`.
    Raises `UsageError` where something protected is a symbolic link, or `temporary` is not a folder of the user's own.
    """
    _refuse_foreign(temporary)
    workspace, scratch = policy.workspace.resolve(), temporary.resolve()
    variables = child_environment(environ, pass_env=pass_env, temporary=scratch)
    base = Boundary(writable=(), temporary=scratch, environ=variables, limits=limits, network=network, cwd=(cwd or workspace).resolve())
    if policy.permission is Permission.FULL:
        return msgspec.structs.replace(base, writable=(Path("/"),))
    own = (workspace, scratch, *policy.also_readable, *policy.also_writable)
    hidden = {path.resolve() for path in policy.hidden} | set(hidden_paths(home.resolve(), environ, kimicode_home, own=own))
    lines = msgspec.structs.replace(base, hidden=tuple(sorted(hidden)))
    if policy.permission is Permission.READ_ONLY:
        return lines
    writable = (workspace, *(folder.resolve() for folder in policy.also_writable))
    protected = {path.resolve() for path in policy.protected}
    for folder in writable:
        protected |= set(protected_paths(folder, home.resolve(), within=writable))
    return msgspec.structs.replace(lines, writable=writable, protected=tuple(sorted(protected)))


def _refuse_foreign(temporary: Path) -> None:
    # Everything in it is writable: a link planted under its name would open what it leads to.
    try:
        found = temporary.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"can't use the temporary folder {temporary}: {error.strerror}", hint=_TEMPORARY_HINT) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UsageError(f"the temporary folder {temporary} is a link or someone else's", hint=_TEMPORARY_HINT)


def _refuse_unusable(path: str) -> None:
    shown = repr(path[:200])
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        raise ToolError(f"{shown}: not a usable path (it is not valid Unicode)") from None
    if found := _CONTROL.search(path):
        raise ToolError(f"{shown}: not a usable path (it holds the control character U+{ord(found[0]):04X})")
    if size >= MAX_PATH_BYTES or any(len(name.encode()) > _MAX_NAME_BYTES for name in path.split("/")):
        limits = f"{MAX_PATH_BYTES - 1} bytes, and {_MAX_NAME_BYTES} for a name"
        raise ToolError(f"{shown}: not a usable path ({size} bytes; the longest is {limits})")
