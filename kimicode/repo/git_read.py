"""What a git repository can be asked: status, differences, objects, configuration. Nothing is written, no lock is taken.

What this module does not do: make sure that asking starts nothing (`git_call`), know the past (`git_history`), write (`git`), or talk to
another machine.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from kimicode.errors import ToolError
from kimicode.repo.git_call import Guarded, text_of
from kimicode.repo.git_guard import GUARD, SENTINEL
from kimicode.repo.git_parse import (
    Entry,
    IndexFile,
    parse_attributes,
    parse_index,
    parse_objects,
    parse_status,
    without_empty,
)

_OID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SETTING: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*(?:\.[^\0\n]+)?\.[A-Za-z][A-Za-z0-9-]*")
_ATTRIBUTE: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
_NOTES: Final = re.compile(r"refs/notes/[A-Za-z0-9_][A-Za-z0-9_./-]*")
_BARE: Final = ((SENTINEL, "true"),)
EMPTY_TREES: Final = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
"""The tree without files, which git knows in every repository, by the length of names there."""

_STATUS: Final = ("status", "--porcelain=v2", "-z", "--ignore-submodules=dirty", "--find-renames")
_DIFF: Final = (
    *("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short", "--ignore-submodules=dirty", "--full-index"),
    *("--find-renames", "--src-prefix=a/", "--dst-prefix=b/", "--no-relative", "--inter-hunk-context=0", "--diff-algorithm=default"),
    *("-O/dev/null", "--patch"),
)


class Reader(Guarded, frozen=True):
    """What a repository can be asked."""

    def head(self) -> str | None:
        """The commit that is checked out; None before the first one."""
        answer = self.answer("rev-parse", "--verify", "--quiet", "HEAD^{commit}", fine=(0, 1))
        return text_of(answer) or None

    def branch(self) -> str | None:
        """The branch that is checked out, also before its first commit; None where a commit is checked out itself."""
        answer = self.answer("symbolic-ref", "--quiet", "HEAD", fine=(0, 1))
        return text_of(answer).removeprefix("refs/heads/") or None

    def status(self, *, untracked: bool = True, ignored: bool = False) -> tuple[Entry, ...]:
        """What differs between commit, index and files. Each untracked file counts, not its folder alone."""
        more = ("--untracked-files=all" if untracked else "--untracked-files=no", f"--ignored={'matching' if ignored else 'no'}")
        return parse_status(self.answer(*_STATUS, *more).out)

    def diff(self, base: str | None = None, *, staged: bool = False, paths: Sequence[str] = (), context: int = 3) -> bytes:
        """A unified diff. Without `base`: files against the index, or, `staged`, the index against the commit. With it: against `base`.

        `paths` are below the working tree and taken literally. Untracked files are in none.
        """
        where = [*(["--cached"] if staged else []), *([] if base is None else [base if _OID.fullmatch(base) else self.commit(base)])]
        return without_empty(self.answer(*_DIFF, f"--unified={context}", *where, "--", *paths).out)

    def diff_trees(self, old: str, new: str, *, paths: Sequence[str] = (), context: int = 3) -> bytes:
        """A unified diff between two commits or trees, given by revision or object name; neither index nor files count."""
        ends = [each if _OID.fullmatch(each) else self.resolve(each) for each in (old, new)]
        return without_empty(self.answer(*_DIFF, f"--unified={context}", *ends, "--", *paths).out)

    def merging(self) -> bool:
        """True while a merge, pick, revert or rebase is being concluded: not all that is staged is of the user's making."""
        names = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
        return any(os.path.lexists(self.layout.git_dir / name) for name in names)

    def sha256(self) -> bool:
        """True where objects have names of 64 digits."""
        return text_of(self.answer("rev-parse", "--show-object-format")) == "sha256"

    def resolve(self, revision: str) -> str:
        """The name of the object that `revision` means (`HEAD~2`, a branch, `HEAD:path`)."""
        if not revision or revision[0] in "-^" or re.search(r"[\0\n]|\.\.", revision):
            raise ToolError(f"{revision!r} names no single revision", hint="Name a branch, a tag or a commit.")
        exact = revision if ":" in revision else f"{revision}^{{object}}"
        found = text_of(self.answer("rev-parse", "--verify", "--quiet", "--end-of-options", exact, fine=(0, 1, 128)))
        if not _OID.fullmatch(found):
            named = revision.removesuffix("^{commit}")
            raise ToolError(f"there is no revision {named!r} in {self.work_tree}", hint="Name a branch, a tag or a commit.")
        return found

    def commit(self, revision: str) -> str:
        """The commit that `revision` means, through tags."""
        return self.resolve(f"{revision}^{{commit}}")

    def reference(self, name: str) -> str | None:
        """What the reference `name`, spelt whole (`refs/heads/main`), names now; None where there is none."""
        if not name.startswith("refs/"):
            raise ToolError(f"{name!r} is no whole name of a reference", hint="Name one like refs/heads/main.")
        return text_of(self.answer("rev-parse", "--verify", "--quiet", "--end-of-options", name, fine=(0, 1, 128))) or None

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor of two revisions; None where they have none."""
        return text_of(self.answer("merge-base", self.commit(one), self.commit(other), fine=(0, 1))) or None

    def ls_files(self, paths: Sequence[str] = ()) -> tuple[IndexFile, ...]:
        """The files of the index."""
        return parse_index(self.answer("ls-files", "-z", "--stage", "--full-name", "--", *paths).out)

    def blob(self, oid: str) -> bytes:
        """The content of the file object `oid`, byte by byte as it is stored."""
        return self.blobs((oid,))[oid]

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """The contents of many file objects, in one call."""
        asked = tuple(dict.fromkeys(oids))
        wrong = next((oid for oid in asked if not _OID.fullmatch(oid)), None)
        if wrong is not None:
            raise ToolError(f"{wrong!r} is no name of an object", hint="Take the names from ls_files, status or resolve.")
        answer = self.answer("cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in asked).encode())
        found = {name: content for name, kind, content in parse_objects(answer.out) if kind == "blob"}
        if missing := [oid for oid in asked if oid not in found]:
            raise ToolError(f"{missing[0]} is no file object in {self.layout.git_dir}")
        return found

    def config(self, name: str) -> str | None:
        """The value that is in force for the user here, such as `commit.gpgsign`; None where there is none. Not what kimicode sets."""
        if not _SETTING.fullmatch(name):
            raise ToolError(f"{name!r} names no setting of git", hint="Name one like core.hooksPath.")
        # Reading settings starts nothing; with the guard, it would be the guard's that are read.
        answer = self.checked(_BARE, "config", "-z", "--get", name, fine=(0, 1))
        return os.fsdecode(answer.out).removesuffix("\0") if answer.code == 0 else None

    def hooks_folder(self) -> Path:
        """Where git looks for hooks here, `core.hooksPath` respected; it need not exist."""
        unmoved = tuple(pair for pair in GUARD if pair[0] != "core.hooksPath")
        found = os.fsdecode(self.checked(unmoved, "rev-parse", "--git-path", "hooks").out).removesuffix("\n")
        return Path(os.path.normpath(self.work_tree / found))

    def attributes(self, paths: Iterable[str], names: Iterable[str], *, staged: bool = True) -> dict[str, dict[str, str]]:
        """The git attributes `names` of each path: "set", "unset" or a value; those that nothing is said of are left out.

        Those of the repository alone count, not the user's own. `staged`: as the index has them, else as the files say.
        """
        asked, wanted = tuple(dict.fromkeys(paths)), tuple(names)
        if (wrong := next((name for name in wanted if not _ATTRIBUTE.fullmatch(name)), None)) is not None:
            raise ToolError(f"{wrong!r} is no name of an attribute", hint="Name one like linguist-generated.")
        if not asked or not wanted:
            return {path: {} for path in asked}
        stdin = os.fsencode("".join(f"{path}\0" for path in asked))
        answer = self.answer("check-attr", "-z", "--stdin", *(["--cached"] if staged else []), *wanted, stdin=stdin)
        return {path: {} for path in asked} | parse_attributes(answer.out)


def notes_ref(ref: str) -> str:
    """`ref` where it is a full reference of notes. Raises `ToolError`."""
    if not _NOTES.fullmatch(ref) or ".." in ref or ref.endswith((".", ".lock", "/")) or "//" in ref:
        raise ToolError(f"{ref!r} is no reference of notes", hint="Name one like refs/notes/kimicode.")
    return ref
