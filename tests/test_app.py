"""A session as a user interface opens it: what it emits and keeps, whom it asks, and how it goes on."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from kimicode.app import Session, open_session
from kimicode.events import Decided, Event, MessageAdded, SessionStarted, ShellRan, StepStarted, Titled, ToolFinished, ToolOutput
from kimicode.messages import Assistant, Image, ToolCall, User
from kimicode.model import ScriptedClient
from kimicode.sandbox.approval import Answer, Choice, FileText, Question
from kimicode.sandbox.grants import Grants
from kimicode.session.log import read_events
from kimicode.session.store import SessionStore
from kimicode.settings import Settings, load_settings
from kimicode.wish import Wish

PICTURE = Image("/home/me/pictures/1.png", "image/png", "1.png")


class Person:
    """Says the same to everything, and remembers what was asked."""

    def __init__(self, choice: Choice = Choice.NO) -> None:
        self.choice = choice
        self.questions: list[Question] = []

    async def ask(self, question: Question) -> Answer:
        self.questions.append(question)
        return Answer(self.choice)


class Asker:
    def __init__(self, answer: str | None) -> None:
        self._answer = answer

    async def ask(self, question: str, options: tuple[str, ...]) -> str | None:
        return self._answer and f"{question}: {self._answer}"


class Home:
    """A user's home with a workspace in it, and sessions there. `sandbox` none: what is asked about does not hang on this machine."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "ws"
        self.workspace.mkdir()
        self.settings_file = folder / "settings.toml"
        self.environ = {
            "HOME": str(folder),
            "PATH": "/usr/bin:/bin",
            "KIMICODE_HOME": str(folder / "kimicode"),
            "KIMICODE_CONFIG": str(self.settings_file),
        }
        self.store = SessionStore(folder / "kimicode")
        self.events: list[Event] = []
        self.model = ScriptedClient([])

    @property
    def settings(self) -> Settings:
        return load_settings(self.environ, {"permission": "workspace"}, sandbox="none")

    def use(
        self,
        script: list[object],
        work: Callable[[Session], Coroutine[None, None, object]],
        *,
        wish: Wish = Wish(),  # noqa: B008 - a frozen value
        person: Person | None = None,
        asker: Asker | None = None,
        grants: Grants | None = None,
    ) -> Session:
        """Open a session, do `work`, close it."""
        self.events.clear()
        self.model = ScriptedClient(script)  # type: ignore[arg-type]

        async def run() -> Session:
            session = open_session(
                self.settings,
                wish,
                self.events.append,
                environ=self.environ,
                workspace=self.workspace,
                model=self.model,
                approver=person,
                asker=asker,
                grants=grants,
            )
            try:
                await work(session)
            finally:
                await session.aclose()
            return session

        return asyncio.run(run())

    def logged(self, session: Session) -> list[Event]:
        return list(read_events(self.store.path(session.id)))

    def results(self) -> list[str]:
        return [event.result.content for event in self.events if isinstance(event, ToolFinished)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path.resolve())


def call(name: str, **arguments: object) -> Assistant:
    return Assistant("", None, (ToolCall(f"functions.{name}:0", name, json.dumps(arguments)),))


def prompt(session: Session) -> Coroutine[None, None, object]:
    return session.agent.submit("do it")


def test_what_a_command_prints_is_shown_and_not_kept(home: Home) -> None:
    session = home.use([call("shell", command="echo one; echo two"), "done"], prompt, person=Person(Choice.ONCE))
    shown = [event for event in home.events if isinstance(event, ToolOutput)]
    # The last piece may be missing: the result has it.
    assert "one\ntwo\n".startswith("".join(event.text for event in shown))
    assert {event.call_id for event in shown} <= {"functions.shell:0"}
    assert home.results() == ["one\ntwo\n[exit 0]"]
    assert home.logged(session) == [event for event in home.events if not isinstance(event, ToolOutput)]


def test_a_running_command_is_seen_before_it_ends(home: Home) -> None:
    """The command waits for a file that is only made once its first words were seen."""
    command = "echo waiting; until test -e go; do sleep 0.01; done; echo gone"
    sight = home.events.append

    def face(event: Event) -> None:
        sight(event)
        if isinstance(event, ToolOutput) and "waiting" in event.text:
            (home.workspace / "go").touch()

    async def run() -> None:
        session = open_session(
            home.settings,
            Wish(),
            face,
            environ=home.environ,
            workspace=home.workspace,
            model=ScriptedClient([call("shell", command=command), "done"]),
            approver=Person(Choice.ONCE),
        )
        await session.agent.submit("do it")
        await session.aclose()

    asyncio.run(run())
    assert home.results() == ["waiting\ngone\n[exit 0]"]


