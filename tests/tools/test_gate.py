"""The gate: what runs unasked, what is asked, and that a yes covers exactly what was shown."""

import asyncio
from pathlib import Path

import pytest

from kimicode.errors import RefusedError, UsageError
from kimicode.events import Decided, Event, Notice
from kimicode.sandbox.approval import Answer, Choice, Question
from kimicode.sandbox.grants import Grants
from kimicode.sandbox.policy import Permission, Policy
from kimicode.sandbox.rules import Rules, Where, parse_rules
from kimicode.sandbox.verdict import Situation
from kimicode.tools.base import Touches
from kimicode.tools.gate import Gate


class Person:
    """Answers in turn, and remembers the questions."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.questions: list[Question] = []

    async def ask(self, question: Question) -> Answer:
        self.questions.append(question)
        return self.answers.pop(0)


ONCE, SESSION, NO = Answer(Choice.ONCE), Answer(Choice.SESSION), Answer(Choice.NO, "use make instead")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "ws"
    folder.mkdir()
    (folder.parent / "docs").mkdir()
    (folder.parent / "docs" / "a.md").touch()
    return folder


def gate_of(
    workspace: Path,
    person: Person | None = None,
    *,
    permission: Permission = Permission.WORKSPACE,
    contained: bool = True,
    **rules: list[str],
) -> tuple[Gate, Policy]:
    policy = Policy(permission, workspace, hidden=(workspace.parent / "secret",))
    where = Where(str(workspace), str(workspace.parent))
    situation = Situation(permission, contained, workspace=where.workspace, home=where.home)
    return Gate(policy, parse_rules(rules, "settings.toml") if rules else Rules(), situation, where, approver=person), policy


def admit(gate: tuple[Gate, Policy], tool: str, **touches: object) -> Policy:
    return asyncio.run(gate[0].admit(tool, Touches(**touches), gate[1]))  # type: ignore[arg-type]


def refused(gate: tuple[Gate, Policy], tool: str, **touches: object) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        admit(gate, tool, **touches)
    return caught.value


def test_the_workspace_needs_no_question(workspace: Path) -> None:
    person = Person()
    gate = gate_of(workspace, person)
    admit(gate, "read", reads=("a",))
    admit(gate, "edit", writes=("a",))
    admit(gate, "shell", command="pytest -q && make")
    assert person.questions == []


def test_what_can_not_be_told_is_asked_and_no_without_a_person(workspace: Path) -> None:
    person = Person(ONCE, NO)
    gate = gate_of(workspace, person)
    admit(gate, "shell", command="$TOOL build")
    error = refused(gate, "shell", command="$TOOL build")
    assert error.message == "shell: the user said no: use make instead"
    assert [question.shown for question in person.questions] == ["$TOOL build"] * 2
    assert "Nobody is there to be asked" in refused(gate_of(workspace), "shell", command="$TOOL build").message


def test_for_this_session_covers_what_was_shown_and_nothing_else(workspace: Path) -> None:
    person = Person(SESSION, NO, NO)
    gate = gate_of(workspace, person, contained=False)
    admit(gate, "shell", command="make test")
    admit(gate, "shell", command="make test")
    refused(gate, "shell", command="make test install")
    refused(gate, "shell", command="make install")
    assert [question.shown for question in person.questions] == ["make test", "make test install", "make install"]


def test_a_path_outside_is_opened_for_one_call(workspace: Path) -> None:
    person = Person(ONCE)
    gate = gate_of(workspace, person)
    policy = admit(gate, "read", reads=("../docs/a.md",))
    assert policy.readable("../docs/a.md").path == workspace.parent / "docs" / "a.md"
    with pytest.raises(RefusedError):
        gate[1].readable("../docs/a.md")
    with pytest.raises(RefusedError):
        policy.writable("../docs/a.md")


def test_what_was_shown_is_opened_wherever_the_name_leads_by_then(workspace: Path) -> None:
    """A link that was turned while somebody thought opened what it then led to."""
    outside = workspace.parent
    (outside / "private").mkdir()
    (outside / "private" / "a.md").touch()
    (workspace / "docs").symlink_to(outside / "docs")

    class Turned(Person):
        async def ask(self, question: Question) -> Answer:
            (workspace / "docs").unlink()
            (workspace / "docs").symlink_to(outside / "private")
            return await super().ask(question)

    person = Turned(ONCE)
    policy = admit(gate_of(workspace, person), "read", reads=("docs/a.md",))
    assert [question.shown for question in person.questions] == [str(outside / "docs" / "a.md")]
    with pytest.raises(RefusedError):
        policy.readable("docs/a.md")
    assert policy.readable("../docs/a.md")


def test_a_rule_opens_a_path_and_says_which_would(workspace: Path) -> None:
    assert admit(gate_of(workspace, allow=["read(~/docs/**)"]), "read", reads=("../docs/a.md",)).readable("../docs/a.md")
    error = refused(gate_of(workspace), "read", reads=("../docs/a.md",))
    assert "outside the workspace" in error.message
    assert f'allow = ["read({workspace.parent}/docs/a.md)"]' in error.hint


def test_a_path_that_is_opened_does_not_open_its_neighbours(workspace: Path) -> None:
    """A patch of two files once got both where a rule allowed the first."""
    gate = gate_of(workspace, allow=["write(~/docs/a.md)"])
    assert admit(gate, "patch", writes=("../docs/a.md",)).writable("../docs/a.md")
    for names in (("../docs/a.md", "../docs/b.md"), ("../docs/b.md", "../docs/a.md")):
        assert "b.md: outside the workspace" in refused(gate, "patch", writes=names).message
    person = Person(ONCE, NO)
    refused(gate_of(workspace, person), "patch", writes=("../docs/a.md", "../docs/b.md"))
    assert [question.shown.rpartition("/")[2] for question in person.questions] == ["a.md", "b.md"]


@pytest.mark.parametrize("name", ["../secret", ".git/config", ".kimicode/settings.toml"])
def test_no_rule_and_no_person_opens_what_is_hidden_or_protected(workspace: Path, name: str) -> None:
    person = Person()
    gate = gate_of(workspace, person, allow=["write(**)", "write(/**)", "read(/**)"])
    refused(gate, "write", writes=(name,))
    assert person.questions == []


def test_deny_holds_with_full_permission(workspace: Path) -> None:
    gate = gate_of(workspace, Person(), permission=Permission.FULL, deny=["shell(rm *)", "write(*.lock)", "tool(glob)"])
    admit(gate, "shell", command="make")
    for tool, touches in (
        ("shell", {"command": "cd x; rm -rf ."}),
        ("write", {"writes": ("poetry.lock",)}),
        ("glob", {"reads": (".",)}),
    ):
        assert "a rule of the user denies it" in refused(gate, tool, **touches).message


def test_only_looking_lets_known_readers_run_where_they_are_contained(workspace: Path) -> None:
    gate = gate_of(workspace, Person(), permission=Permission.READ_ONLY)
    admit(gate, "shell", command="ls -la | head")
    refused(gate, "shell", command="touch x")
    refused(gate, "write", writes=("x",))
    refused(gate_of(workspace, permission=Permission.READ_ONLY, contained=False), "shell", command="ls")


def test_a_file_that_others_run_is_marked(workspace: Path) -> None:
    person = Person(ONCE, ONCE)
    gate = gate_of(workspace, person, ask=["write(*)"])
    admit(gate, "write", writes=("conftest.py",))
    admit(gate, "write", writes=("a.txt",))
    assert [question.executable_config for question in person.questions] == [("conftest.py",), ()]


def test_hosts_are_judged_by_the_same_rules(workspace: Path) -> None:
    async def asked(gate: Gate, *targets: tuple[str, int]) -> list[bool]:
        return [await gate.host(*target) for target in targets]

    gate, _ = gate_of(workspace, allow=["host(pypi.org)"], deny=["host(evil.org)"])
    assert asyncio.run(asked(gate, ("pypi.org", 443), ("pypi.org", 22), ("evil.org", 443), ("x.org", 443))) == [True, False, False, False]
    person = Person(SESSION, NO)
    gate, _ = gate_of(workspace, person)
    assert asyncio.run(asked(gate, ("a.org", 443), ("a.org", 443), ("b.org", 443))) == [True, True, False]


def test_questions_come_one_after_another(workspace: Path) -> None:
    class Slow(Person):
        open = 0

        async def ask(self, question: Question) -> Answer:
            self.open += 1
            assert self.open == 1
            await asyncio.sleep(0)
            self.open -= 1
            return await super().ask(question)

    person = Slow(ONCE, ONCE)
    gate, policy = gate_of(workspace, person, ask=["tool(read)"])

    async def both() -> None:
        await asyncio.gather(*(gate.admit("read", Touches(reads=(name,)), policy) for name in "ab"))

    asyncio.run(both())
    assert len(person.questions) == 2


class Kept:
    """Takes what is emitted and what is to be remembered; `full` remembers nothing."""

    def __init__(self, *, full: bool = False) -> None:
        self.events: list[Event] = []
        self.rules: list[str] = []
        self._full = full

    def remember(self, rule: str) -> None:
        if self._full:
            raise UsageError("no space left")
        self.rules.append(rule)


def with_memory(gate: tuple[Gate, Policy], kept: Kept, grants: Grants | None = None) -> tuple[Gate, Policy]:
    """The same gate, with somebody who keeps its events and rules."""
    old, policy = gate
    made = Gate(
        policy,
        old._rules,
        old._situation,
        old._where,
        approver=old._approver,
        grants=grants,
        emit=kept.events.append,
        remember=kept.remember,
    )
    return made, policy


ALWAYS = Answer(Choice.ALWAYS)


@pytest.mark.parametrize(
    ("touches", "tool", "rule"),
    [
        ({"command": "npm test"}, "shell", "shell(npm test)"),
        ({"command": "cd x && npm run 'my script'"}, "shell", "shell(npm run my' 'script)"),
        ({"command": "git commit -m 'one thing' -- a"}, "git", "shell(git commit *)"),
        ({"reads": ("../docs/a.md",)}, "read", "read({docs}/a.md)"),
        ({"writes": ("../docs/a.md",)}, "edit", "write({docs}/a.md)"),
    ],
)
def test_always_is_a_rule_that_allows_the_same_next_time_and_no_more(
    workspace: Path, touches: dict[str, object], tool: str, rule: str
) -> None:
    rule = rule.format(docs=workspace.parent / "docs")
    kept, person = Kept(), Person(ALWAYS)
    first = with_memory(gate_of(workspace, person, contained=False), kept)
    admit(first, tool, **touches)
    admit(first, tool, **touches)
    assert [question.rule for question in person.questions] == [rule]
    assert kept.rules == [rule]
    admit(gate_of(workspace, contained=False, allow=kept.rules), tool, **touches)
    other = gate_of(workspace, contained=False, allow=kept.rules)
    for more in ({"command": "npm install"}, {"command": "npm test; make"}, {"reads": ("../docs/b.md",)}, {"writes": ("../docs/b.md",)}):
        refused(other, tool, **more)


@pytest.mark.parametrize(
    ("touches", "rules"),
    [
        ({"command": "$TOOL build"}, {}),
        ({"command": "make; npm test"}, {}),
        ({"command": "make > out"}, {}),
        ({"command": "make"}, {"ask": ["shell(make)"]}),
        ({"command": "make $x"}, {}),
        ({"reads": ("../docs/*",)}, {}),
        ({"writes": ("a",)}, {"ask": ["write(a)"]}),
        ({"reads": ("a",)}, {"ask": ["tool(shell)"]}),
    ],
)
def test_where_no_rule_would_do_always_is_no_answer(workspace: Path, touches: dict[str, object], rules: dict[str, list[str]]) -> None:
    """`*` in a file's name would have allowed its whole folder; a rule for one of two commands would have allowed neither."""
    kept, person = Kept(), Person(ALWAYS, ALWAYS)
    gate = with_memory(gate_of(workspace, person, contained=False, **rules), kept)
    admit(gate, "shell", **touches)
    assert [question.rule for question in person.questions] == [""]
    assert kept.rules == []
    assert [event.choice for event in kept.events if isinstance(event, Decided)] == ["session"]
    admit(gate, "shell", **touches)
    assert len(person.questions) == 1


