"""kimicode commit: what is asked, what is committed, and what stops it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from kimicode.commands.commit import Terminal, Wanted, commit, commit_command, edited
from kimicode.errors import RefusedError, ToolError, UnavailableError, UsageError
from kimicode.model.client import ModelClient
from kimicode.model.scripted import Entry, ScriptedClient


class Desk:
    """A repository, a user who answers in turn, and a model that writes in turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        (folder / ".gitconfig").write_text("[user]\nname = Ann\nemail = ann@example.org\n[init]\ndefaultBranch = main\n")
        self.git("init", "-q")
        self.questions: list[str] = []
        self.client = ScriptedClient([])

    def git(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.folder, env=self.environ, check=check, capture_output=True, text=True)
        return done.stdout.strip()

    def save(self, message: str, **files: str) -> None:
        self.stage(**files)
        self.git("commit", "-qm", message)

    def stage(self, **files: str) -> None:
        self.write(**files)
        self.git("add", "-A")

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def commit(
        self,
        *written: Entry,
        answers: list[str] | None = None,
        edit: Callable[[str], str] = lambda text: text,
        **wanted: bool | str,
    ) -> int:
        self.client = ScriptedClient(written)

        def make() -> ModelClient:
            return self.client

        def ask(question: str) -> str:
            assert answers is not None
            self.questions.append(question)
            return answers.pop(0)

        terminal = Terminal(None if answers is None else ask, edit)
        return commit(msgspec.convert(wanted, Wanted), self.folder, self.environ, terminal, make)

    @property
    def log(self) -> list[str]:
        return self.git("log", "--format=%s").splitlines()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path.resolve())
    desk.save("Begin", a="1\n")
    return desk


