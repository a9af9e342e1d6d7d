"""`/commit`: commit what is staged, with a message that the model writes, the user reads, changes and says yes to.

The commit itself is made by `kimicode commit` in a process of its own, with all its checks. What this module does not do: stage new files,
or run hooks that nobody asked for.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from kimicode.agent.commit_message import write_message
from kimicode.errors import KimicodeError, RefusedError, UsageError
from kimicode.interactive.child import run_child
from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.interactive.person import Field, Menu, Option, Step
from kimicode.model.client import ModelClient
from kimicode.model.factory import make_client
from kimicode.model.target import resolve
from kimicode.repo.git import Repository
from kimicode.repo.git_commit import with_trailers

_SUBJECTS: Final = 10

MakeClient = Callable[[Desk], ModelClient]


class _Staged(msgspec.Struct, frozen=True):
    """What would be committed, as it was looked at; `tracked`: all changes of tracked files."""

    diff: bytes
    tree: str
    tracked: bool
    subjects: tuple[str, ...]


def client_of(desk: Desk) -> ModelClient:
    """The model that the settings name."""
    target = resolve(desk.settings.endpoint, desk.settings.model, desk.environ)
    return make_client(target, desk.environ, on_notice=desk.person.say)


async def commit(desk: Desk, argument: str, make: MakeClient = client_of) -> None:
    """Look, write the message unless it is given, ask, commit."""
    staged = await _look(desk)
    if staged is None:
        return
    message: str | None = argument or await _written(desk, staged, make)
    if not argument and message is not None:
        message = await _agreed(desk, message)
    if not message:
        desk.person.say("Nothing was committed.")
        return
    if not staged.tracked and await asyncio.to_thread(lambda: _repository(desk).write_tree()) != staged.tree:
        raise UsageError("what is staged was changed in the meantime; nothing was committed", hint="Try again: /commit")
    await _commit(desk, message, staged)


def _repository(desk: Desk) -> Repository:
    repository = Repository.find(desk.workspace, desk.environ)
    if repository is None:
        raise UsageError(f"{desk.workspace} is in no git repository", hint="Make one with: !git init")
    return repository


async def _look(desk: Desk) -> _Staged | None:
    """What is staged; where nothing is, what is changed, if the user wants that."""
    staged = await asyncio.to_thread(_staged, desk, tracked=False)
    if staged.diff:
        return staged
    everything = await asyncio.to_thread(_staged, desk, tracked=True)
    if not everything.diff:
        raise UsageError("nothing is staged and no tracked file is changed", hint="New files have to be added first: !git add FILE")
    question = "Nothing is staged. Commit every change of tracked files?"
    return everything if await desk.person.confirm(question, detail="/diff working shows them.") else None


def _staged(desk: Desk, *, tracked: bool) -> _Staged:
    repository = _repository(desk)
    subjects = tuple(each.subject for each in repository.log(_SUBJECTS, skip_merges=True))
    return _Staged(repository.diff(staged=not tracked), "" if tracked else repository.write_tree(), tracked, subjects)


async def _written(desk: Desk, staged: _Staged, make: MakeClient) -> str | None:
    """A message by the model; None where the user did not want to wait."""
    found: list[str] = []

    async def job(_step: Step) -> None:
        client = make(desk)
        try:
            text = await write_message(client, staged.diff, staged.subjects)
            trailers = [f"Assisted-by: kimicode ({client.info.model})"] if desk.settings.git.trailer else []
            found.append(with_trailers(text, trailers).strip())
        finally:
            await client.aclose()

    return found[0] if await desk.person.work("Writing the message", job) and found else None


async def _agreed(desk: Desk, message: str) -> str | None:
    """The message that the user says yes to."""
    while True:
        options = (Option("Commit with this message", key="y"), Option("Change its first line", key="e"), Option("Don't commit", key="n"))
        chosen = await desk.person.choose(Menu("Commit?", options, words=message))
        if chosen != 1:
            return message if chosen == 0 else None
        first, _, rest = message.partition("\n")
        text = await desk.person.word(Field("subject", "First line of the message", value=first))
        if text:
            message = f"{text.strip()}\n{rest}".strip()


async def _commit(desk: Desk, message: str, staged: _Staged) -> None:
    arguments = ("commit", f"--message={message}", *(("--all",) if staged.tracked else ()))
    ended = await run_child(arguments, environ=desk.environ, folder=desk.workspace)
    if ended.code == RefusedError.exit_code and "--hooks" in ended.complaint:
        options = (Option("As git commit does, with hooks and signature"), Option("Without hooks"), Option("Don't commit"))
        chosen = await desk.person.choose(Menu("How?", options, words=ended.complaint))
        if chosen not in (0, 1):
            desk.person.say("Nothing was committed.")
            return
        more = "--hooks" if chosen == 0 else "--no-verify"
        ended = await run_child((*arguments, more), environ=desk.environ, folder=desk.workspace)
    if ended.code != 0:
        raise KimicodeError(ended.complaint)
    desk.person.say(ended.out.strip() or "Committed.")
    desk.look_around()


COMMANDS: Final = (Command("commit", "Commit what is staged; the model writes the message", commit, "[MESSAGE]"),)