def test_without_a_place_for_rules_nobody_is_offered_one(workspace: Path) -> None:
    person = Person(ONCE)
    admit(gate_of(workspace, person, contained=False), "shell", command="npm test")
    assert person.questions[0].rule == ""


def test_a_rule_that_can_not_be_stored_holds_for_the_session(workspace: Path) -> None:
    kept, person = Kept(full=True), Person(ALWAYS, NO)
    gate = with_memory(gate_of(workspace, person, contained=False), kept)
    admit(gate, "git", command="git commit -m one")
    admit(gate, "git", command="git commit -m two")
    assert [type(event) for event in kept.events] == [Decided, Notice]
    assert "The rule shell(git commit *) holds for this session only: no space left" in kept.events[1].text  # type: ignore[union-attr]
    resumed = with_memory(gate_of(workspace, contained=False), kept, gate[0].grants)
    admit(resumed, "git", command="git commit -m three")
    refused(resumed, "shell", command="git push")


def test_every_answer_is_an_event_before_it_counts(workspace: Path) -> None:
    kept, person = Kept(), Person(ONCE, SESSION, NO)
    gate = with_memory(gate_of(workspace, person, contained=False), kept)
    admit(gate, "shell", command="make a")
    admit(gate, "shell", command="make b")
    refused(gate, "shell", command="make c")
    assert kept.events == [
        Decided("shell", "make a", "once"),
        Decided("shell", "make b", "session"),
        Decided("shell", "make c", "no", "use make instead"),
    ]


def test_a_question_says_how_many_wait_and_an_answer_may_answer_them(workspace: Path) -> None:
    class Slow(Person):
        async def ask(self, question: Question) -> Answer:
            while len(started) < 4:  # noqa: ASYNC110 - counts what has begun
                await asyncio.sleep(0)
            return await super().ask(question)

    started: list[str] = []
    person = Slow(SESSION, ONCE)
    gate, policy = gate_of(workspace, person, contained=False)

    async def one(command: str) -> None:
        started.append(command)
        await gate.admit("shell", Touches(command=command), policy)

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, ("make", "make", "make", "make x")))

    asyncio.run(all_of_them())
    assert [(question.shown, question.behind) for question in person.questions] == [("make", 3), ("make x", 0)]
