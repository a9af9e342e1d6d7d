"""Which part of a repository a call of the tool `git` may see: what lies in the workspace and is not hidden.

Names are as everywhere in tools: relative to the workspace, which may be a folder of the working tree. What this module does not do:
ask git about contents.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from kimicode.errors import ToolError
from kimicode.repo.git import Repository
from kimicode.repo.git_diff import FileDiff
from kimicode.repo.git_parse import Commit, Entry, Touched
from kimicode.sandbox.policy import Permission
from kimicode.tools.base import ToolContext
from kimicode.tools.paths import may_show, shown


class Scope(msgspec.Struct, frozen=True):
    """A repository as one call sees it. `paths` are what the call named, as git names them; without any, what is visible at all."""

    repository: Repository
    context: ToolContext
    paths: tuple[str, ...] = ()

    @property
    def narrowed(self) -> tuple[str, ...]:
        """The paths to ask git for: those that were named, else the workspace, where it is not the whole."""
        if self.paths or self.context.policy.permission is Permission.FULL:
            return self.paths
        root, top = self.context.workspace.resolve(), self.repository.work_tree
        return (str(root.relative_to(top)),) if root != top and root.is_relative_to(top) else ()

    def entries(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        """Those that may be seen and were asked for, under the tool's names."""
        rename = msgspec.structs.replace
        return tuple(
            rename(entry, path=self.name(entry.path), origin=self.name(entry.origin) if entry.origin else "")
            for entry in entries
            if self.asked(entry.path) and self.visible(entry.path, entry.origin)
        )

    def files(self, files: Sequence[FileDiff]) -> tuple[FileDiff, ...]:
        """Those that may be seen, under the tool's names."""
        return tuple(msgspec.structs.replace(file, path=self.name(file.path)) for file in files if self.visible(file.path, file.origin))

    def commits(self, commits: Sequence[Commit]) -> tuple[Commit, ...]:
        """The commits, without what of their files may not be seen."""
        return tuple(msgspec.structs.replace(commit, files=self._touched(commit.files)) for commit in commits)

    def _touched(self, files: Sequence[Touched]) -> tuple[Touched, ...]:
        return tuple(
            Touched(file.letter, self.name(file.path), self.name(file.origin) if file.origin else "")
            for file in files
            if self.visible(file.path, file.origin)
        )

    def asked(self, path: str) -> bool:
        """Whether git's `path` is among those that were named, or in a folder that was."""
        wanted = self.narrowed
        return not wanted or any(each == "." or path == each or path.startswith(f"{each}/") for each in wanted)

    def visible(self, *paths: str) -> bool:
        """Whether git's paths all lie where the policy lets tools look."""
        policy, top = self.context.policy, self.repository.work_tree
        if policy.permission is Permission.FULL:
            return True
        roots = [root.resolve() for root in (self.context.workspace, *policy.also_readable, *policy.also_writable)]
        open_to_us = may_show(top, self.context)
        places = [top / path for path in paths if path]
        return all(any(place.is_relative_to(root) for root in roots) and open_to_us(str(place)) for place in places)

    def name(self, path: str) -> str:
        """What the tool calls git's `path`; a line end in it is shown as one, and ends no line."""
        name = shown(self.repository.work_tree / path, self.context) + ("/" if path.endswith("/") else "")
        return name if name.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)


def scope_of(names: Sequence[str], context: ToolContext, environ: Mapping[str, str], *, outer: bool = False) -> Scope:
    """The repository that the paths `names` lie in, or else the workspace. A path that is itself the top of a repository in another one
    means what is in it; with `outer`, its entry in the other one. Raises `ToolError`, `RefusedError`, `UsageError`.
    """
    places = [_place(name, context) for name in names]
    start = places[0] if places else context.workspace
    if outer and start != context.workspace.resolve():
        start = start.parent
    repository = Repository.find(_existing(start), environ)
    if repository is None:
        raise ToolError(f"{names[0] if names else context.workspace} is in no git repository", hint="There is no history here to ask for.")
    top = repository.work_tree
    for name, place in zip(names, places, strict=True):
        if not place.is_relative_to(top):
            raise ToolError(f"{name} is not in the repository {top}", hint="Send paths of one repository in one call.")
    return Scope(repository, context, tuple(str(place.relative_to(top)) for place in places))


def _place(name: str, context: ToolContext) -> Path:
    """Where the path is for git, to which a link is a file of its own."""
    real = context.policy.readable(name).path
    whole = Path(os.path.normpath(context.workspace / name))
    return whole.parent.resolve() / whole.name if whole.is_symlink() else real


def _existing(path: Path) -> Path:
    while not path.is_dir() or path.is_symlink():
        path = path.parent
    return path