def test_a_message_is_written_shown_and_agreed_to(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    desk.stage(a="2\n")
    desk.write(a="3\n")
    assert desk.commit("Count on\n\nwhy", answers=["y\n"]) == 0
    assert desk.questions == ["Count on\n\nwhy\n\nCommit with this message? [y]es / [N]o / [e]dit:"]
    assert desk.git("log", "-1", "--format=%B") == "Count on\n\nwhy"
    assert desk.git("show", "HEAD:a") == "2"
    assert capfd.readouterr().out == f"[main {desk.git('rev-parse', 'HEAD')[:10]}] Count on\n"
    sent = str(desk.client.requests[0].messages)
    assert "- Begin" in sent
    assert "+2" in sent
    assert "+3" not in sent
    assert desk.client.closed


@pytest.mark.parametrize("answer", ["", "n\n", "no\n", "what?\n", "x"])
def test_everything_but_a_clear_yes_is_a_no(desk: Desk, answer: str) -> None:
    desk.stage(a="2\n")
    with pytest.raises(RefusedError, match="not committed"):
        desk.commit("Count on", answers=[answer])
    assert desk.log == ["Begin"]
    assert desk.git("status", "--short") == "M  a"


def test_an_edited_message_is_shown_again(desk: Desk) -> None:
    desk.stage(a="2\n")
    assert desk.commit("Count on", answers=["e\n", "y\n"], edit=lambda text: f"{text} and on\n") == 0
    assert desk.questions[1].startswith("Count on and on\n\n")
    assert desk.log[0] == "Count on and on"
    desk.stage(a="3\n")
    with pytest.raises(RefusedError, match="the message is empty"):
        desk.commit("x", answers=["e\n"], edit=lambda _: "\n")


def test_nobody_there(desk: Desk) -> None:
    desk.stage(a="2\n")
    with pytest.raises(UsageError, match="no terminal"):
        desk.commit("Count on")
    assert desk.commit("Count on", yes=True) == 0
    assert desk.log == ["Count on", "Begin"]


def test_a_given_message_asks_neither_model_nor_user(desk: Desk) -> None:
    desk.stage(a="2\n")
    assert desk.commit(message="  Mine\n\nbody\n", trailer=True) == 0
    assert desk.client.requests == []
    assert desk.git("log", "-1", "--format=%B") == "Mine\n\nbody"
    desk.stage(a="3\n")
    with pytest.raises(UsageError, match="the message is empty"):
        desk.commit(message=" ")


def test_a_trailer_where_it_is_wanted(desk: Desk) -> None:
    desk.stage(a="2\n")
    desk.commit("Count on", yes=True, trailer=True)
    assert desk.git("log", "-1", "--format=%B") == f"Count on\n\nAssisted-by: kimicode ({desk.client.info.model})"


def test_nothing_to_commit(desk: Desk) -> None:
    desk.write(a="2\n", new="n\n")
    with pytest.raises(UsageError, match="nothing is staged"):
        desk.commit("x", yes=True)
    desk.git("checkout", "-q", "a")
    with pytest.raises(UsageError, match="nothing is changed"):
        desk.commit("x", yes=True, tracked=True)
    with pytest.raises(UsageError, match="in no git repository"):
        commit(Wanted(), desk.folder.parent, desk.environ, Terminal(None, str), lambda: desk.client)
    assert desk.client.requests == []


def test_all_changes_of_tracked_files(desk: Desk) -> None:
    desk.stage(b="1\n")
    desk.write(a="2\n", new="n\n")
    assert desk.commit("All of it", yes=True, tracked=True) == 0
    assert desk.git("show", "--name-only", "--format=", "HEAD").split() == ["a", "b"]
    assert desk.git("status", "--short") == "?? new"
    assert "+2" in str(desk.client.requests[0].messages)


def test_the_first_commit(tmp_path: Path) -> None:
    desk = Desk(tmp_path.resolve())
    desk.stage(a="1\n")
    assert desk.commit("Begin", yes=True, tracked=True) == 0
    assert desk.log == ["Begin"]


def test_what_is_staged_must_be_what_was_looked_at(desk: Desk) -> None:
    desk.stage(a="2\n")

    def change(text: str) -> str:
        desk.stage(a="3\n")
        return text

    with pytest.raises(UsageError, match="changed in the meantime"):
        desk.commit("Count on", answers=["e", "y"], edit=change)
    assert desk.log == ["Begin"]


def test_hooks(desk: Desk) -> None:
    hook = desk.folder / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho x >>{desk.folder.parent}/ran\n")
    hook.chmod(0o755)
    desk.stage(a="2\n")
    with pytest.raises(RefusedError, match="runs hooks when something is committed: pre-commit") as caught:
        desk.commit("x", yes=True)
    assert "--no-verify" in caught.value.hint
    assert desk.client.requests == []
    with pytest.raises(UsageError, match="exclude each other"):
        desk.commit("x", yes=True, hooks=True, no_verify=True)
    assert desk.commit("Without", yes=True, no_verify=True) == 0
    assert not (desk.folder.parent / "ran").exists()
    desk.stage(a="3\n")
    assert desk.commit("With", yes=True, hooks=True) == 0
    assert (desk.folder.parent / "ran").read_text() == "x\n"
    assert desk.log == ["With", "Without", "Begin"]
    hook.write_text("#!/bin/sh\nexit 1\n")
    desk.stage(a="4\n")
    assert desk.commit("Blocked", yes=True, hooks=True) == 1


def test_signatures_and_filters(desk: Desk) -> None:
    desk.git("config", "filter.up.clean", "tr a-z A-Z")
    (desk.folder / ".gitattributes").write_text("up filter=up\n")
    desk.save("Attributes", up="x\n")
    desk.write(up="y\n")
    with pytest.raises(RefusedError, match="a filter changes what is committed of 'up'"):
        desk.commit("x", yes=True, tracked=True)
    assert desk.commit("As git", yes=True, tracked=True, hooks=True) == 0
    assert desk.git("show", "HEAD:up") == "Y"
    desk.git("config", "commit.gpgSign", "true")
    desk.stage(a="2\n")
    with pytest.raises(RefusedError, match="signed"):
        desk.commit("x", yes=True, no_verify=True)


def test_a_merge_keeps_gits_own_message(desk: Desk) -> None:
    desk.git("checkout", "-qb", "side")
    desk.save("Side", a="2\n")
    desk.git("checkout", "-q", "main")
    desk.save("Main", a="3\n")
    desk.git("merge", "side", check=False)
    with pytest.raises(UsageError, match="a is in conflict"):
        desk.commit("x", yes=True)
    desk.stage(a="3\n")
    assert desk.commit(answers=["y"]) == 0
    assert desk.client.requests == []
    assert desk.log[0] == "Merge branch 'side'"
    assert len(desk.git("log", "-1", "--format=%P").split()) == 2


def test_nobody_to_commit_as(desk: Desk) -> None:
    desk.stage(a="2\n")
    (desk.folder.parent / ".gitconfig").write_text("[user]\nuseConfigOnly = true\n")
    with pytest.raises(ToolError, match="does not know who commits"):
        desk.commit("x", yes=True)
    assert desk.client.requests == []


def test_no_model(desk: Desk) -> None:
    desk.stage(a="2\n")
    with pytest.raises(UnavailableError):
        desk.commit(UnavailableError("no engine"), yes=True)
    assert desk.client.closed
    assert desk.log == ["Begin"]


def test_the_command_itself(desk: Desk, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    for name, value in {**desk.environ, "KIMICODE_CONFIG": str(desk.folder.parent / "none.toml")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(desk.folder)
    desk.stage(a="2\n")
    assert commit_command(False, "Mine", False, None, False, False, {}) == 0
    assert capfd.readouterr().out.endswith("] Mine\n")


def test_the_editor_is_a_command_line(tmp_path: Path) -> None:
    editor = tmp_path / "my editor"
    editor.write_text('#!/bin/sh\nprintf \'%s\\n\' "$1" >>"$2"\n')
    editor.chmod(0o755)
    assert edited("Count on", {"VISUAL": f"'{editor}' --wait", "EDITOR": "false"}) == "Count on\n--wait\n"
    assert edited("Count on", {"GIT_EDITOR": "true"}) == "Count on\n"
    with pytest.raises(UsageError, match="the editor 'false' failed with exit code 1"):
        edited("Count on", {"EDITOR": "false"})
