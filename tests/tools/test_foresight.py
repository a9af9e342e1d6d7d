"""Who is asked about a change sees all of it, nothing is done for that, and what was allowed is what happens."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kimicode.messages import ToolCall, ToolResult
from kimicode.sandbox.approval import Answer, Choice, FileText, Question
from kimicode.sandbox.policy import Permission, Policy
from kimicode.sandbox.rules import Where, parse_rules
from kimicode.sandbox.verdict import Situation
from kimicode.tools.base import ToolContext
from kimicode.tools.foresight import MOST_CHARS
from kimicode.tools.gate import Gate
from kimicode.tools.registry import Toolbox, default_tools

ASK = ["write(*)", "tool(patch)"]


class Person:
    """Says yes, after doing what somebody else does meanwhile."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None, choice: Choice = Choice.ONCE) -> None:
        self.questions: list[Question] = []
        self._meanwhile = meanwhile
        self._choice = choice

    async def ask(self, question: Question) -> Answer:
        self.questions.append(question)
        self._meanwhile()
        return Answer(self._choice)

    @property
    def files(self) -> tuple[FileText, ...]:
        """What the only question showed."""
        (question,) = self.questions
        return question.files


def use(workspace: Path, person: Person, name: str, *, rules: dict[str, list[str]] | None = None, **arguments: object) -> ToolResult:
    policy = Policy(Permission.WORKSPACE, workspace)
    where = Where(str(workspace), str(workspace.parent))
    situation = Situation(Permission.WORKSPACE, contained=True, workspace=where.workspace, home=where.home)
    gate = Gate(policy, parse_rules(rules or {"ask": ASK}, "settings.toml"), situation, where, approver=person)
    box = Toolbox(default_tools(), ToolContext(workspace, policy, workspace.parent / "scratch"), gate=gate)
    return asyncio.run(box.run(ToolCall(f"functions.{name}:0", name, json.dumps(arguments))))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "ws"
    folder.mkdir()
    (folder / "a.txt").write_text("one\ntwo\n")
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_write_shows_the_old_and_the_new_text(workspace: Path) -> None:
    person = Person()
    assert use(workspace, person, "write", path="a.txt", content="new\n").ok
    assert person.files == (FileText("a.txt", "one\ntwo\n", "new\n"),)
    person = Person()
    assert use(workspace, person, "write", path="sub/b.txt", content="b").ok
    assert person.files == (FileText("sub/b.txt", None, "b"),)


def test_edit_shows_the_whole_file_before_and_after(workspace: Path) -> None:
    person = Person()
    assert use(workspace, person, "edit", path="./a.txt", old_string="two", new_string="2").ok
    assert person.files == (FileText("a.txt", "one\ntwo\n", "one\n2\n"),)


PATCH = """*** Begin Patch
*** Update File: a.txt
*** Move to: moved.txt
@@
-one
+1
 two
*** Delete File: gone.txt
*** Add File: new.txt
+n
*** End Patch
"""


def test_patch_shows_every_file_and_every_question_the_same(workspace: Path) -> None:
    (workspace / "gone.txt").write_text("g\n")
    person = Person()
    assert use(workspace, person, "patch", patch=PATCH).ok
    assert len(person.questions) > 1
    (files,) = {question.files for question in person.questions}
    assert sorted(files, key=lambda file: file.path) == [
        FileText("gone.txt", "g\n", None),
        FileText("moved.txt", "one\ntwo\n", "1\ntwo\n", "moved from a.txt"),
        FileText("new.txt", None, "n\n"),
    ]
    assert not (workspace / "a.txt").exists()


def test_nothing_is_written_before_the_answer_nor_after_a_no(workspace: Path) -> None:
    before = everything(workspace.parent)
    seen: list[dict[str, bytes]] = []
    person = Person(lambda: seen.append(everything(workspace.parent)), Choice.NO)
    result = use(workspace, person, "write", path="deep/er/a.txt", content="new")
    assert result.content.startswith("Refused: write: the user said no")
    assert seen == [before]
    assert everything(workspace.parent) == before
    assert not (workspace / "deep").exists()


def test_an_edit_that_does_not_match_is_an_error_without_a_question(workspace: Path) -> None:
    person = Person()
    result = use(workspace, person, "edit", path="a.txt", old_string="three", new_string="3")
    assert result.content.startswith("Error: a.txt: ")
    assert person.questions == []


def test_what_is_wrong_with_a_file_outside_is_told_to_nobody_who_may_not_look(workspace: Path) -> None:
    """The error of an edit shows the nearest lines of the file."""
    (workspace.parent / "other.txt").write_text("secret three\n")
    person = Person(choice=Choice.NO)
    result = use(workspace, person, "edit", path="../other.txt", old_string="secret thre\nx", new_string="3")
    assert person.files == ()
    assert "three" not in result.content
    assert "the user said no" in result.content


def test_a_file_outside_is_shown_to_the_person_alone(workspace: Path) -> None:
    other = workspace.parent / "other.txt"
    other.write_text("secret\n")
    person = Person(choice=Choice.NO)
    result = use(workspace, person, "edit", path="../other.txt", old_string="secret", new_string="known")
    assert person.files == (FileText(str(other), "secret\n", "known\n"),)
    assert "the user said no" in result.content
    assert use(workspace, Person(), "edit", path="../other.txt", old_string="secret", new_string="known").ok
    assert other.read_text() == "known\n"


def test_what_must_not_be_read_is_not_shown(workspace: Path) -> None:
    person = Person(choice=Choice.NO)
    use(workspace, person, "write", rules={"ask": ASK, "deny": ["read(a.txt)"]}, path="a.txt", content="x")
    assert person.files == ()


@pytest.mark.parametrize("how", ["changed", "gone", "made", "link"])
def test_what_was_allowed_is_what_happens_or_nothing(workspace: Path, how: str) -> None:
    """A file that changes between question and answer once was overwritten by what had been made from its new text."""
    name = "new.txt" if how == "made" else "a.txt"

    def meanwhile() -> None:
        path = workspace / name
        match how:
            case "changed":
                path.write_text("one\ntwo\nthree\n")
            case "gone":
                path.unlink()
            case "made":
                path.write_text("theirs\n")
            case _:
                path.unlink()
                path.symlink_to(workspace / "b.txt")
                (workspace / "b.txt").write_text("one\ntwo\n")

    arguments = {"content": "ours\n"} if how == "made" else {"old_string": "two", "new_string": "2"}
    result = use(workspace, Person(meanwhile), "write" if how == "made" else "edit", path=name, **arguments)
    assert not result.ok, result.content
    kept = {"changed": "one\ntwo\nthree\n", "made": "theirs\n", "link": "one\ntwo\n", "gone": None}[how]
    assert ((workspace / name).read_text() if (workspace / name).exists() else None) == kept


def test_what_is_too_large_is_named(workspace: Path) -> None:
    person = Person()
    assert use(workspace, person, "write", path="a.txt", content="x" * (MOST_CHARS + 1)).ok
    note = "changed, too large to be shown: 8 characters before, 1,000,001 characters after"
    assert person.files == (FileText("a.txt", None, None, note),)


def test_without_a_question_nothing_is_looked_at_first(workspace: Path) -> None:
    person = Person()
    assert use(workspace, person, "edit", rules={"ask": ["write(other)"]}, path="a.txt", old_string="two", new_string="2").ok
    assert person.questions == []
