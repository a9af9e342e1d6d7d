"""Committing: what is staged, or some files as they are, with no program started beside git; or all as the user's own git would.

A guarded commit runs no hooks, signs nothing and applies no filters. Where the user's own commit would do any of that, it is refused, for
it would be another commit than the user expects. What this module does not do: write messages, ask, or decide that a commit is made.
"""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import RefusedError, ToolError
from kimicode.repo.git_call import text_of
from kimicode.repo.git_history import History
from kimicode.repo.git_run import run_as_user

_HOOKS: Final = (
    *("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-merge-commit"),
    *("reference-transaction", "post-index-change"),
)
_NAMES: Final = tuple(f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL", "DATE"))
"""Variables that say who commits and when; they name no program."""

_TRAILER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*: .*")
_ADVICE: Final = "`kimicode commit --hooks` commits as the user's own git does, hooks, signature and filters included."


class Obstacles(msgspec.Struct, frozen=True):
    """What the user's own commit would do that a guarded one does not: the hooks it would run, whether it would sign, and the paths
    whose content a filter (such as Git LFS) would change on its way in."""

    hooks: tuple[str, ...] = ()
    signs: bool = False
    filtered: tuple[str, ...] = ()


class Committer(History, frozen=True):
    """Makes commits."""

    def obstacles(self, paths: Sequence[str] = ()) -> Obstacles:
        """What stands in the way of a guarded commit here; `paths` are those whose content would be taken from the files."""
        return Obstacles(self.commit_hooks(), self._signs(), self._filtered(paths))

    def commit_hooks(self) -> tuple[str, ...]:
        """The hooks that git would run for a commit: files, and those that the configuration names."""
        folder = self.hooks_folder()
        files = [name for name in _HOOKS if (folder / name).is_file() and os.access(folder / name, os.X_OK)]
        set_up = {found[1] for name in self._names() if (found := re.fullmatch(r"hook\.(.*)\.command", name, re.DOTALL))}
        return (*files, *sorted(set_up))

    def identity(self) -> str:
        """Name and address of whoever would commit. Raises `ToolError` where git does not know."""
        answer = self.answer("var", "GIT_COMMITTER_IDENT", fine=(0, 128), variables=self._who())
        if answer.code:
            raise ToolError(
                f"git does not know who commits in {self.work_tree}",
                hint="The user has to say it once: git config --global user.name NAME, and user.email ADDRESS.",
            )
        return text_of(answer).rpartition(">")[0] + ">"

    def make_commit(
        self,
        message: str,
        *,
        trailers: Sequence[str] = (),
        paths: Sequence[str] = (),
        tracked: bool = False,
        skip_hooks: bool = False,
    ) -> str:
        """Commit and return the commit's name: what is staged; or all changes of `tracked` files; or the files `paths` alone, as they are.

        `paths` may be new or deleted; what else is staged stays so. Raises `RefusedError` where there are obstacles (of the hooks,
        `skip_hooks` makes none), `ToolError` where there is nothing to commit, or git refuses.
        """
        text = with_trailers(message, trailers)
        if not text.strip():
            raise ToolError("the commit has no message")
        content = paths or ([entry.path for entry in self.status(untracked=False) if entry.unstaged != "."] if tracked else ())
        _refuse(self.obstacles(content), skip_hooks=skip_hooks)
        self.require_plain()
        self.identity()
        with tempfile.TemporaryDirectory(prefix="kimicode-commit-") as folder:
            said, named = Path(folder, "message"), Path(folder, "paths")
            said.write_text(text, "utf-8", "replace")
            listing = os.fsencode("".join(f"{path}\0" for path in paths))
            named.write_bytes(listing)
            listed = (f"--pathspec-from-file={named}", "--pathspec-file-nul")
            if paths:
                # Unlike `git add` it takes names that are gone from files and index both, as of what was moved and staged.
                self.answer("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=listing)
            return self._commit([f"--file={said}", *(["--only", *listed] if paths else ["--all"] if tracked else [])])

    def commit_as_user(self, message: str, folder: Path, *, tracked: bool = False) -> int:
        """Run `git commit` in `folder` just as the user would, with the user's environment, terminal, hooks and programs; its exit code."""
        with tempfile.TemporaryDirectory(prefix="kimicode-commit-") as place:
            said = Path(place, "message")
            said.write_text(message, "utf-8", "replace")
            more = ["--all"] if tracked else []
            return run_as_user(self.program, ["commit", "--cleanup=whitespace", f"--file={said}", *more], folder, self.environ)

    def prepared_message(self) -> str | None:
        """What git has put down for the commit that concludes a merge, a pick or a revert, without its comments; None where nothing."""
        try:
            text = (self.layout.git_dir / "MERGE_MSG").read_bytes()
        except OSError:
            return None
        answer = self.answer("stripspace", "--strip-comments", stdin=text)
        return answer.out.decode("utf-8", "replace").strip() or None

    def _commit(self, more: Sequence[str]) -> str:
        plain = ("--quiet", "--no-verify", "--no-gpg-sign", "--no-status", "--cleanup=whitespace")
        encoding = (("i18n.commitEncoding", "UTF-8"),)
        answer = self.answer("commit", *plain, *more, fine=(0, 1), more=encoding, variables=self._who())
        if answer.code:
            reason = (answer.complaint.strip().splitlines() or ["there is nothing to commit"])[0].removeprefix("error: ")
            raise ToolError(f"git commit failed in {self.work_tree}: {reason}")
        made = self.head()
        assert made is not None
        return made

    def _who(self) -> Mapping[str, str]:
        return {name: self.environ[name] for name in _NAMES if name in self.environ}

    def _signs(self) -> bool:
        return (self.config("commit.gpgSign") or "false").lower() not in ("false", "no", "off", "0", "")

    def _filtered(self, paths: Sequence[str]) -> tuple[str, ...]:
        drivers = {
            name.split(".", 1)[1].rpartition(".")[0]
            for name in self._names()
            if re.fullmatch(r"filter\..*\.(clean|process)", name, re.DOTALL)
        }
        if not paths or not drivers:
            return ()
        found = self.attributes(paths, ["filter"], staged=False)
        return tuple(path for path in paths if found[path].get("filter") in drivers)


def with_trailers(message: str, trailers: Sequence[str]) -> str:
    """The message with lines such as `Assisted-by: NAME` at its end, in one paragraph with those that it has; none twice."""
    text = message.strip()
    missing = [trailer for trailer in dict.fromkeys(trailers) if trailer not in text.splitlines()]
    if not missing or not text:
        return f"{text}\n"
    _, blank, last = text.rpartition("\n\n")
    joined = blank and all(_TRAILER.fullmatch(line) for line in last.splitlines())
    return f"{text}{'' if joined else chr(10)}\n{chr(10).join(missing)}\n"


def _refuse(obstacles: Obstacles, *, skip_hooks: bool) -> None:
    if obstacles.hooks and not skip_hooks:
        raise RefusedError(f"a commit here runs hooks ({', '.join(obstacles.hooks)}), and kimicode runs none by itself", hint=_ADVICE)
    if obstacles.signs:
        raise RefusedError("commits are signed here (commit.gpgSign), and kimicode starts no program that signs", hint=_ADVICE)
    if obstacles.filtered:
        shown = ", ".join(map(repr, obstacles.filtered[:3])) + (", …" if len(obstacles.filtered) > 3 else "")
        raise RefusedError(f"a filter changes what is committed of {shown}, and kimicode starts none", hint=_ADVICE)
