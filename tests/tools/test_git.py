"""The tool `git`: short answers, nothing hidden in them, whatever the repository looks like; and a commit only where it is allowed."""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from kimicode.messages import ToolCall, ToolResult
from kimicode.sandbox.approval import Answer, Choice, FileText, Question
from kimicode.sandbox.policy import Permission, Policy
from kimicode.sandbox.rules import Rules, Where, parse_rules
from kimicode.sandbox.verdict import Situation
from kimicode.tools import git
from kimicode.tools.base import ToolContext
from kimicode.tools.gate import Gate
from kimicode.tools.git import Git
from kimicode.tools.registry import Toolbox
from kimicode.tools.spec import full_spec


class Person:
    """Says the same to every question, and remembers them."""

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.questions: list[Question] = []

    async def ask(self, question: Question) -> Answer:
        self.questions.append(question)
        return Answer(self.choice)


class Desk:
    """A repository, plain git to change it, and the tool over a folder of it."""

    def __init__(self, folder: Path) -> None:
        self.top = folder / "ws"
        self.top.mkdir()
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        self.hidden: tuple[Path, ...] = ()
        self.trailers: tuple[str, ...] = ()

    def plain(self, *arguments: str, folder: Path | None = None) -> str:
        done = subprocess.run(["git", *arguments], cwd=folder or self.top, env=self.environ, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def init(self, folder: Path | None = None) -> None:
        self.plain("init", "-q", "-b", "main", folder=folder)
        self.plain("config", "user.name", "Ann", folder=folder)
        self.plain("config", "user.email", "ann@example.org", folder=folder)

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.top / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def save(self, message: str, **files: str) -> str:
        self.write(**files)
        self.plain("add", "-A")
        self.plain("commit", "-q", "--allow-empty", "-m", message)
        return self.plain("rev-parse", "HEAD")

    def call(
        self,
        action: str,
        *,
        folder: Path | None = None,
        person: Person | None = None,
        permission: Permission = Permission.WORKSPACE,
        rules: dict[str, list[str]] | None = None,
        **arguments: object,
    ) -> ToolResult:
        workspace = folder or self.top
        policy = Policy(permission, workspace, (workspace / ".scratch",), hidden=self.hidden)
        where = Where(str(workspace), str(workspace.parent))
        situation = Situation(permission, contained=True, workspace=str(workspace), home=where.home)
        gate = Gate(policy, parse_rules(rules, "settings.toml") if rules else Rules(), situation, where, approver=person)
        tool = Git(full_spec(git.NAME, git.PROPERTIES, git.REQUIRED), self.trailers, self.environ)
        box = Toolbox((tool,), ToolContext(workspace, policy, workspace.parent / "scratch"), gate=gate)
        return asyncio.run(box.run(ToolCall("functions.git:0", "git", json.dumps({"action": action, **arguments}))))

    def ask(self, action: str, *, folder: Path | None = None, **arguments: object) -> str:
        result = self.call(action, folder=folder, **arguments)  # type: ignore[arg-type]
        assert result.ok, result.content
        return result.content

    def fail(self, action: str, *, folder: Path | None = None, **arguments: object) -> str:
        result = self.call(action, folder=folder, **arguments)  # type: ignore[arg-type]
        assert not result.ok, result.content
        return result.content


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path.resolve())
    desk.init()
    return desk


ALLOWED = {"allow": ["shell(git commit *)"]}