def test_always_is_written_read_back_and_allows_just_that(home: Home) -> None:
    home.settings_file.write_text('# mine\nmodel = "scripted"\n')
    person = Person(Choice.ALWAYS)
    home.use([call("shell", command="mkdir a"), "done"], prompt, person=person)
    assert [question.rule for question in person.questions] == ["shell(mkdir a)"]
    assert home.settings_file.read_text() == '# mine\nmodel = "scripted"\n\n[permissions]\nallow = ["shell(mkdir a)"]\n'
    home.use([call("shell", command="rmdir a"), call("shell", command="mkdir a"), call("shell", command="mkdir b"), "done"], prompt)
    assert [(home.workspace / name).is_dir() for name in "ab"] == [True, False]
    assert "Refused: shell: " in home.results()[-1]


def test_a_settings_file_that_is_broken_meanwhile_stays_as_it_is(home: Home) -> None:
    class Careless(Person):
        async def ask(self, question: Question) -> Answer:
            home.settings_file.write_text("model = \n")
            return await super().ask(question)

    home.use([call("shell", command="mkdir a"), "done"], prompt, person=Careless(Choice.ALWAYS))
    assert (home.workspace / "a").is_dir()
    assert home.settings_file.read_text() == "model = \n"
    assert any("holds for this session only" in str(getattr(event, "text", "")) for event in home.events)


def test_what_was_granted_goes_on_in_the_next_session(home: Home) -> None:
    person = Person(Choice.SESSION)
    first = home.use([call("shell", command="mkdir a"), "done"], prompt, person=person)
    assert [event for event in home.events if isinstance(event, Decided)] == [Decided("shell", "mkdir a", "session")]
    home.use([call("shell", command="mkdir a"), "done"], prompt, person=person, grants=first.grants, wish=Wish(resume=first.id))
    assert len(person.questions) == 1


def test_whoever_is_asked_sees_the_whole_change(home: Home) -> None:
    outside = home.workspace.parent / "notes.txt"
    person = Person(Choice.ONCE)
    home.use([call("write", path="../notes.txt", content="new\n"), "done"], prompt, person=person)
    assert person.questions[0].files == (FileText(str(outside), None, "new\n"),)
    assert outside.read_text() == "new\n"


def test_a_file_that_changes_while_the_user_thinks_is_not_overwritten(home: Home) -> None:
    file = home.workspace / "a.txt"
    file.write_text("one\n")
    home.settings_file.write_text('[permissions]\nask = ["write(*)"]\n')

    class Slow(Person):
        async def ask(self, question: Question) -> Answer:
            file.write_text("theirs\n")
            return await super().ask(question)

    edit = call("edit", path="a.txt", old_string="one", new_string="ours")
    person = Slow(Choice.ONCE)
    home.use([edit, call("read", path="a.txt"), edit, "done"], prompt, person=person)
    unread, _, changed = home.results()
    assert "was not read yet" in unread
    assert "was changed since you last read it" in changed
    assert [question.files for question in person.questions] == [(FileText("a.txt", "one\n", "ours\n"),)]
    assert file.read_text() == "theirs\n"


def test_the_model_may_ask_where_somebody_is_there(home: Home) -> None:
    home.use([call("ask", question="Which"), "done"], prompt, asker=Asker("this"))
    assert home.results() == ["Which: this"]
    assert isinstance(home.events[0], SessionStarted)
    assert home.events[0].tools[-1] == "ask"
    home.use(["done"], prompt)
    assert isinstance(home.events[0], SessionStarted)
    assert "ask" not in home.events[0].tools


def test_pictures_go_with_the_words(home: Home) -> None:
    async def work(session: Session) -> None:
        await session.agent.submit("look", (PICTURE,))
        session.agent.steer("and this", [PICTURE])
        await session.agent.submit("again")

    session = home.use(["first", "second"], work)
    users = [message for message in home.model.requests[-1].messages if isinstance(message, User)]
    assert [user.images for user in users] == [(PICTURE,), (), (PICTURE,)]
    assert users[0].content.endswith("\n\nlook")
    assert [event.message for event in home.logged(session) if isinstance(event, MessageAdded)][1:] == users


def test_a_title_and_what_the_user_ran_are_in_the_log(home: Home) -> None:
    ran = ShellRan("make", "ok\n", 0, 1.0)

    async def work(session: Session) -> None:
        session.emit(ran)
        session.emit(Titled("the parser"))
        await session.agent.submit("do it")

    session = home.use(["done"], work)
    assert [event.title for event in home.events if isinstance(event, Titled)] == ["the parser"]
    (kept,) = [event for event in home.logged(session) if isinstance(event, ShellRan)]
    assert kept.at
    home.use(["more"], prompt, wish=Wish(resume=session.id))
    log = home.logged(session)
    before = [log[at - 1] for at, event in enumerate(log) if isinstance(event, StepStarted)]
    assert before == [Titled("the parser")] * 2
    assert not [event for event in home.events if isinstance(event, Titled)]
    assert [summary.title for summary in home.store.summaries()] == ["the parser"]
