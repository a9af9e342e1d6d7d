"""Worktrees for isolated work: a branch `kimicode/NAME` in a folder of its own, made so that nothing the repository sets up is run.

Hooks do not run and filters are not applied, so files in Git LFS stay pointers. While one is made a mark says so: what was interrupted
is cleared away by the next call that wants the same name. What this module does not do: merge, or look into a worktree's work.
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import RefusedError, TemporaryError, ToolError, UsageError
from kimicode.files.locks import take
from kimicode.home import kimicode_home
from kimicode.repo.git import Repository
from kimicode.repo.git_find import find_layout
from kimicode.repo.git_run import Bounds

PREFIX: Final = "kimicode/"
"""What the branches of these worktrees begin with."""

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")
_MAKING: Final = ".making"
_WAIT_S: Final = 60.0
_CHECKOUT: Final = Bounds(seconds=600.0)
"""A checkout writes every file of the repository."""

_PLAIN: Final = (("checkout.workers", "1"), ("advice.detachedHead", "false"))
_HINT: Final = "`kimicode worktree list` shows them; `kimicode worktree remove NAME` removes one."


class Worktree(msgspec.Struct, frozen=True):
    """One worktree of kimicode's. `head` is the commit it is at; `there` False where its folder is gone; `locked` as git says."""

    name: str
    path: Path
    head: str
    there: bool = True
    locked: bool = False


class _Mark(msgspec.Struct, frozen=True):
    """What is being made: where, and at which commit its branch begins."""

    path: str
    head: str


