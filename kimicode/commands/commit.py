"""`kimicode commit`: commit what is staged, with a message that a model writes where the user gives none.

The message is shown and asked about before anything is committed. Hooks and signing programs run only where the user says `--hooks`: then
git does all it would do by itself. What this module does not do: stage new files, amend, or push.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TextIO

import msgspec

from kimicode.agent.commit_message import write_message
from kimicode.commands.folder import current_folder
from kimicode.errors import RefusedError, UsageError
from kimicode.model.client import ModelClient
from kimicode.model.factory import make_client
from kimicode.model.target import resolve
from kimicode.repo.git import Repository
from kimicode.repo.git_commit import Obstacles, with_trailers
from kimicode.repo.git_read import EMPTY_TREES
from kimicode.settings import Settings, load_settings
from kimicode.streams import complain, write_payload

_SUBJECTS: Final = 10


class Wanted(msgspec.Struct, frozen=True):
    """What the user asked for. `tracked`: all changes of tracked files, staged or not. `message` None: one is written. `yes`: don't ask.
    `trailer`: a message that a model wrote says so. `hooks`: as the user's own git does it; `no_verify`: without any hooks."""

    tracked: bool = False
    message: str | None = None
    yes: bool = False
    trailer: bool = False
    hooks: bool = False
    no_verify: bool = False


class Terminal(msgspec.Struct, frozen=True):
    """Where the user is asked: None for `ask` where nobody is there. `ask` shows a question and gives the answer; `edit` gives a text to
    the user to change."""

    ask: Callable[[str], str] | None
    edit: Callable[[str], str]


def commit_command(
    tracked: bool,
    message: str | None,
    yes: bool,
    trailer: bool | None,
    hooks: bool,
    no_verify: bool,
    flags: Mapping[str, object],
) -> int:
    """Commit in the current folder; the exit code. `trailer` None leaves it to the settings. Raises `KimicodeError`."""
    settings = load_settings(os.environ, flags)
    wanted = Wanted(tracked, message, yes, settings.git.trailer if trailer is None else trailer, hooks, no_verify)
    terminal = Terminal(_asker(sys.stdin, sys.stderr), lambda text: edited(text, os.environ))
    return commit(wanted, current_folder(), os.environ, terminal, lambda: _client(settings, os.environ))


def commit(wanted: Wanted, folder: Path, environ: Mapping[str, str], terminal: Terminal, client: Callable[[], ModelClient]) -> int:
    """Commit in the repository of `folder`; the exit code. `client` is called only where a message has to be written."""
    if wanted.hooks and wanted.no_verify:
        raise UsageError("--hooks and --no-verify exclude each other", hint="One runs the hooks, the other leaves them out.")
    repository = Repository.find(folder, environ)
    if repository is None:
        raise UsageError(f"{folder} is in no git repository", hint="Change to one, or make one with: git init")
    diff = _diff(repository, wanted)
    if not wanted.hooks:
        _refuse(repository, wanted)
        repository.identity()
    tree = None if wanted.tracked else repository.write_tree()
    message = _message(repository, wanted, diff, client)
    if wanted.message is None and not wanted.yes:
        message = _agreed(message, terminal)
    if tree is not None and repository.write_tree() != tree:
        raise UsageError("what is staged was changed in the meantime; nothing was committed", hint="Run kimicode commit again.")
    return _commit(repository, wanted, message, folder)


def _diff(repository: Repository, wanted: Wanted) -> bytes:
    """What would be committed. Raises `UsageError` where that is nothing, or can't be."""
    if conflicts := [entry.path for entry in repository.status(untracked=False) if entry.conflicted]:
        raise UsageError(f"{conflicts[0]} is in conflict", hint="Resolve it, and stage it with: git add")
    if wanted.tracked:
        diff = repository.diff(repository.head() or EMPTY_TREES[64 if repository.sha256() else 40])
    else:
        diff = repository.diff(staged=True)
    if not diff and not repository.merging():
        advice = "Files that are new have to be added: git add FILE" if wanted.tracked else "Stage something: git add FILE; or say --all."
        raise UsageError("nothing is changed" if wanted.tracked else "nothing is staged", hint=advice)
    return diff


