"""The `sessions` commands on a store of real logs: what people see, what programs get, and that neither can be tricked."""

import contextlib
import io
import json
from pathlib import Path

import pytest

from kimicode.commands.replay import replay
from kimicode.commands.sessions import replay_events, sessions_export, sessions_list, sessions_show
from kimicode.errors import KimicodeError, UsageError
from kimicode.events import (
    Event,
    FileChange,
    FilesChanged,
    MessageAdded,
    Rewound,
    RunFinished,
    SessionStarted,
    StepFinished,
    StepStarted,
    TextDelta,
    Titled,
    ToolCallReady,
    ToolFinished,
)
from kimicode.files.state import FileState
from kimicode.messages import Assistant, System, ToolCall, ToolResult, Usage, User
from kimicode.session.store import SessionStore

NASTY = "\x1b]0;owned\x07\x1b[2J\u202edone"


def a_run(session_id: str, workspace: Path, prompt: str) -> list[Event]:
    call = ToolCall("c0", "read", '{"path": "a"}')
    return [
        SessionStarted(session_id, str(workspace), "a-model", "somewhere", "workspace", ("read",), started_at="2026-11-24T10:00:00+00:00"),
        MessageAdded(System("be good")),
        MessageAdded(User(prompt)),
        StepStarted(1),
        StepFinished(1, Assistant("not streamed", None, (call,)), Usage(10, 2), "tool_calls", 2.0),
        ToolCallReady(call),
        ToolFinished(ToolResult("c0", "read", f"text of a{NASTY}"), 0.5),
        StepStarted(2),
        TextDelta("all "),
        TextDelta("is well"),
        StepFinished(2, Assistant("all is well"), Usage(20, 3), "stop", 3.0),
        RunFinished("done", 0, "all is well", 2, Usage(30, 5), 5.5),
    ]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SessionStore:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("KIMICODE_HOME", str(tmp_path / "home"))
    return SessionStore(tmp_path / "home")


def add(store: SessionStore, workspace: Path, prompt: str) -> str:
    session_id, log = store.create()
    with log:
        for event in a_run(session_id, workspace, prompt):
            log.append(event)
    return session_id


def test_list_shows_this_folder_or_all(store: SessionStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert sessions_list(False, False) == 0
    assert "--all" in capsys.readouterr().err
    ours, theirs = add(store, Path.cwd(), "fix\nit"), add(store, Path("/elsewhere"), "x" * 200)
    assert sessions_list(False, False) == 0
    shown = capsys.readouterr().out
    assert ours in shown
    assert theirs not in shown
    assert "done" in shown
    assert "2 steps" in shown
    assert "fix it" in shown
    sessions_list(True, False)
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == {ours, theirs}
    assert any("/elsewhere" in line and line.endswith("x…") for line in lines)


def test_list_as_json_is_an_object_a_line(store: SessionStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert sessions_list(True, True) == 0
    assert capsys.readouterr() == ("", "")
    add(store, Path.cwd(), "a\nb")
    add(store, Path.cwd(), NASTY)
    sessions_list(False, True)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["status"] for row in rows} == {"done"}
    assert "a\nb" in {row["prompt"] for row in rows}


def test_show_and_replay_tell_the_story(store: SessionStore, capsys: pytest.CaptureFixture[str]) -> None:
    session_id = add(store, Path.cwd(), "please fix it")
    assert sessions_show(session_id[-4:]) == 0
    shown = capsys.readouterr().out
    assert replay(session_id, 0, screen=False) == 0
    replayed = capsys.readouterr().out
    for out in (shown, replayed):
        assert "please fix it" in out
        assert "not streamed" in out
        assert "text of a" in out
        assert out.count("all is well") == 1
        assert not {"\x1b", "\x07", "\u202e"} & set(out)


def test_list_is_safe_for_the_terminal(store: SessionStore, capsys: pytest.CaptureFixture[str]) -> None:
    add(store, Path.cwd(), NASTY)
    sessions_list(True, False)
    assert not {"\x1b", "\x07", "\u202e"} & set(capsys.readouterr().out)


def test_replay_shows_changes_and_rewinds(capsys: pytest.CaptureFixture[str]) -> None:
    changes = (FileChange("a\x1b[2J.py", FileState(), FileState("file", 0o644, "00" * 32)),)
    replay_events([FilesChanged("c", changes), Rewound(3, True, True, changes)], 0)
    out = capsys.readouterr().out
    assert "changed: a" in out
    assert "rewound to before turn 3" in out
    assert "\x1b" not in out


def test_replay_keeps_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    waited: list[float] = []
    replay_events(a_run("x", Path("/w"), "hi"), 2.0, waited.append)
    assert waited == [1.0, 0.25, 0.5, 0.5, 0.5]
    waited.clear()
    replay_events(a_run("x", Path("/w"), "hi"), 0, waited.append)
    assert waited == []
    assert capsys.readouterr().out.count("all is well") == 2


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_impossible_speed(speed: float, store: SessionStore) -> None:
    with pytest.raises(UsageError, match="--speed"):
        replay(add(store, Path.cwd(), "x"), speed, screen=False)


def test_a_log_file_is_played_as_well_and_a_screen_needs_a_terminal(store: SessionStore, capsys: pytest.CaptureFixture[str]) -> None:
    log = str(store.path(add(store, Path.cwd(), "please fix it")))
    assert replay(log, 0, screen=False) == 0
    assert "please fix it" in capsys.readouterr().out
    with pytest.raises(UsageError, match="no terminal"):
        replay(log, 0, screen=True)


def test_export_to_a_file_and_to_a_pipe(store: SessionStore, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    session_id = add(store, Path.cwd(), "x")
    assert sessions_export(session_id, "json", tmp_path / "out.json") == 0
    exported = (tmp_path / "out.json").read_bytes()
    assert json.loads(exported)["messages"][3]["content"] == f"text of a{NASTY}"
    assert sessions_export(session_id, "json", None) == 0
    assert capfdbinary.readouterr().out == exported
    assert sessions_export(session_id, "md", None) == 0
    assert b"\x1b" not in capfdbinary.readouterr().out


def test_export_to_a_terminal_is_safe(store: SessionStore) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    with contextlib.redirect_stdout(terminal):
        sessions_export(add(store, Path.cwd(), "x"), "json", None)
    assert "\u202e" not in terminal.getvalue()
    assert json.loads(terminal.getvalue())["v"] == 1


def test_what_can_go_wrong(store: SessionStore, tmp_path: Path) -> None:
    session_id = add(store, Path.cwd(), "x")
    with pytest.raises(UsageError, match="no session 'nothing'"):
        sessions_show("nothing")
    with pytest.raises(UsageError, match="no format 'pdf'"):
        sessions_export(session_id, "pdf", None)
    with pytest.raises(KimicodeError, match="can't write"):
        sessions_export(session_id, "md", tmp_path / "missing" / "x.md")


def test_a_title_stands_for_the_prompt_and_is_told_once(store: SessionStore, capsys: pytest.CaptureFixture[str]) -> None:
    session_id = add(store, Path.cwd(), "please fix it")
    with store.open(session_id) as log:
        for event in (
            Titled("the parser"),
            Titled("the parser"),
            StepStarted(3),
            Titled("the lexer"),
            RunFinished("done", 0, "", 1, Usage(), 1),
        ):
            log.append(event)
    sessions_list(False, False)
    shown = capsys.readouterr().out
    assert shown.rstrip().endswith("  the lexer")
    assert "please" not in shown
    replay(session_id, 0, screen=False)
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("[named")] == ["[named: the parser]", "[named: the lexer]"]
