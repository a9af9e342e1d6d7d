"""What tools may touch: a pure decision over a permission, a workspace and a real path.

File tools ask here before they open anything, and open the path they get back. Paths are judged after symbolic links are
resolved, so a link in the workspace that leads out of it is refused. What this module does not do: contain a process (see the
notice that `app` gives until the OS sandbox exists), follow hard links, or ask a person.
"""

import enum
from pathlib import Path

import msgspec

from kimicode.errors import RefusedError, ToolError
from kimicode.files.place import Place, place_of


class Permission(enum.Enum):
    """How far tools may go: look only; change the workspace and run commands; anything the user may do."""

    READ_ONLY = "read-only"
    WORKSPACE = "workspace"
    FULL = "full"


class Policy(msgspec.Struct, frozen=True):
    """A permission applied to one workspace. `also_readable` are folders outside it that may be read (large tool results)."""

    permission: Permission
    workspace: Path
    also_readable: tuple[Path, ...] = ()

    def readable(self, path: str) -> Place:
        """Where `path` (relative to the workspace) really is, or `RefusedError`; `ToolError` for what can't be a path."""
        real = self._real(path)
        for root in (self.workspace.resolve(), *(folder.resolve() for folder in self.also_readable)):
            if real.is_relative_to(root):
                return Place(root, real.relative_to(root).parts)
        if self.permission is Permission.FULL:
            return place_of(real)
        raise self._outside(path)

    def writable(self, path: str) -> Place:
        """Where `path` really is, for writing, or `RefusedError`. `.git` is never writable except with full permission."""
        if self.permission is Permission.READ_ONLY:
            raise RefusedError(f"{path}: writing is off (--permission read-only)", hint="Run with --permission workspace to allow edits.")
        real = self._real(path)
        if self.permission is Permission.FULL:
            return place_of(real)
        root = self.workspace.resolve()
        if not real.is_relative_to(root):
            raise self._outside(path)
        place = Place(root, real.relative_to(root).parts)
        # Case-insensitive file systems reach git's folder under `.GIT` too.
        if any(part.lower() == ".git" for part in place.parts):
            hint = "Use git commands through the shell tool, or --permission full."
            raise RefusedError(f"{path}: git's own files are protected", hint=hint)
        return place

    def check_command(self, command: str) -> None:
        """`RefusedError` where commands may not run."""
        if self.permission is Permission.READ_ONLY:
            hint = "Run with --permission workspace to allow commands."
            raise RefusedError(f"shell: commands are off (--permission read-only): {command[:80]}", hint=hint)

    def _real(self, path: str) -> Path:
        try:
            return (self.workspace / path).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise ToolError(f"{path[:200]!r}: not a usable path ({error})") from error

    def _outside(self, path: str) -> RefusedError:
        hint = "Use a path inside the workspace, or --permission full."
        return RefusedError(f"{path}: outside the workspace {self.workspace}", hint=hint)

