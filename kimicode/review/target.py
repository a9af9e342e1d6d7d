"""What is to be reviewed, read from git: what is staged, what is uncommitted, a branch against its base, or one commit.

For what is staged the index counts, never the working tree: they differ where a file was staged in part. Nothing is written, the index's
own times included. What this module does not do: judge.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias, assert_never

import msgspec

from kimicode.errors import ToolError, UsageError
from kimicode.repo.git import Repository
from kimicode.review.change import SUBMODULE, Change, FileChange, parse_diff

CONTEXT_LINES: Final = 8
_MAX_FILE_BYTES: Final = 16 << 20
_EMPTY_TREE: Final = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
"""The tree without files, by the length of object names; every repository knows it."""


class Staged(msgspec.Struct, frozen=True):
    """The index against the commit that is checked out."""


class Uncommitted(msgspec.Struct, frozen=True):
    """The working tree against the commit that is checked out: staged or not. Untracked files are not in it."""


class Base(msgspec.Struct, frozen=True):
    """The commit that is checked out against where it left `revision`."""

    revision: str


class Commit(msgspec.Struct, frozen=True):
    """One commit against its first parent."""

    revision: str


Target: TypeAlias = Staged | Uncommitted | Base | Commit


class GitContents:
    """`Contents` by object name, read in one call for all files that were announced with `prepare`, one by one for others."""

    def __init__(self, repository: Repository, *, worktree: bool = False) -> None:
        self._repository = repository
        self._worktree = worktree
        self._known: dict[str, bytes | None] = {}

    def prepare(self, files: Iterable[FileChange]) -> None:
        """Read what `files` need. Objects that are too large, or missing, are passed over and asked for again when they are needed."""
        wanted = [oid for file in files if not file.binary for oid in self._names(file) if oid and oid not in self._known]
        if wanted:
            self._known |= self._repository.blobs(wanted)

    def old(self, file: FileChange) -> bytes | None:
        """The content before; None where there was no file, and for a submodule."""
        return self._blob(file.old_oid) if file.old_oid and file.old_mode != SUBMODULE else None

    def new(self, file: FileChange) -> bytes | None:
        """The content after; None where there is no file, and for a submodule."""
        if not file.new_oid or file.new_mode == SUBMODULE:
            return None
        if self._worktree:
            return self._file(file)
        return self._blob(file.new_oid)

    def _names(self, file: FileChange) -> tuple[str, ...]:
        old = file.old_oid if file.old_mode != SUBMODULE else ""
        new = file.new_oid if file.new_mode != SUBMODULE and not self._worktree else ""
        return old, new

    def _blob(self, oid: str) -> bytes:
        found = self._known.get(oid)
        if found is None:
            found = self._known[oid] = self._repository.blob(oid)
        return found

    def _file(self, file: FileChange) -> bytes | None:
        path = self._repository.work_tree / file.path
        key = f"file {file.path}"
        if key not in self._known:
            try:
                self._known[key] = path.read_bytes() if path.is_file() and not path.is_symlink() else None
            except OSError as error:
                raise ToolError(f"can't read {file.path}: {error.strerror}") from error
        return self._known[key]


def open_repository(folder: Path, environ: dict[str, str], *, index: Path | None = None) -> Repository:
    """The repository that `folder` lies in. Raises `UsageError` where there is none."""
    repository = Repository.find(folder, environ, index=index)
    if repository is None:
        raise UsageError(f"{folder} is in no git repository", hint="A review looks at what git knows: change to a repository.")
    return repository


def read_change(repository: Repository, target: Target) -> tuple[Change, GitContents]:
    """The change, and its contents. Raises `ToolError` where git can't tell, `UsageError` for a revision that is none."""
    match target:
        case Staged():
            base = repository.head() or _nothing(repository)
            diff = repository.diff(base, staged=True, context=CONTEXT_LINES)
            described, worktree = "what is staged", False
        case Uncommitted():
            diff = repository.diff(repository.head() or _nothing(repository), context=CONTEXT_LINES)
            described, worktree = "what is not committed", True
        case Base(revision):
            return _between(repository, *_since(repository, revision))
        case Commit(revision):
            commit = _commit(repository, revision)
            parents = repository.log(1, revision=commit)[0].parents
            return _between(repository, parents[0] if parents else _nothing(repository), commit, f"commit {commit[:12]}")
        case _:
            assert_never(target)
    files = parse_diff(diff)
    return Change(described, _name(diff), files, repository.merging()), GitContents(repository, worktree=worktree)


def _between(repository: Repository, old: str, new: str, described: str) -> tuple[Change, GitContents]:
    diff = repository.diff_trees(old, new, context=CONTEXT_LINES)
    return Change(described, _name(diff), parse_diff(diff)), GitContents(repository)


def _since(repository: Repository, revision: str) -> tuple[str, str, str]:
    head = repository.head()
    if head is None:
        raise UsageError("there is no commit yet", hint="--staged reviews what is staged before the first commit.")
    _commit(repository, revision)
    base = repository.merge_base(revision, "HEAD")
    if base is None:
        raise UsageError(f"{revision} and HEAD have no common commit", hint="In CI, fetch the whole history (fetch-depth: 0).")
    return base, head, f"what was committed since {revision}"


def _commit(repository: Repository, revision: str) -> str:
    try:
        return repository.commit(revision)
    except ToolError as error:
        raise UsageError(error.message, hint=error.hint) from error


def _nothing(repository: Repository) -> str:
    return _EMPTY_TREE[64 if repository.sha256() else 40]


def _name(diff: bytes) -> str:
    return hashlib.sha256(diff).hexdigest()
