"""The other commands as processes: what they print where, with which exit code."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.kimi import Kimi, do, say, until
from tests.engine import tinygguf


def test_tool(kimi: Kimi) -> None:
    (kimi.workspace / "a.py").write_text("x = 1\n")
    ended = kimi.run("tool", "edit", '{"path": "a.py", "old_string": "1", "new_string": "2"}')
    assert (ended.code, ended.out, ended.err) == (0, "Edited a.py: 1 replacement.\n", "")
    refused = kimi.run("tool", "edit", '{"path": "a.py", "old_string": "2", "new_string": "3"}', "--permission", "read-only")
    assert (refused.code, refused.out) == (77, "")
    assert refused.err.startswith("Refused: ")
    assert (kimi.workspace / "a.py").read_text() == "x = 2\n"
    assert (kimi.run("tool", "read", '{"path": "b"}').code, kimi.run("tool", "fly", "{}").code) == (1, 2)


def test_sessions(kimi: Kimi, serve: Serve, tmp_path: Path) -> None:
    server = serve(do(("glob", {"pattern": "*"})), say("Nothing \x1b[31mhere\x07."))
    assert kimi.headless(server, "What is here?").code == 0
    session = kimi.log().stem
    listed = kimi.run("sessions", "list")
    assert (listed.code, listed.err) == (0, "")
    assert session in listed.out
    assert "What is here?" in listed.out
    assert kimi.run("sessions", "list", cwd=tmp_path).err.startswith("No sessions in this folder")
    for command in ("show", "replay"):
        shown = kimi.run("sessions", command, session[-4:])
        assert (shown.code, shown.err) == (0, "")
        assert "Nothing " in shown.out
        assert not any(mark in shown.out for mark in "\x1b\x07")
    exported = kimi.run("sessions", "export", session, "--format", "json", "--output", "run.json")
    assert (exported.code, exported.out) == (0, "")
    assert r"Nothing \u001b[31mhere\u0007." in (kimi.workspace / "run.json").read_text()
    for command in ("show", "replay", "export"):
        assert kimi.run("sessions", command, "zzzz").code == 2


def test_a_damaged_session_is_named(kimi: Kimi, serve: Serve) -> None:
    server = serve(say("ok"))
    assert kimi.headless(server, "go").code == 0
    lines = kimi.log().read_bytes().splitlines(keepends=True)
    kimi.log().write_bytes(b"".join([*lines[:2], b"not an event\n", *lines[3:]]))
    for arguments in (
        ["sessions", "show", kimi.log().stem],
        ["--headless", "go on", "--continue", "--endpoint", server.url, "--model", "m"],
    ):
        ended = kimi.run(*arguments)
        assert (ended.code, ended.out) == (1, "")
        assert f"{kimi.log()}, line 3: not a session event" in ended.err
        assert "head -n 2" in ended.err


def test_a_session_in_use(kimi: Kimi, serve: Serve) -> None:
    server = serve(do(("shell", {"command": "touch begun; sleep 600"})))
    with kimi.running("--headless", "go", "--endpoint", server.url, "--model", "m") as process:
        until((kimi.workspace / "begun").exists)
        ended = kimi.run("--headless", "too", "--continue", "--endpoint", server.url, "--model", "m")
        process.terminate()
        process.wait()
    assert (ended.code, ended.out) == (1, "")
    assert "another kimicode is using this session" in ended.err


@pytest.mark.parametrize("arguments", [["models", "list"], ["models", "list", "--json"], ["doctor", "--json"], ["--help"]])
def test_smoke(kimi: Kimi, arguments: list[str]) -> None:
    ended = kimi.run(*arguments)
    assert ended.code in ((0, 1) if arguments[0] == "doctor" else (0,)), ended.err
    assert ended.out
    if "--json" in arguments:
        assert isinstance(json.loads(ended.out), dict)


def test_a_model_file_in_the_embedded_engine(kimi: Kimi) -> None:
    """The engine starts, answers noise up to the context's end, stays for the next run, and is stopped."""
    tinygguf.write(kimi.workspace / "tiny.gguf", context=1024, extra={"kimicode.profile": "lean"})
    run = ("--headless", "go", "--model", "tiny.gguf", "--max-steps", "1", "--output", "stream-json")
    assert kimi.run("engine", "status").code == 1
    try:
        first, second, long = kimi.run(*run), kimi.run(*run), kimi.run("--headless", "-", *run[2:], given=b"words " * 1000)
        assert str(kimi.workspace / "tiny.gguf") in kimi.run("engine", "status").out
    finally:
        stopped = kimi.run("engine", "stop")
    assert stopped.code == 0
    assert "Starting the engine for tiny.gguf." in first.err
    assert "Starting the engine" not in second.err
    for ended in (first, second):
        assert ended.code in (0, 4, 124), ended.err
        assert ended.finished.usage.total > 0
    assert (long.code, long.finished.status) == (1, "failed")
    assert "does not fit the context of tiny.gguf" in long.finished.error