def _refuse(repository: Repository, wanted: Wanted) -> None:
    paths = [entry.path for entry in repository.status(untracked=False) if entry.unstaged != "."] if wanted.tracked else ()
    found: Obstacles = repository.obstacles(paths)
    if found.hooks and not wanted.no_verify:
        raise RefusedError(
            f"this repository runs hooks when something is committed: {', '.join(found.hooks)}",
            hint="Say --hooks to run them as git commit does, or --no-verify to commit without them.",
        )
    if found.signs or found.filtered:
        reason = (
            "commits are signed here (commit.gpgSign)" if found.signs else f"a filter changes what is committed of {found.filtered[0]!r}"
        )
        raise RefusedError(f"{reason}, which kimicode does not do by itself", hint="Say --hooks to commit just as git commit does.")


def _message(repository: Repository, wanted: Wanted, diff: bytes, client: Callable[[], ModelClient]) -> str:
    if wanted.message is not None:
        if not wanted.message.strip():
            raise UsageError("the message is empty", hint="Give --message a text, or leave it out to have one written.")
        return wanted.message.strip()
    prepared = repository.prepared_message() if repository.merging() else None
    if prepared is not None:
        return prepared
    subjects = [commit.subject for commit in repository.log(_SUBJECTS, skip_merges=True)]
    written, model = asyncio.run(_written(client(), diff, subjects))
    return with_trailers(written, [f"Assisted-by: kimicode ({model})"] if wanted.trailer else []).strip()


async def _written(client: ModelClient, diff: bytes, subjects: list[str]) -> tuple[str, str]:
    try:
        return await write_message(client, diff, subjects), client.info.model
    finally:
        await client.aclose()


def _agreed(message: str, terminal: Terminal) -> str:
    """The message that the user says yes to. Raises `RefusedError` for a no, `UsageError` where nobody can be asked."""
    if terminal.ask is None:
        raise UsageError("there is no terminal to ask on", hint="Give the message with --message, or say --yes to take any.")
    while True:
        answer = terminal.ask(f"{message}\n\nCommit with this message? [y]es / [N]o / [e]dit:").strip().lower()
        if answer in ("y", "yes"):
            return message
        if answer not in ("e", "edit"):
            raise RefusedError("not committed", hint="Nothing was changed.")
        message = terminal.edit(message).strip()
        if not message:
            raise RefusedError("the message is empty, so nothing was committed", hint="Nothing was changed.")


def _commit(repository: Repository, wanted: Wanted, message: str, folder: Path) -> int:
    if wanted.hooks:
        return repository.commit_as_user(message, folder, tracked=wanted.tracked)
    made = repository.make_commit(message, tracked=wanted.tracked, skip_hooks=wanted.no_verify)
    branch = repository.branch() or "no branch"
    write_payload(sys.stdout, f"[{branch} {made[:10]}] {message.partition(chr(10))[0]}\n")
    return 0


def _client(settings: Settings, environ: Mapping[str, str]) -> ModelClient:
    return make_client(resolve(settings.endpoint, settings.model, environ), environ, on_notice=complain)


def _asker(stdin: TextIO | None, stderr: TextIO | None) -> Callable[[str], str] | None:
    """Whoever sits at this terminal, or None where there is none."""
    if stdin is None or stderr is None or not (stdin.isatty() and stderr.isatty()):
        return None

    def ask(question: str) -> str:
        # Nobody agrees to what they have not seen.
        termios.tcflush(stdin, termios.TCIFLUSH)
        complain(question)
        return stdin.readline()

    return ask


def edited(text: str, environ: Mapping[str, str]) -> str:
    """`text` as the user leaves it in the editor that `environ` names. Raises `UsageError` where that does not run or fails."""
    editor = next((environ[name] for name in ("GIT_EDITOR", "VISUAL", "EDITOR") if environ.get(name)), "vi")
    with tempfile.TemporaryDirectory(prefix="kimicode-commit-") as folder:
        path = Path(folder, "COMMIT_EDITMSG")
        path.write_text(f"{text}\n", "utf-8")
        # Editors are set as command lines (`code --wait`), so a shell starts them, as git does.
        code = subprocess.call(["/bin/sh", "-c", f'{editor} "$@"', "editor", str(path)])
        if code:
            raise UsageError(f"the editor {editor!r} failed with exit code {code}", hint="Set EDITOR, or give the message with --message.")
        return path.read_text("utf-8", "replace")