class Worktrees:
    """Those of one repository. `environ` is the user's: it says where kimicode's own folder is, in which `folder` is for these."""

    def __init__(self, repository: Repository, environ: Mapping[str, str]) -> None:
        self._repository = repository
        self._environ = environ
        common = repository.layout.common_dir
        top = common.parent if common.name == ".git" else common
        digest = hashlib.sha256(os.fsencode(common)).hexdigest()[:10]
        title = re.sub(r"[^A-Za-z0-9._-]", "_", top.name)[:40]
        self.folder = (kimicode_home(environ) / "worktrees" / f"{title}-{digest}").resolve()

    def all(self) -> tuple[Worktree, ...]:
        """Those that there are, by name; without one that is just being made, or was interrupted then."""
        return tuple(sorted((each for each in self._listed() if not self._mark(each.name).exists()), key=lambda each: each.name))

    def find(self, name: str) -> Worktree | None:
        """The one called `name`, if there is one. Raises `UsageError` for what can't be a name."""
        require_name(name)
        return next((each for each in self.all() if each.name == name), None)

    def create(self, name: str, *, revision: str = "HEAD", folder: Path | None = None) -> Worktree:
        """A new worktree at `revision`, in `folder` or below kimicode's own. Raises `UsageError`, `ToolError`, `RefusedError`."""
        require_name(name)
        with self._alone():
            self._clear(name)
            path = _free(folder or self.folder / name)
            if self._branch(name) is not None:
                raise UsageError(f"there is a branch {PREFIX}{name} already", hint=f"Choose another name. {_HINT}")
            try:
                head = self._repository.commit(revision)
            except ToolError as error:
                raise UsageError(error.message, hint="A worktree starts from a commit.") from error
            self._make(name, path, head)
            return Worktree(name, path, head)

    def enter(self, name: str) -> Path:
        """The folder of the worktree `name`, made at HEAD where there is none yet. Raises as `create` does."""
        found = self.find(name)
        if found is None:
            return self.create(name).path
        if not found.there:
            raise UsageError(f"the folder of the worktree {name} is gone: {found.path}", hint=_HINT)
        return found.path

    def remove(self, name: str, *, force: bool = False) -> None:
        """Remove the worktree `name` and its branch; or what is left of one that was interrupted while it was made.

        Raises `RefusedError` where that would lose changes or commits and not `force`, `UsageError` where there is none.
        """
        require_name(name)
        with self._alone():
            cleared = self._clear(name)
            found, tip = self.find(name), self._branch(name)
            if found is None and tip is None and not cleared:
                raise UsageError(f"there is no worktree {name!r}", hint=_HINT)
            if not force:
                self._refuse_loss(name, found, tip)
            if found is not None:
                self._remove(found.path)
            if tip is not None:
                self._delete_branch(name, tip)

    def prune(self) -> tuple[str, ...]:
        """Forget those whose folders are gone, and clear away what was interrupted; their names. Branches that hold commits stay."""
        with self._alone():
            marked = [mark.name.removesuffix(_MAKING) for mark in sorted(self.folder.glob(f"*{_MAKING}"))]
            for name in marked:
                self._clear(name)
            gone = [each for each in self.all() if not each.there and not each.locked]
            self._repository.answer("worktree", "prune", "--expire=now")
            for each in gone:
                if not self._lost(each.name, each.head):
                    self._delete_branch(each.name, each.head)
            return (*marked, *(each.name for each in gone))

    # Making one.

    def _make(self, name: str, path: Path, head: str) -> None:
        self._repository.require_plain()
        mark = self._mark(name)
        mark.write_bytes(msgspec.json.encode(_Mark(str(path), head)))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Git makes a worktree by starting itself, so it is not held to one process; what the guard says holds for all of them.
        git = msgspec.structs.replace(self._repository, alone=False, bounds=_CHECKOUT)
        branch = f"{PREFIX}{name}"
        try:
            git.answer("worktree", "add", "--quiet", "--no-checkout", "--no-track", "-b", branch, "--", str(path), head, more=_PLAIN)
            self._at(path).answer("reset", "--hard", "--quiet", "--no-recurse-submodules", more=_PLAIN)
        except BaseException:
            self._clear(name)
            raise
        mark.unlink()

    def _clear(self, name: str) -> bool:
        """Clear away what is left of an attempt to make `name`; False where there was none."""
        mark = self._mark(name)
        try:
            said = msgspec.json.decode(mark.read_bytes(), type=_Mark)
        except FileNotFoundError:
            return False
        except msgspec.DecodeError:
            # Killed while it was written: nothing else had begun.
            said = None
        if said is not None:
            self._remove(Path(said.path))
            if self._branch(name) == said.head:
                self._delete_branch(name, said.head)
        mark.unlink()
        return True

    # What git has.

    def _listed(self) -> list[Worktree]:
        listed = os.fsdecode(self._repository.answer("worktree", "list", "--porcelain").out)
        return [each for block in listed.split("\n\n") if (each := _parsed(block))]

    def _at(self, path: Path) -> Repository:
        layout = find_layout(path)
        if layout is None or layout.work_tree != path or layout.common_dir != self._repository.layout.common_dir:
            raise ToolError(f"{path} is no worktree of {self._repository.layout.common_dir}", hint=_HINT)
        return Repository.at(layout, self._environ, bounds=_CHECKOUT)

    def _branch(self, name: str) -> str | None:
        return self._repository.reference(f"refs/heads/{PREFIX}{name}")

    def _delete_branch(self, name: str, tip: str) -> None:
        self._repository.answer("update-ref", "-d", f"refs/heads/{PREFIX}{name}", tip)

    def _refuse_loss(self, name: str, found: Worktree | None, tip: str | None) -> None:
        if found is not None and found.locked:
            raise RefusedError(f"the worktree {name} is locked", hint="Unlock it with `git worktree unlock`, or say --force.")
        if found is not None and found.there and (changed := self._at(found.path).status()):
            some = ", ".join(repr(entry.path) for entry in changed[:3])
            raise RefusedError(f"the worktree {name} has {len(changed)} changes that are not committed: {some}", hint="--force drops them.")
        if tip is not None and self._lost(name, tip):
            raise RefusedError(f"the branch {PREFIX}{name} has commits that no other branch has", hint="Merge it, or --force drops them.")

    def _lost(self, name: str, tip: str) -> bool:
        """Whether nothing but the branch itself leads to its last commit."""
        own = f"refs/heads/{PREFIX}{name}"
        where = ("refs/heads", "refs/remotes", "refs/tags")
        answer = self._repository.answer("for-each-ref", f"--contains={tip}", "--format=%(refname)", *where)
        return all(line == own for line in os.fsdecode(answer.out).splitlines())

    def _remove(self, path: Path) -> None:
        self._sweep(path)
        if any(each.path == path for each in self._listed()):
            git = msgspec.structs.replace(self._repository, bounds=_CHECKOUT)
            if not path.exists():
                git.answer("worktree", "unlock", "--", str(path), fine=(0, 128))
                git.answer("worktree", "prune", "--expire=now")
            else:
                # Said twice, it holds for a locked one, too.
                git.answer("worktree", "remove", "--force", "--force", "--", str(path))
        if path.is_relative_to(self.folder):
            shutil.rmtree(path, ignore_errors=True)

    def _sweep(self, path: Path) -> None:
        """Remove what git left of a worktree at `path` that it was stopped in the middle of making; it would keep it for ever."""
        for entry in (self._repository.layout.common_dir / "worktrees").glob(f"{glob.escape(path.name)}*"):
            back, lock = _text(entry / "gitdir"), _text(entry / "locked")
            if lock == "initializing" and back in ("", str(path / ".git")):
                if back and _text(path / ".git") == f"gitdir: {entry}":
                    shutil.rmtree(path, ignore_errors=True)
                shutil.rmtree(entry, ignore_errors=True)

    def _mark(self, name: str) -> Path:
        return self.folder / f"{name}{_MAKING}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One kimicode at a time makes or removes worktrees of a repository."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(
                f"can't use {self.folder}: {error.strerror}", hint="Set KIMICODE_HOME to a folder that you can write."
            ) from error
        try:
            if not take(descriptor, fcntl.LOCK_EX, time.monotonic() + _WAIT_S):
                raise TemporaryError(f"another kimicode has been busy with {self.folder} for {_WAIT_S:g} s", hint="Try again later.")
            yield
        finally:
            os.close(descriptor)


def require_name(name: str) -> None:
    """`UsageError` where `name` can't be a branch's and a folder's."""
    if not _NAME.fullmatch(name) or ".." in name or name.endswith((".lock", _MAKING)):
        raise UsageError(f"{name[:80]!r} can't be the name of a worktree", hint="Use letters, digits, and . _ - between them.")


def _parsed(block: str) -> Worktree | None:
    """One worktree as `git worktree list --porcelain` writes it; None for one that is not kimicode's."""
    facts = {key: value for key, _, value in (line.partition(" ") for line in block.strip().split("\n"))}
    branch = facts.get("branch", "").removeprefix("refs/heads/")
    if not branch.startswith(PREFIX):
        return None
    path = Path(facts["worktree"])
    return Worktree(branch.removeprefix(PREFIX), path, facts["HEAD"], path.is_dir(), "locked" in facts)


def _free(path: Path) -> Path:
    """`path`, real, where a worktree can be put."""
    real = path.resolve()
    if not str(real).isprintable():
        raise UsageError(f"{str(path)!r} has characters that git does not list well", hint="Choose another folder.")
    if os.path.lexists(real) and not (real.is_dir() and not any(real.iterdir())):
        raise UsageError(f"{path} is there already", hint="Choose a folder that is not there yet.")
    return real


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "surrogateescape").strip()
    except OSError:
        return ""
