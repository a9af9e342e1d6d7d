"""A page with a prompt editor on it, and what it hears."""

import asyncio
from collections.abc import Callable, Coroutine

import msgspec
from textual import events
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Static

from kimicode.interactive.prompt.files import Listed, WorkspaceFiles
from kimicode.tui.prompt import PromptEditor, Surroundings
from tests.tui.waiting import until

LONG = "a line\n" * 30


class Offered(msgspec.Struct, frozen=True):
    name: str
    summary: str = ""
    arguments: str = ""
    aliases: tuple[str, ...] = ()


COMMANDS = (Offered("help", "What there is"), Offered("model", "Choose a model", "[NAME]"), Offered("clear", "Start anew"))


class Remembered:
    """A history in memory."""

    def __init__(self, *prompts: str) -> None:
        self.prompts = list(prompts)

    def load(self) -> tuple[str, ...]:
        return tuple(self.prompts)

    def add(self, text: str) -> bool:
        self.prompts.insert(0, text)
        return True


class Page(App[None]):
    CSS = "Static { height: 1fr; }"

    def __init__(self, surroundings: Surroundings | None = None, files: WorkspaceFiles | None = None) -> None:
        super().__init__()
        self.editor = PromptEditor(surroundings, files=files or WorkspaceFiles(lambda: Listed(())), commands=COMMANDS)
        self.heard: list[Message] = []

    def compose(self) -> ComposeResult:
        yield Static("transcript")
        yield self.editor

    def on_mount(self) -> None:
        self.editor.focus()

    def on_prompt_editor_sent(self, event: PromptEditor.Sent) -> None:
        self.heard.append(event)

    def on_prompt_editor_cleared(self, event: PromptEditor.Cleared) -> None:
        self.heard.append(event)

    def on_prompt_editor_interrupt(self, event: PromptEditor.Interrupt) -> None:
        self.heard.append(event)

    def on_prompt_editor_leaving(self, event: PromptEditor.Leaving) -> None:
        self.heard.append(event)

    def on_prompt_editor_trouble(self, event: PromptEditor.Trouble) -> None:
        self.heard.append(event)

    @property
    def sent(self) -> list[tuple[str, bool]]:
        return [(each.text, each.steer) for each in self.heard if isinstance(each, PromptEditor.Sent)]


def tried(page: Page, work: Callable[[Pilot[None]], Coroutine[None, None, None]], size: tuple[int, int] = (80, 24)) -> None:
    async def go() -> None:
        async with page.run_test(size=size) as pilot:
            await until(pilot, lambda: page.editor.area.has_focus)
            await work(pilot)

    asyncio.run(go())


async def paste(page: Page, pilot: Pilot[None], text: str) -> None:
    page.editor.area.post_message(events.Paste(text))
    await pilot.pause()
