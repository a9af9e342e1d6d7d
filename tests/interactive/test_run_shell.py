"""The user's commands at a desk: seen while they run, in the log, told to the model; the terminal lent where it is wanted."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kimicode.events import ShellRan
from kimicode.interactive.shell import UserShell, run_shell
from kimicode.interactive.view.blocks import Ran
from kimicode.messages import User
from kimicode.session.log import read_events
from tests.interactive.people import Scripted, World, live

T = TypeVar("T")


class Lending(Scripted):
    def __init__(self) -> None:
        super().__init__()
        self.lent = 0

    async def lend(self, work: Callable[[], T]) -> T:
        self.lent += 1
        return work()


def shell_of(world: World) -> UserShell:
    return UserShell({**world.environ, "SHELL": "/bin/bash"}, world.workspace)


def test_a_command_is_shown_kept_and_told(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        shell = shell_of(world)
        await run_shell(world.desk, shell, "echo hello; exit 3")
        await world.until(lambda: not any(block.running for block in world.of(Ran)))  # type: ignore[union-attr]
        (ran,) = world.of(Ran)
        assert isinstance(ran, Ran)
        assert (ran.output, ran.exit_code) == ("hello\n", 3)
        (kept,) = [event for event in read_events(world.desk.host.store.path(world.desk.session_id)) if isinstance(event, ShellRan)]
        assert kept.output == "hello\n"
        await run_shell(world.desk, shell, "true")
        assert world.person.words.count("not contained") == 1
        await world.prompt("What was that?")
        (last, *_) = [message for message in world.model.requests[0].messages[::-1] if isinstance(message, User)]
        assert "$ echo hello; exit 3\nhello\n[exit 3]" in last.content

    live(tmp_path, ["A greeting."], act)


def test_output_is_seen_while_it_runs_and_an_interrupt_ends_it(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        shell = shell_of(world)
        task = asyncio.create_task(run_shell(world.desk, shell, "echo early; sleep 600"))
        await world.until(lambda: any("early" in block.output for block in world.of(Ran)))  # type: ignore[union-attr]
        assert shell.interrupt()
        await task
        await world.until(lambda: not any(block.running for block in world.of(Ran)))  # type: ignore[union-attr]
        assert world.of(Ran)[0].exit_code is None  # type: ignore[union-attr]
        assert not shell.interrupt()

    live(tmp_path, [], act)


def test_the_terminal_is_lent_where_it_is_wanted(tmp_path: Path) -> None:
    person = Lending()

    async def act(world: World) -> None:
        shell = shell_of(world)
        await run_shell(world.desk, shell, "python3 < /dev/null; touch lent; less --version > /dev/null")
        assert person.lent == 1
        assert (world.workspace / "lent").exists()
        person.answers = [False]
        await run_shell(world.desk, shell, "printf '\\033[?1049h'; sleep 600")
        assert person.lent == 1
        person.answers = [True]
        await run_shell(world.desk, shell, "test -e again && exit; touch again; printf '\\033[?1049h'; sleep 600")
        assert person.lent == 2

    live(tmp_path, [], act, person=person)


def test_without_a_terminal_to_lend_it_runs_anyway(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        await run_shell(world.desk, shell_of(world), "less --version > out; touch done")
        assert (world.workspace / "done").exists()
        assert any(level == "warning" for _, level in world.person.said)

    live(tmp_path, [], act)
