"""`git {action, …}`: status, diff, log, blame, show, and commit, of the repository that the workspace or a path lies in.

Answers are short and bounded (`git_text`), and show nothing that the policy hides (`git_scope`). A commit is judged as the shell command
that would make it, outside the sandbox: a rule or a person must allow it. What this tool does not do: run hooks, sign, rewrite history,
switch branches, or talk to another machine.
"""

import asyncio
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Final, cast

import msgspec

from kimicode.errors import ToolError
from kimicode.messages import JsonObject, ToolSpec
from kimicode.repo.git import Repository
from kimicode.repo.git_diff import split_diff
from kimicode.repo.git_parse import Entry
from kimicode.tools import git_text
from kimicode.tools.base import Foreseen, ToolContext, Touches
from kimicode.tools.git_foresight import foreseen
from kimicode.tools.git_scope import Scope, scope_of
from kimicode.tools.schemas import GIT, GIT_REQUIRED

NAME: Final = "git"
PROPERTIES: Final = GIT
REQUIRED: Final = GIT_REQUIRED

_LIMITS: Final = {"status": 100, "diff": 400, "log": 20, "blame": 60, "show": 400, "commit": 50}
_LINES: Final = re.compile(r"\s*(\d{1,9})\s*(?:[-,:]\s*(\d{1,9})\s*)?")


class Git(msgspec.Struct, frozen=True):
    """The tool. `trailers` are lines at the end of each commit's message; `environ` is the user's, by default the process's own."""

    spec: ToolSpec
    trailers: tuple[str, ...] = ()
    environ: Mapping[str, str] | None = None

    def touches(self, args: JsonObject) -> Touches:
        """It reads its paths, or the workspace; a commit is what the shell would run for it."""
        names = _names(args)
        if args["action"] == "commit":
            message = cast(str, args.get("message", ""))
            what = ["--", *names] if names else []
            return Touches(reads=names, command=shlex.join(["git", "commit", "-m", message, *what]))
        return Touches(reads=names or (".",))

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """Ask, or commit. Once begun, a commit is made or fails: a cancelled call waits for that."""
        if args["action"] != "commit":
            return await asyncio.to_thread(self._do, args, context)
        work = asyncio.ensure_future(asyncio.to_thread(self._do, args, context))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise

    async def foresee(self, args: JsonObject, context: ToolContext) -> Foreseen:
        """What a commit would record."""
        return await asyncio.to_thread(lambda: self._ask(args, context).foreseen(cast(str, args.get("message", ""))))

    def _ask(self, args: JsonObject, context: ToolContext) -> "_Ask":
        action = cast(str, args["action"])
        revision, _ = _revision(args)
        environ = os.environ if self.environ is None else self.environ
        scope = scope_of(_names(args), context, environ, outer=action == "commit")
        return _Ask(scope, revision, _lines(args), bool(args.get("staged")), cast(int, args.get("limit", _LIMITS[action])))

    def _do(self, args: JsonObject, context: ToolContext) -> str:
        ask = self._ask(args, context)
        _, inner = _revision(args)
        match cast(str, args["action"]):
            case "status":
                return ask.status()
            case "diff":
                return ask.diff()
            case "log":
                return ask.log(files=bool(args.get("files")))
            case "blame":
                return ask.blame()
            case "show":
                return ask.content() if inner else ask.show()
            case _:
                return ask.commit(cast(str, args.get("message", "")), self.trailers)