def test_outside_a_repository(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.fail("status") == f"Error: {desk.top} is in no git repository There is no history here to ask for."


def test_before_the_first_commit(desk: Desk) -> None:
    desk.write(a="1\n")
    assert desk.ask("status") == "On main, no commits yet\nuntracked:\n  a"
    assert desk.ask("log") == "There are no commits yet."
    assert "no commits yet" in desk.fail("show")
    assert "New files are in status" in desk.ask("diff")


def test_status_is_grouped(desk: Desk) -> None:
    oid = desk.save("first", a="1\n", b="a long enough line to be found again\n" * 5, c="1\n")
    assert desk.ask("status").endswith("Ann: first: nothing differs from the commit"), oid
    desk.write(a="2\n", new="n\n", folder__x="x\n")
    desk.plain("mv", "b", "moved")
    desk.plain("rm", "-q", "c")
    head, *rest = desk.ask("status").splitlines()
    assert head.startswith(f"On main at {oid[:10]} ")
    assert rest == ["staged:", "  D c", "  R b → moved", "not staged:", "  M a", "untracked:", "  folder/x", "  new"]
    assert desk.ask("status", path="folder").splitlines()[1:] == ["untracked:", "  folder/x"]
    assert desk.ask("status", limit=4).splitlines()[-1] == "  [1 more: raise limit]"


def test_many_new_files_of_a_folder_are_one_line(desk: Desk) -> None:
    desk.write(**{f"folder__{number:02}": "x\n" for number in range(25)}, other__a="x\n", top="x\n")
    names = ", ".join(f"{number:02}" for number in range(20))
    assert desk.ask("status").splitlines()[1:] == ["untracked:", f"  folder/: {names}, and 5 more", "  other/a", "  top"]
    assert desk.ask("status", path="folder/24").splitlines()[1:] == ["untracked:", "  folder/24"]


def test_a_detached_head_and_a_merge(desk: Desk) -> None:
    desk.save("1", a="1\n")
    desk.plain("checkout", "-q", "-b", "other")
    desk.save("2", a="2\n")
    desk.plain("checkout", "-q", "--detach", "main")
    desk.save("3", a="3\n")
    assert desk.ask("status").startswith("On no branch at ")
    subprocess.run(["git", "merge", "other"], cwd=desk.top, env=desk.environ, check=False, capture_output=True)
    assert "going on)" in desk.ask("status")
    assert desk.ask("status").splitlines()[1:] == ["conflicts:", "  UU a"]


def test_diff_without_noise(desk: Desk) -> None:
    desk.save("first", a="1\n2\n3\n", b="x\n", s="#!/bin/sh\n", gone="g\n")
    desk.write(a="1\n2\nthree\n", new="n\n")
    (desk.top / "s").chmod(0o755)
    (desk.top / "gone").unlink()
    (desk.top / "b").write_bytes(b"\0\1")
    assert desk.ask("diff") == (
        "diff a\n@@ -1,3 +1,3 @@\n 1\n 2\n-3\n+three\n"
        "diff b (binary)\n"
        "diff gone (deleted)\n@@ -1 +0,0 @@\n-g\n"
        "diff s (mode 100644 → 100755)"
    )
    desk.plain("add", "new")
    assert desk.ask("diff", staged=True) == "diff new (new)\n@@ -0,0 +1 @@\n+n"
    assert desk.ask("diff", path="a", revision="HEAD").startswith("diff a\n")
    assert desk.ask("diff", paths=["a", "gone"]).count("diff ") == 2


def test_ranges(desk: Desk) -> None:
    first = desk.save("first", a="1\n")
    desk.save("second", a="2\n", b="1\n")
    assert desk.ask("diff", revision=f"{first}..HEAD", path="a") == "diff a\n@@ -1 +1 @@\n-1\n+2"
    assert desk.ask("diff", revision=f"{first}...HEAD:a") == desk.ask("diff", revision=f"{first}..", path="a")
    assert desk.ask("log", revision=f"{first}..HEAD").endswith("Ann: second")
    assert "no revision 'nope" in desk.fail("diff", revision="nope..HEAD")
    assert "names no single revision" in desk.fail("log", revision="--output=x")
    assert not (desk.top / "x").exists()


def test_a_long_diff_is_cut_by_whole_hunks_and_says_so(desk: Desk) -> None:
    lines = [f"{number}\n" for number in range(100)]
    desk.save("first", a="".join(lines), b="x\n", c="x\n")
    lines[5], lines[50], lines[95] = "five\n", "fifty\n", "more\n"
    desk.write(a="".join(lines), b="y\n", c="y\n" * 400)
    answer = desk.ask("diff", limit=20)
    assert answer.count("@@ ") == 2
    assert "+five" in answer
    assert "+fifty" in answer
    assert answer.splitlines()[-1] == (
        "[left out: a (the last 1 of 3 hunks), b (+1 -1), c (+400 -1). Send path for one of them, or raise limit]"
    )
    part = desk.ask("diff", path="c", limit=10).splitlines()
    assert len(part) == 12
    assert part[-1] == "[392 lines of this hunk left out: raise limit]"
    desk.write(b="z" * 5000)
    assert "more characters]" in desk.ask("diff", path="b")


def test_log(desk: Desk) -> None:
    desk.save("first", a="1\n2\n3\n")
    second = desk.save("second\n\nbody", b="1\n")
    third = desk.save("third", a="1\n2\nthree\n")
    assert [line[11:] for line in desk.ask("log").splitlines()] == [f"{line[11:21]} Ann: {s}" for line, s in zip(
        desk.ask("log").splitlines(), ("third", "second", "first"), strict=True)]  # fmt: skip
    assert desk.ask("log", limit=1).splitlines()[-1].startswith("[there are more than 1 commits")
    assert desk.ask("log", path="b").startswith(second[:10])
    assert desk.ask("log", files=True, limit=2).splitlines()[1] == "  M a"
    assert [line.split(": ")[1] for line in desk.ask("log", path="a", lines="3").splitlines()] == ["third", "first"]
    assert [line.split(": ")[1] for line in desk.ask("log", path="a", lines="1-2").splitlines()] == ["first"]
    assert desk.ask("log", revision=third[:8], limit=1).startswith(third[:10])
    assert "needs the path" in desk.fail("log", lines="1-2")
    assert "lines is 'x'" in desk.fail("log", path="a", lines="x")


def test_blame(desk: Desk) -> None:
    first = desk.save("first", a="1\n2\n3\n4\n")
    second = desk.save("second", a="1\ntwo\n3\nfour\n")
    desk.write(a="1\ntwo\n3\nfour\nfive\n")
    lines = desk.ask("blame", path="a").splitlines()
    assert lines[0].startswith(f"1, 3  {first[:10]} ")
    assert lines[1].startswith(f"2, 4  {second[:10]} ")
    assert lines[2] == "5  not committed yet"
    assert desk.ask("blame", path="a", revision=first).startswith("1-4  ")
    assert desk.ask("blame", path="a", lines="2-2").endswith("Ann: second")
    assert "no such path" in desk.fail("blame", path="nope")
    assert "send the path" in desk.fail("blame")


def test_show(desk: Desk) -> None:
    first = desk.save("first\n\nwhy", a="1\n")
    desk.save("second", a="2\n", b="1\n")
    assert desk.ask("show", revision=first).startswith(f"commit {first}\nAnn, ")
    assert desk.ask("show", revision="HEAD~1").endswith("\n\nfirst\n\nwhy\n\ndiff a (new)\n@@ -0,0 +1 @@\n+1")
    assert desk.ask("show", path="b").endswith("diff b (new)\n@@ -0,0 +1 @@\n+1")
    assert desk.ask("show", revision=f"{first}:a") == "1\n"
    assert "no revision" in desk.fail("show", revision=f"{first}:b")
    desk.save("third", long="".join(f"{number}\n" for number in range(1, 1001)))
    assert desk.ask("show", revision="HEAD:long", lines="10-11") == "10\n11\n[990 more lines: send lines, such as 12-1001]"


def test_a_merge_is_shown_against_its_first_parent(desk: Desk) -> None:
    base = desk.save("base", a="1\n")
    desk.plain("checkout", "-q", "-b", "side")
    side = desk.save("side", b="1\n")
    desk.plain("checkout", "-q", "main")
    desk.save("main", c="1\n")
    desk.plain("merge", "-q", "-m", "joined", "side")
    answer = desk.ask("show")
    assert f"and {side[:10]}; below" in answer
    assert answer.endswith("diff b (new)\n@@ -0,0 +1 @@\n+1")
    assert base


def test_in_a_subfolder_only_that_is_seen(desk: Desk) -> None:
    desk.save("first", sub__a="1\n", top="1\n")
    desk.write(sub__a="2\n", top="2\n", sub__new="n\n", other="o\n")
    sub = desk.top / "sub"
    assert desk.ask("status", folder=sub).splitlines()[1:] == ["not staged:", "  M a", "untracked:", "  new"]
    assert desk.ask("diff", folder=sub) == "diff a\n@@ -1 +1 @@\n-1\n+2"
    assert desk.ask("diff", folder=sub, path="a").startswith("diff a\n")
    assert "diff a (new)" in desk.ask("show", folder=sub)
    assert "top" not in desk.ask("show", folder=sub)
    assert desk.ask("log", folder=sub, files=True).endswith("\n  A a")
    assert desk.fail("diff", folder=sub, path="../top").startswith("Refused: ")
    assert desk.ask("show", folder=sub, revision="HEAD:a") == "1\n"
    assert desk.ask("status", folder=sub, permission=Permission.FULL).count("\n  ") == 4
    desk.ask("commit", folder=sub, rules=ALLOWED, paths=["."], message="in sub")
    assert desk.plain("show", "--name-only", "--format=", "HEAD").split() == ["sub/a", "sub/new"]


def test_in_a_worktree_and_in_a_submodule(desk: Desk, tmp_path: Path) -> None:
    desk.save("first", a="1\n")
    linked = tmp_path / "linked"
    desk.plain("worktree", "add", "-q", "-b", "side", str(linked))
    (linked / "a").write_text("2\n")
    assert desk.ask("status", folder=linked).startswith("On side at ")
    inner = desk.top / "inner"
    inner.mkdir()
    desk.init(inner)
    (inner / "x").write_text("1\n")
    desk.plain("add", "x", folder=inner)
    desk.plain("commit", "-qm", "within", folder=inner)
    assert desk.ask("log", path="inner/x").endswith("Ann: within")
    assert "inner/" in desk.ask("status")
    assert "Error: " in desk.fail("commit", rules=ALLOWED, path=".", message="m")


def test_what_is_hidden_is_nowhere(desk: Desk) -> None:
    desk.save("first", secret__key="k1\n", a="1\n", b__c="1\n")
    desk.hidden = (desk.top / "secret",)
    desk.save("second", secret__key="k2\n", a="2\n")
    desk.write(secret__key="k3\n", secret__new="k4\n", a="3\n")
    answers = [
        desk.ask("status"), desk.ask("diff"), desk.ask("diff", revision="HEAD~1"), desk.ask("show"), desk.ask("log", files=True),
        desk.ask("diff", revision="HEAD~1..HEAD"), desk.ask("diff", path="."), desk.ask("show", revision="HEAD~1"),
    ]  # fmt: skip
    for answer in answers:
        assert "secret" not in answer
        assert "k" not in answer.replace("ok", "")
        assert " a" in answer
    for arguments in ({"action": "blame", "path": "secret/key"}, {"action": "show", "revision": "HEAD:secret/key"},
                      {"action": "diff", "path": "secret"}, {"action": "log", "path": "secret/key"}):  # fmt: skip
        action = str(arguments.pop("action"))
        assert desk.fail(action, **arguments).startswith("Refused: ")
    desk.plain("mv", "secret/key", "moved")
    desk.plain("mv", "b", "secret/b")
    assert "moved" not in desk.ask("diff", staged=True)
    assert "secret" not in desk.ask("status")
    desk.ask("commit", rules=ALLOWED, path=".", message="all that may be seen")
    assert desk.plain("show", "--name-only", "--format=", "HEAD").split() == ["a"]


def test_no_argument_is_an_option_or_a_pattern(desk: Desk) -> None:
    odd = ["-n", "--output=x", ":(glob)*", "a b", "ünï", "*", 'q"uote', ":!a"]
    desk.save("first", a="1\n")
    for name in odd:
        (desk.top / name).write_text("1\n")
    assert {line.strip() for line in desk.ask("status").splitlines()[2:]} == set(odd)
    desk.ask("commit", rules=ALLOWED, paths=odd, message="--amend -m")
    assert desk.plain("log", "-1", "--format=%B") == "--amend -m"
    for name in odd:
        (desk.top / name).write_text("2\n")
        assert desk.ask("diff", path=name).startswith(f"diff {name}\n@@ ")
        assert desk.ask("log", path=name, files=True).count("\n") == len(desk.ask("log", path=name, files=True).splitlines()) - 1
        assert "not committed yet" in desk.ask("blame", path=name, lines="1-1")
        assert desk.ask("show", revision=f"HEAD:{name}") == "1\n"
    assert "control character" in desk.fail("diff", path="a\nb")
    assert not (desk.top / "x").exists()


def test_a_name_with_a_line_end_can_not_pretend_to_be_another(desk: Desk) -> None:
    desk.save("first", a="1\n")
    (desk.top / "x\n  a").write_text("1\n")
    assert "x\\n  a" in desk.ask("status")


# Commits.


def test_nobody_there_and_no_rule_means_no_commit(desk: Desk) -> None:
    desk.save("first", a="1\n")
    desk.write(a="2\n")
    refusal = desk.fail("commit", path="a", message="second")
    assert refusal.startswith("Refused: git: ")
    assert '`allow = ["shell(git commit *)"]` in the settings would allow it' in refusal
    assert desk.plain("log", "--format=%s") == "first"
    assert desk.plain("diff", "--cached") == ""


@pytest.mark.parametrize("choice", Choice)
def test_a_person_is_shown_the_message_and_asked(desk: Desk, choice: Choice) -> None:
    desk.save("first", a="1\n")
    desk.write(a="2\n")
    person = Person(choice)
    result = desk.call("commit", person=person, paths=["a"], message="It's second\n\nwith a body")
    assert [question.shown for question in person.questions] == ["git commit -m 'It'\"'\"'s second\n\nwith a body' -- a"]
    assert result.ok == (choice is not Choice.NO)
    assert desk.plain("log", "-1", "--format=%s") == ("first" if choice is Choice.NO else "It's second")


def test_rules_and_permissions(desk: Desk) -> None:
    desk.save("first", a="1\n")
    desk.write(a="2\n")
    person = Person(Choice.ONCE)
    assert "a rule of the user denies it" in desk.fail(
        "commit", person=person, rules={"deny": ["shell(git commit *)"]}, path="a", message="m"
    )
    assert "denies it" in desk.fail("status", rules={"deny": ["tool(git)"]})
    assert "read-only" in desk.fail("commit", person=person, rules=ALLOWED, permission=Permission.READ_ONLY, path="a", message="m")
    assert person.questions == []
    assert desk.ask("diff", permission=Permission.READ_ONLY).startswith("diff a")
    desk.ask("commit", permission=Permission.FULL, path="a", message="m")


def test_a_commit_takes_what_was_named_and_leaves_the_rest(desk: Desk) -> None:
    desk.save("first", a="1\n", b="1\n", gone="g\n", old="a long enough line to be found again\n" * 5)
    desk.write(a="2\n", b="2\n", new="n\n", staged="s\n")
    (desk.top / "gone").unlink()
    desk.plain("add", "staged")
    desk.plain("mv", "old", "moved")
    desk.trailers = ("Assisted-by: kimicode (model)",)
    answer = desk.ask("commit", rules=ALLOWED, paths=["a", "new", "gone", "moved"], message="second")
    assert answer.startswith("Committed ")
    assert answer.splitlines()[1:] == ["  M a", "  D gone", "  R old → moved", "  A new"]
    assert desk.plain("log", "-1", "--format=%B") == "second\n\nAssisted-by: kimicode (model)"
    assert desk.plain("status", "--short").splitlines() == ["M b", "A  staged"]
    desk.ask("commit", rules=ALLOWED, staged=True, message="third")
    assert desk.plain("status", "--short").strip() == "M b"


def test_what_stands_in_the_way_of_a_commit(desk: Desk) -> None:
    desk.save("first", a="1\n")
    assert "nothing there differs" in desk.fail("commit", rules=ALLOWED, path=".", message="m")
    assert "there is nothing to commit" in desk.fail("commit", rules=ALLOWED, staged=True, message="m")
    desk.write(a="2\n")
    assert "message is missing" in desk.fail("commit", rules=ALLOWED, path="a", message=" ")
    assert "say what to commit" in desk.fail("commit", rules=ALLOWED, message="m")
    assert "say what to commit" in desk.fail("commit", rules=ALLOWED, message="m", path="a", staged=True)
    hook = desk.top / ".git/hooks/commit-msg"
    hook.write_text(f"#!/bin/sh\ntouch {desk.top}/ran\n")
    hook.chmod(0o755)
    assert "Refused: a commit here runs hooks (commit-msg)" in desk.fail("commit", rules=ALLOWED, path="a", message="m")
    hook.chmod(0o644)
    desk.plain("config", "commit.gpgSign", "true")
    assert "commits are signed here" in desk.fail("commit", rules=ALLOWED, path="a", message="m")
    desk.plain("config", "commit.gpgSign", "false")
    desk.plain("config", "filter.lfs.clean", f"touch {desk.top}/ran; cat")
    desk.write(**{".gitattributes": "a filter=lfs\n"})
    assert "a filter changes what is committed of 'a'" in desk.fail("commit", rules=ALLOWED, path="a", message="m")
    assert desk.plain("log", "--format=%s") == "first"
    desk.ask("commit", rules=ALLOWED, path=".gitattributes", message="m")
    assert not (desk.top / "ran").exists()


def test_a_person_is_shown_what_a_commit_would_record(desk: Desk) -> None:
    desk.save("first", a="1\n", gone="g\n", other="o\n")
    desk.write(a="2\n", new="n\n", other="p\n", staged="s\n")
    (desk.top / "gone").unlink()
    (desk.top / "binary").write_bytes(b"\0\1")
    (desk.top / "link").symlink_to("a")
    desk.plain("add", "staged")
    person = Person(Choice.NO)
    desk.call("commit", person=person, paths=["a", "new", "gone", "binary", "link"], message="m")
    desk.call("commit", person=person, staged=True, message="m")
    named, staged = (question.files for question in person.questions)
    assert sorted(named, key=lambda file: file.path) == [
        FileText("a", "1\n", "2\n"),
        FileText("binary", None, None, "not text"),
        FileText("gone", "g\n", None),
        FileText("link", None, None, "a link"),
        FileText("new", None, "n\n"),
    ]
    assert staged == (FileText("staged", None, "s\n"),)
    assert desk.plain("status", "--short").splitlines()[0] == "M a"


def test_another_repository_in_a_commit_is_named(desk: Desk) -> None:
    desk.save("first", a="1\n")
    inner = desk.top / "inner"
    inner.mkdir()
    desk.init(inner)
    desk.plain("commit", "-q", "--allow-empty", "-m", "within", folder=inner)
    desk.plain("add", "inner")
    desk.plain("commit", "-qm", "with it")
    desk.plain("commit", "-q", "--allow-empty", "-m", "more", folder=inner)
    desk.write(a="2\n")
    desk.plain("add", "-A")
    person = Person(Choice.ONCE)
    assert desk.call("commit", person=person, staged=True, message="m").ok
    assert person.questions[0].files == (FileText("a", "1\n", "2\n"), FileText("inner", None, None, "another repository"))


def test_what_was_allowed_is_what_is_committed(desk: Desk) -> None:
    desk.save("first", a="1\n")
    desk.write(a="2\n")

    class Slow(Person):
        async def ask(self, question: Question) -> Answer:
            desk.write(a="3\n")
            return await super().ask(question)

    result = desk.call("commit", person=Slow(Choice.ONCE), paths=["a"], message="m")
    assert result.content == "Error: git commit: files changed meanwhile, so this is not what the user allowed. Nothing was committed."
    assert desk.plain("log", "--format=%s") == "first"


def test_a_commit_that_can_not_be_made_is_not_asked_about(desk: Desk) -> None:
    desk.save("first", a="1\n")
    person = Person(Choice.ONCE)
    assert "nothing there differs" in desk.call("commit", person=person, paths=["a"], message="m").content
    assert "message is missing" in desk.call("commit", person=person, paths=["a"], message=" ").content
    assert person.questions == []
