"""What a git repository can be asked about its past: commits, whole or by path or line, and who wrote which line.

What this module does not do: follow a file through the names it had, or show what a commit changed (`Reader.diff_trees`).
"""

from collections.abc import Sequence
from typing import Final

from kimicode.errors import ToolError
from kimicode.repo.git_parse import LOG_FORMAT, Commit, Span, parse_blame, parse_log
from kimicode.repo.git_read import EMPTY_TREES, Reader

_LOG: Final = (
    *("log", "-z", f"--format=tformat:{LOG_FORMAT}", "--no-show-signature", "--no-notes", "--encoding=UTF-8", "--no-follow"),
    *("--no-ext-diff", "--no-textconv", "--no-color", "--find-renames", "--ignore-submodules=dirty"),
)
_MORE: Final = (("log.showRoot", "true"), ("log.diffMerges", "separate"), ("blame.ignoreRevsFile", ""))
"""A file of revisions to pass over that is not there would be an error."""


class History(Reader, frozen=True):
    """What a repository can be asked about its past."""

    def log(
        self,
        limit: int,
        *,
        revision: str = "HEAD",
        paths: Sequence[str] = (),
        lines: tuple[int, int] | None = None,
        files: bool = False,
        skip_merges: bool = False,
    ) -> tuple[Commit, ...]:
        """The last `limit` commits, newest first, up to `revision`, which may be a range (`A..B`, `A...B`).

        `paths`: only those that touch one of them; with `lines` (first and last, from 1), only those that touch these lines of the one
        path. `files`: with what each changed; what a merge changed is not told.
        """
        if revision == "HEAD" and self.head() is None:
            return ()
        past = self._range(revision)
        what = ["--name-status"] if files and lines is None else ["--no-patch"]
        what += ["--no-merges"] if skip_merges else []
        where = ["--", *paths]
        if lines is not None:
            (path,) = paths
            what, where = [*what, f"-L{lines[0]},{lines[1]}:{path}"], ["--"]
        return parse_log(self.answer(*_LOG, f"--max-count={limit}", *what, *past, *where, more=_MORE).out)

    def blame(self, path: str, *, revision: str | None = None, lines: tuple[int, int] | None = None) -> tuple[Span, ...]:
        """Who wrote the lines of the file `path`, as it is now or at `revision`: all, or from the first to the last of `lines`, from 1."""
        at = [] if revision is None else [self.commit(revision)]
        where = [] if lines is None else [f"-L{lines[0]},{lines[1]}"]
        return parse_blame(self.answer("blame", "--porcelain", "--no-textconv", *where, *at, "--", path, more=_MORE).out)

    def ends(self, revision: str) -> tuple[str, str] | None:
        """What a range compares: `A..B` the two, `A...B` their common ancestor and B; None for what is no range. Empty is HEAD."""
        if ".." not in revision:
            return None
        dots = "..." if "..." in revision else ".."
        left, right = (self.commit(end or "HEAD") for end in revision.split(dots, 1))
        if dots == "..":
            return left, right
        base = self.merge_base(left, right)
        if base is None:
            raise ToolError(f"{revision!r}: the two have no common ancestor", hint="Name the range with two dots.")
        return base, right

    def parent(self, commit: Commit) -> str:
        """What a commit is compared with: its first parent, or nothing at all."""
        return commit.parents[0] if commit.parents else EMPTY_TREES[len(commit.oid)]

    def _range(self, revision: str) -> list[str]:
        ends = self.ends(revision)
        return [self.commit(revision)] if ends is None else [ends[1], f"^{ends[0]}"]