class _Ask(msgspec.Struct, frozen=True):
    """One call, its arguments read."""

    scope: Scope
    revision: str | None
    lines: tuple[int, int] | None
    staged: bool
    limit: int

    @property
    def _repository(self) -> Repository:
        return self.scope.repository

    def status(self) -> str:
        return git_text.status_text(self._head(), self.scope.entries(self._repository.status()), self.limit)

    def diff(self) -> str:
        repository, paths = self._repository, self.scope.narrowed
        ends = repository.ends(self.revision) if self.revision else None
        data = repository.diff_trees(*ends, paths=paths) if ends else repository.diff(self.revision, staged=self.staged, paths=paths)
        return self._diff_text(data) or self._no_difference()

    def log(self, *, files: bool) -> str:
        paths = self.scope.paths
        if self.lines and len(paths) != 1:
            raise ToolError("git log: lines needs the path of one file.")
        commits = self._repository.log(self.limit + 1, revision=self.revision or "HEAD", paths=paths, lines=self.lines, files=files)
        if not commits:
            return "There are no such commits." if self._repository.head() else "There are no commits yet."
        return git_text.log_text(self.scope.commits(commits), self.limit)

    def blame(self) -> str:
        (path,) = self._one("blame")
        return git_text.blame_text(self._repository.blame(path, revision=self.revision, lines=self.lines), self.limit)

    def show(self) -> str:
        repository = self._repository
        if self.revision and ".." in self.revision:
            raise ToolError("git show takes one revision. For a range use log or diff.")
        (commit,) = repository.log(1, revision=self.revision or "HEAD") or (None,)
        if commit is None:
            raise ToolError("there are no commits yet, so there is nothing to show.")
        data = repository.diff_trees(repository.parent(commit), commit.oid, paths=self.scope.narrowed)
        return f"{git_text.commit_text(commit)}\n\n{self._diff_text(data) or self._no_difference()}"

    def content(self) -> str:
        """A file as it was."""
        (path,) = self._one("show")
        repository = self._repository
        data = repository.blob(repository.resolve(f"{repository.commit(self.revision or 'HEAD')}:{path}"))
        if b"\0" in data:
            raise ToolError(f"{self.scope.name(path)} is binary in that revision ({len(data):,} bytes).")
        lines = data.decode("utf-8", "replace").split("\n")
        first, last = self.lines or (1, self.limit)
        part = "\n".join(lines[first - 1 : last])
        return part if last >= len(lines) else f"{part}\n[{len(lines) - last} more lines: send lines, such as {last + 1}-{len(lines)}]"

    def commit(self, message: str, trailers: Sequence[str]) -> str:
        self._require_whole(message)
        promised = self.scope.context.promised
        if promised is not None and self.foreseen(message).states != promised:
            raise ToolError("git commit: files changed meanwhile, so this is not what the user allowed. Nothing was committed.")
        paths = () if self.staged else self._changed(self._entries())
        made = self._repository.make_commit(message, trailers=trailers, paths=paths)
        (commit,) = self.scope.commits(self._repository.log(1, revision=made, files=True))
        return f"Committed {git_text.log_text((commit,), 1)}"

    def foreseen(self, message: str) -> Foreseen:
        """What a commit would record."""
        self._require_whole(message)
        return foreseen(self._repository, self._entries(), staged=self.staged)

    def _require_whole(self, message: str) -> None:
        if not message.strip():
            raise ToolError("git commit: message is missing. Send the whole commit message.")
        if bool(self.scope.paths) == self.staged:
            raise ToolError('git commit: say what to commit: paths ("." for all changes, new files too), or staged for what is staged.')

    def _entries(self) -> tuple[Entry, ...]:
        """What a commit is about: what is staged, or what was named and may be seen, and no repository that merely lies there."""
        status = self._repository.status()
        if self.staged:
            return tuple(entry for entry in status if entry.staged not in ".?!")
        scope = self.scope
        found = (entry for entry in status if scope.asked(entry.path) and scope.visible(entry.path, entry.origin))
        entries = tuple(entry for entry in found if not entry.path.endswith("/"))
        if not entries:
            raise ToolError("git commit: nothing there differs from the last commit.", hint="Use status to see what does.")
        return entries

    def _changed(self, entries: Sequence[Entry]) -> tuple[str, ...]:
        """The files to commit, as git names them: both names of what was moved."""
        return tuple(dict.fromkeys(path for entry in entries for path in (entry.path, entry.origin) if path))

    def _one(self, action: str) -> tuple[str]:
        if len(self.scope.paths) != 1:
            raise ToolError(f"git {action}: send the path of one file.")
        return (self.scope.paths[0],)

    def _head(self) -> str:
        repository = self._repository
        branch, head = repository.branch(), repository.log(1)
        where = f"On {branch}" if branch else "On no branch"
        at = f"{where} at {git_text.log_text(head, 1)}" if head else f"{where}, no commits yet"
        return f"{at} (a merge, pick, revert or rebase is going on)" if repository.merging() else at

    def _diff_text(self, data: bytes) -> str:
        return git_text.diff_text(self.scope.files(split_diff(data)), self.limit)

    def _no_difference(self) -> str:
        if self.revision or self.staged:
            return "No difference."
        return "No difference between the files and the index. New files are in status; staged=true shows what is staged."


def _names(args: JsonObject) -> tuple[str, ...]:
    """The paths that a call names, wherever it does."""
    _, inner = _revision(args)
    one = [cast(str, args["path"])] if "path" in args else []
    return tuple(dict.fromkeys([*one, *cast("list[str]", args.get("paths", [])), *([inner] if inner else [])]))


def _revision(args: JsonObject) -> tuple[str | None, str]:
    """The revision, and the path where it has the form `REVISION:PATH`."""
    revision, _, inner = cast(str, args.get("revision", "")).partition(":")
    return revision or None, inner


def _lines(args: JsonObject) -> tuple[int, int] | None:
    text = cast("str | None", args.get("lines"))
    if text is None:
        return None
    found = _LINES.fullmatch(text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last:
        raise ToolError(f"lines is {text[:40]!r}: send the first and the last line, from 1, such as 10-40.")
    return first, last
