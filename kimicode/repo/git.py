"""A git repository to read from: status, differences, objects, history. The only way in kimicode to run git.

Nothing that a repository says is executed (`git_guard`), git is told where the repository is instead of asking it (`git_find`), the
environment is new (`git_run`), and no lock is taken. What this module does not do: write anything, the index included, or talk to
another machine. Its calls wait for git; a caller on an event loop gives them to a thread.

Every method raises `ToolError` where git fails (with git's own first line), takes too long or writes too much.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import ToolError
from kimicode.repo.git_find import Layout, find_layout
from kimicode.repo.git_guard import GUARD, SENTINEL, Settings, disarmed, environment
from kimicode.repo.git_parse import (
    LOG_FORMAT,
    Commit,
    Entry,
    IndexFile,
    parse_index,
    parse_log,
    parse_objects,
    parse_status,
    without_empty,
)
from kimicode.repo.git_run import DEFAULT_BOUNDS, Answer, Bounds, Order, execute, locate

_OID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_STATUS: Final = ("status", "--porcelain=v2", "-z", "--ignore-submodules=dirty", "--find-renames")
_DIFF: Final = (
    *("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short", "--ignore-submodules=dirty", "--full-index"),
    *("--find-renames", "--src-prefix=a/", "--dst-prefix=b/", "--no-relative", "--inter-hunk-context=0", "--diff-algorithm=default"),
    *("-O/dev/null", "--patch"),
)
_LOG: Final = ("log", "-z", f"--format=tformat:{LOG_FORMAT}", "--no-patch", "--no-show-signature", "--no-notes", "--encoding=UTF-8")


class Repository(msgspec.Struct, frozen=True):
    """One working tree and its repository. `index`: another index than the repository's own, as in a hook; only where asked for."""

    layout: Layout
    program: Path
    environ: Mapping[str, str]
    index: Path | None = None
    bounds: Bounds = DEFAULT_BOUNDS
    alone: bool = True

    @classmethod
    def find(
        cls, path: Path, environ: Mapping[str, str], *, index: Path | None = None, bounds: Bounds = DEFAULT_BOUNDS
    ) -> "Repository | None":
        """The repository that `path` lies in; None where there is none. `environ` is the user's: of it, `PATH` and `HOME` count.

        Raises `UsageError` where a `.git` leads somewhere else, `ToolError` where there is no git or one that is too old, `OSError`.
        """
        layout = find_layout(path)
        if layout is None:
            return None
        repository = cls(layout, locate(environ.get("PATH"), layout.work_tree), environ, index, bounds)
        # A git that is a script starts the real one as another process.
        if repository._run(GUARD, "version").code:
            repository = msgspec.structs.replace(repository, alone=False)
            repository._checked(GUARD, "version")
        return repository

    @property
    def work_tree(self) -> Path:
        """The folder with the files."""
        return self.layout.work_tree

    def head(self) -> str | None:
        """The commit that is checked out; None before the first one."""
        answer = self._answer("rev-parse", "--verify", "--quiet", "HEAD^{commit}", fine=(0, 1))
        return _text(answer) or None

    def branch(self) -> str | None:
        """The branch that is checked out, also before its first commit; None where a commit is checked out itself."""
        answer = self._answer("symbolic-ref", "--quiet", "HEAD", fine=(0, 1))
        return _text(answer).removeprefix("refs/heads/") or None

    def status(self, *, untracked: bool = True, ignored: bool = False) -> tuple[Entry, ...]:
        """What differs between commit, index and files. Each untracked file counts, not its folder alone."""
        more = ("--untracked-files=all" if untracked else "--untracked-files=no", f"--ignored={'matching' if ignored else 'no'}")
        return parse_status(self._answer(*_STATUS, *more).out)

    def diff(self, base: str | None = None, *, staged: bool = False, paths: Sequence[str] = (), context: int = 3) -> bytes:
        """A unified diff. Without `base`: files against the index, or, `staged`, the index against the commit. With it: against `base`.

        `paths` are below the working tree and taken literally. Untracked files are in none.
        """
        where = [*(["--cached"] if staged else []), *([] if base is None else [self.commit(base)])]
        return without_empty(self._answer(*_DIFF, f"--unified={context}", *where, "--", *paths).out)

    def diff_trees(self, old: str, new: str, *, paths: Sequence[str] = (), context: int = 3) -> bytes:
        """A unified diff between two commits or trees, given by revision or object name; neither index nor files count."""
        ends = [each if _OID.fullmatch(each) else self.resolve(each) for each in (old, new)]
        return without_empty(self._answer(*_DIFF, f"--unified={context}", *ends, "--", *paths).out)

    def merging(self) -> bool:
        """True while a merge, pick, revert or rebase is being concluded: not all that is staged is of the user's making."""
        names = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
        return any(os.path.lexists(self.layout.git_dir / name) for name in names)

    def sha256(self) -> bool:
        """True where objects have names of 64 digits."""
        return _text(self._answer("rev-parse", "--show-object-format")) == "sha256"

    def resolve(self, revision: str) -> str:
        """The name of the object that `revision` means (`HEAD~2`, a branch, `HEAD:path`)."""
        if not revision or revision[0] in "-^" or re.search(r"[\0\n]|\.\.", revision):
            raise ToolError(f"{revision!r} names no single revision", hint="Name a branch, a tag or a commit.")
        exact = revision if ":" in revision else f"{revision}^{{object}}"
        found = _text(self._answer("rev-parse", "--verify", "--quiet", "--end-of-options", exact, fine=(0, 1, 128)))
        if not _OID.fullmatch(found):
            raise ToolError(f"there is no revision {revision!r} in {self.work_tree}", hint="Name a branch, a tag or a commit.")
        return found

    def commit(self, revision: str) -> str:
        """The commit that `revision` means, through tags."""
        return self.resolve(f"{revision}^{{commit}}")

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor of two revisions; None where they have none."""
        return _text(self._answer("merge-base", self.commit(one), self.commit(other), fine=(0, 1))) or None

    def log(self, limit: int, *, revision: str = "HEAD", paths: Sequence[str] = ()) -> tuple[Commit, ...]:
        """The last `limit` commits, newest first; only those that touch `paths`, where there are any."""
        if revision == "HEAD" and self.head() is None:
            return ()
        return parse_log(self._answer(*_LOG, f"--max-count={limit}", self.commit(revision), "--", *paths).out)

    def ls_files(self, paths: Sequence[str] = ()) -> tuple[IndexFile, ...]:
        """The files of the index."""
        return parse_index(self._answer("ls-files", "-z", "--stage", "--full-name", "--", *paths).out)

    def blob(self, oid: str) -> bytes:
        """The content of the file object `oid`, byte by byte as it is stored."""
        return self.blobs((oid,))[oid]

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """The contents of many file objects, in one call."""
        asked = tuple(dict.fromkeys(oids))
        wrong = next((oid for oid in asked if not _OID.fullmatch(oid)), None)
        if wrong is not None:
            raise ToolError(f"{wrong!r} is no name of an object", hint="Take the names from ls_files, status or resolve.")
        answer = self._answer("cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in asked).encode())
        found = {name: content for name, kind, content in parse_objects(answer.out) if kind == "blob"}
        if missing := [oid for oid in asked if oid not in found]:
            raise ToolError(f"{missing[0]} is no file object in {self.layout.git_dir}")
        return found

    def _answer(self, *arguments: str, fine: tuple[int, ...] = (0,), stdin: bytes = b"") -> Answer:
        """Run git, guarded against every driver that is set up at this moment."""
        names = os.fsdecode(self._checked(GUARD, "config", "--list", "-z", "--name-only").out).split("\0")
        if SENTINEL not in names:
            raise ToolError(f"{self.program} is too old to be run safely", hint="Install git 2.31 or later.")
        return self._checked((*GUARD, *disarmed(names)), *arguments, fine=fine, stdin=stdin)

    def _checked(self, settings: Settings, *arguments: str, fine: tuple[int, ...] = (0,), stdin: bytes = b"") -> Answer:
        answer = self._run(settings, *arguments, stdin=stdin)
        if answer.code not in fine:
            line = (answer.complaint.strip().splitlines() or [f"exit code {answer.code}"])[0].removeprefix("fatal: ")
            raise ToolError(f"git {arguments[0]} failed in {self.work_tree}: {line}")
        return answer

    def _run(self, settings: Settings, *arguments: str, stdin: bytes = b"") -> Answer:
        environ = environment(self.layout, self.environ, settings, self.index)
        return execute(Order(self.program, arguments, environ, self.work_tree, stdin, self.alone), self.bounds)


def _text(answer: Answer) -> str:
    return os.fsdecode(answer.out).strip() if answer.code == 0 else ""
