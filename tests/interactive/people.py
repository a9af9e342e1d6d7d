"""A person who answers from a list and remembers what they saw, and a desk to sit at: public, for every test of commands.

    world = live(tmp_path, ["Hi."], act, answers=[1, "a word", True, None])

An answer is what the next question takes: an index or a label's beginning for `choose`, a text for `word`, a mapping for `fill`, True or
False for `confirm` and `work`; None leaves it. A question without an answer fails the test.
"""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from kimicode.interactive.commands import perform
from kimicode.interactive.desk import Desk
from kimicode.interactive.person import Code, Diff, Field, Form, Level, Menu, Page, Prose, Rows, Share, Step, Words
from kimicode.interactive.view.blocks import Block
from kimicode.interactive.view.status import Status
from kimicode.interactive.watcher import Attention
from kimicode.messages import Assistant, ToolCall
from kimicode.model.scripted import Entry, ScriptedClient
from kimicode.sandbox.approval import Answer, Question
from kimicode.settings import Settings, UiSettings
from kimicode.wish import Wish

WAIT_S = 30.0

Reply: TypeAlias = int | str | bool | Mapping[str, str] | None


class Steps:
    """Takes what a job tells."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, text: str, share: float | None = None) -> None:
        self.told.append(text)


class Scripted:
    """The person. `said`, `pages`, `menus` and so on are what they saw; `previews` are looked at with each menu."""

    def __init__(self, answers: Iterable[Reply] = (), approval: Answer = Answer()) -> None:  # noqa: B008 - a frozen value
        self.answers = list(answers)
        self.approval = approval
        self.approvals: list[Question] = []
        self.hesitates = False
        self.taken_away = False
        self.said: list[tuple[str, Level]] = []
        self.pages: list[Page] = []
        self.menus: list[Menu] = []
        self.previews: list[Page] = []
        self.fields: list[Field] = []
        self.forms: list[Form] = []
        self.questions: list[str] = []
        self.jobs: list[str] = []

    @property
    def words(self) -> str:
        """All that was said."""
        return "\n".join(text for text, _ in self.said)

    @property
    def errors(self) -> list[str]:
        return [text for text, level in self.said if level == "error"]

    def say(self, text: str, level: Level = "info") -> None:
        self.said.append((text, level))

    async def show(self, page: Page) -> None:
        self.pages.append(page)

    async def choose(self, menu: Menu) -> int | None:
        self.menus.append(menu)
        if menu.preview is not None:
            self.previews += [await menu.preview(index) for index in range(len(menu.options))]
        match self._next(menu.title):
            case None:
                return None
            case str(label):
                return next(at for at, option in enumerate(menu.options) if option.label.startswith(label))
            case int(index):
                assert 0 <= index < len(menu.options)
                return index
            case other:
                raise AssertionError(f"{other!r} is no choice of {menu.title!r}")

    async def confirm(self, question: str, *, detail: str = "") -> bool:
        self.questions.append(question)
        return bool(self._next(question))

    async def word(self, field: Field) -> str | None:
        self.fields.append(field)
        answer = self._next(field.label)
        assert answer is None or isinstance(answer, str)
        return answer

    async def fill(self, form: Form) -> Mapping[str, str] | None:
        self.forms.append(form)
        answer = self._next(form.title)
        assert answer is None or isinstance(answer, Mapping)
        return answer

    async def approve(self, question: Question) -> Answer:
        self.approvals.append(question)
        try:
            if self.hesitates:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.taken_away = True
            raise
        return self.approval

    async def work(self, title: str, job: Callable[[Step], Awaitable[None]]) -> bool:
        self.jobs.append(title)
        await job(Steps())
        return True

    def _next(self, asked: str) -> Reply:
        assert self.answers, f"nobody answers {asked!r}"
        return self.answers.pop(0)


class Watching:
    """Sees what a user interface would be told."""

    def __init__(self) -> None:
        self.wanted: list[Attention] = []
        self.statuses: list[Status] = []
        self.replacements = 0
        self.looks: list[UiSettings] = []
        self.left = False

    def changed(self, blocks: range) -> None: ...

    def replaced(self) -> None:
        self.replacements += 1

    def status(self, status: Status) -> None:
        self.statuses.append(status)

    def attention(self, why: Attention) -> None:
        self.wanted.append(why)

    def restyled(self, ui: UiSettings) -> None:
        self.looks.append(ui)

    def leave(self) -> None:
        self.left = True


class World:
    """A desk in a workspace of its own, with a model that follows a script."""

    def __init__(self, tmp_path: Path, script: Iterable[Entry], settings: Settings, person: Scripted) -> None:
        self.workspace = tmp_path / "work"
        self.workspace.mkdir(exist_ok=True)
        self.environ = environment(tmp_path)
        self.model = ScriptedClient(script)
        self.person, self.watching = person, Watching()
        self.desk = Desk(person, self.watching, settings=settings, environ=self.environ, workspace=self.workspace, model=self.model)

    async def do(self, line: str, *answers: Reply) -> None:
        """A slash command, with the answers that it will ask for."""
        self.person.answers += answers
        await perform(self.desk, line)
        assert not self.person.answers, f"{line} did not ask for {self.person.answers}"

    async def prompt(self, text: str) -> None:
        """A prompt, to its end."""
        self.desk.enter(text)
        await self.idle()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def idle(self) -> None:
        await self.until(lambda: not self.desk.busy)

    def of(self, kind: type[Block]) -> list[Block]:
        return [block for block in self.desk.transcript.blocks if isinstance(block, kind)]


Act = Callable[[World], Coroutine[object, object, None]]


def environment(tmp_path: Path) -> dict[str, str]:
    """Surroundings in which nothing of this machine's user is found."""
    return {
        "HOME": str(tmp_path),
        "KIMICODE_HOME": str(tmp_path / "home"),
        "KIMICODE_CONFIG": str(tmp_path / "settings.toml"),
        "KIMICODE_NO_KEYRING": "1",
        "PATH": "/usr/bin:/bin",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


def live(
    tmp_path: Path,
    script: Iterable[Entry],
    act: Act,
    *,
    settings: Settings | None = None,
    person: Scripted | None = None,
    opened: bool = True,
) -> World:
    """Do `act` with an open session."""

    async def main() -> World:
        world = World(tmp_path, script, settings or Settings(model="kimi-nano"), person or Scripted())
        try:
            if opened:
                await world.desk.open(Wish())
            await act(world)
        finally:
            await world.desk.aclose()
        return world

    return asyncio.run(main())


def write(path: str, content: str, number: int = 0) -> Assistant:
    """A call that writes a file."""
    return Assistant("", None, (ToolCall(f"functions.write:{number}", "write", f'{{"path": "{path}", "content": "{content}"}}'),))


def git(folder: Path, *arguments: str) -> str:
    """What git says there, with nothing of this machine's user."""
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder.parent), "GIT_CONFIG_GLOBAL": "/dev/null"}
    who = ("-c", "user.name=A", "-c", "user.email=a@b.c")
    return subprocess.run(["git", *who, *arguments], cwd=folder, env=environ, check=True, capture_output=True, text=True).stdout


def text_of(page: Page) -> str:
    """Everything that a page says."""
    return "\n".join(line for part in page.parts for line in _lines(part))


def _lines(part: object) -> list[str]:
    match part:
        case Words(text=text) | Code(text=text):
            return [text]
        case Prose(markdown=markdown):
            return [markdown]
        case Rows(rows=rows, header=header):
            return [" | ".join(row) for row in (header, *rows) if row]
        case Share(label=label, value=value):
            return [f"{label}: {value:g}"]
        case Diff(files=files):
            return [f"{file.path}: {file.before!r} -> {file.after!r}" for file in files]
        case _:
            raise AssertionError(part)
