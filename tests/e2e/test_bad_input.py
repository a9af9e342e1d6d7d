"""What is wrong before a run begins: one message that says what, where and what to do, the documented exit code, an empty stdout."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.kimi import Ended, Kimi, say
from tests.engine import tinygguf

NOBODY = ("--endpoint", "http://127.0.0.1:9/v1", "--model", "m")

POWERLESS = "import ctypes, os, sys; [ctypes.CDLL(None).prctl(24, n, 0, 0, 0) for n in (1, 2)]; os.execv(sys.argv[1], sys.argv[1:])"
"""Takes from root what lets it read and enter everything (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH), so that it is refused as everybody is."""


def fails(ended: Ended, code: int, *words: str) -> None:
    assert (ended.code, ended.stdout) == (code, b""), ended.err
    for word in words:
        assert word in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--headless"], ["no prompt", "Say what to do"]),
        (["--headless", ""], ["no prompt"]),
        (["--headless", " \n"], ["no prompt"]),
        (["--headless", "-"], ["no prompt"]),
        (["--headless", "go", "--frobnicate"], ["No such option", "--frobnicate"]),
        (["sesions", "list"], ["unexpected extra argument", "list"]),
        (["sessions", "frobnicate"], ["No such command 'frobnicate'"]),
        (["--headless", "go", "--permission", "root"], ["--permission can't be 'root'", "Choose one of: read-only, workspace, full."]),
        (["--headless", "go", "--output", "xml"], ["'xml'", "text, json, stream-json"]),
        (["--headless", "go", "--thinking", "hard"], ["--thinking can't be 'hard'", "off, on, keep"]),
        (["--headless", "go", "--max-steps", "many"], ["--max-steps", "valid integer"]),
        (["--headless", "go", "--max-steps", "0"], ["--max-steps must be above zero"]),
        (["--headless", "go", "--max-seconds", "nan"], ["--max-seconds must be above zero"]),
        (["--headless", "go", "--max-cost", "-1"], ["--max-cost must be above zero"]),
        (["--headless", "go", "--resume", "x", "--continue"], ["exclude each other"]),
        (["--headless", "go", "--resume", "x", *NOBODY], ["no session 'x'", "kimicode sessions list"]),
        (["--headless", "go", "--continue", *NOBODY], ["no earlier session", "--resume ID"]),
        (["--headless", "go", "--endpoint", "nowhere"], ["unknown endpoint: nowhere", "moonshot"]),
        (["--headless", "go", "--endpoint", "http://", "--model", "m"], ["no usable address"]),
        (["--headless", "go", "--model", "gpt-9"], ["unknown model: gpt-9", ".gguf"]),
        (["--headless", "go", "--model", "missing.gguf"], ["no such model file", "missing.gguf"]),
        (["--headless", "go", "--model", "folder.gguf"], ["folder.gguf"]),
        (["--headless", "go", "--model", "text.gguf"], ["text.gguf", "not a GGUF"]),
        (["--headless", "go", "--model", "cut.gguf"], ["cut.gguf", "cut"]),
        (["--headless", "go", "--schema", "missing.json", *NOBODY], ["missing.json", "No such file", "--schema"]),
        (["--headless", "go", "--schema", ".", *NOBODY], ["can't read the schema .", "--schema"]),
        (["--headless", "go", "--schema", "text.gguf", *NOBODY], ["text.gguf is no JSON object"]),
        (["--headless", "go", "--schema", "list.json", *NOBODY], ["list.json is no JSON object"]),
        (["--headless", "go", "--schema", "wrong.json", *NOBODY], ["--schema", "not a valid JSON Schema", "$.type"]),
        (["--headless", "go", "--schema", "dialect.json", *NOBODY], ["--schema", "not a valid JSON Schema"]),
        (["--headless", "go", "--schema", "pattern.json", *NOBODY], ["--schema", "not a valid JSON Schema"]),
    ],
)  # fmt: skip
def test_usage(kimi: Kimi, arguments: list[str], words: list[str]) -> None:
    for name, data in {
        "text.gguf": "just text, whatever the name says",
        "list.json": "[]",
        "wrong.json": '{"type": "strnig"}',
        "dialect.json": '{"$schema": ["https://json-schema.org/draft/2020-12/schema"]}',
        "pattern.json": '{"properties": {"a": {"pattern": "("}}}',
    }.items():
        (kimi.workspace / name).write_text(data)
    (kimi.workspace / "folder.gguf").mkdir()
    (kimi.workspace / "cut.gguf").write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(9))
    fails(kimi.run(*arguments), 2, *words)
    assert not kimi.home.exists()


def test_no_key(kimi: Kimi) -> None:
    fails(kimi.run("--headless", "go"), 69, "no key is set", "MOONSHOT_API_KEY", "kimi-nano")
    fails(kimi.run("--headless", "go", "--endpoint", "moonshot"), 69, "no key is set", "MOONSHOT_API_KEY")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("model = = 1", ["settings.toml", "line 1", "Correct the file"]),
        ('modle = "m"', ["settings.toml: modle", "The settings are: model"]),
        ("max_steps = '3'", ["settings.toml", "max_steps", "int"]),
        ('permission = "root"', ["settings.toml: permission can't be 'root'", "Choose one of"]),
        ("max_tokens = -5", ["max_tokens must be above zero"]),
    ],
)
def test_settings(kimi: Kimi, settings: str, words: list[str]) -> None:
    kimi.config.write_text(settings)
    fails(kimi.run("--headless", "go", *NOBODY), 2, *words)


@pytest.mark.parametrize(
    ("name", "value"), [("MAX_STEPS", "lots"), ("PERMISSION", "root"), ("MAX_SECONDS", "-1"), ("THINKING", "\x1b[31m")]
)
def test_environment(kimi: Kimi, name: str, value: str) -> None:
    kimi.environ[f"KIMICODE_{name}"] = value
    ended = kimi.run("--headless", "go", *NOBODY)
    fails(ended, 2, f"KIMICODE_{name} ")
    assert "\x1b" not in ended.err


def test_settings_in_order(kimi: Kimi, serve: Serve) -> None:
    server = serve(say("ok"))
    kimi.config.write_text(f'endpoint = "{server.url}"\nmodel = "file"\npermission = "full"\n')
    kimi.environ |= {"KIMICODE_MODEL": "environment", "KIMICODE_PERMISSION": "workspace", "KIMICODE_MAX_STEPS": "3"}
    ended = kimi.run("--headless", "go", "--permission", "read-only", "--output", "stream-json")
    assert ended.code == 0
    assert json.loads(ended.out.splitlines()[0])["permission"] == "read-only"
    assert server.calls[0].json["model"] == "environment"


def closing(number: int) -> tuple[str, ...]:
    """Runs a command with a standard stream closed."""
    return (sys.executable, "-c", f"import os, sys; os.close({number}); os.execv(sys.argv[1], sys.argv[1:])")


def test_stdin_closed(kimi: Kimi, serve: Serve) -> None:
    fails(kimi.run("--headless", "-", *NOBODY, through=closing(0)), 2, "stdin is closed")
    server = serve(say("ok"))
    assert kimi.run("--headless", "go", "--endpoint", server.url, "--model", "m", through=closing(0)).out == "ok\n"


def test_stdin_that_is_no_text(kimi: Kimi) -> None:
    fails(kimi.run("--headless", "-", *NOBODY, given=b"caf\xe9 au lait"), 2, "not UTF-8", "byte 3")


def test_stdout_closed(kimi: Kimi) -> None:
    """The session log once got the number of the closed stdout, and the run a traceback."""
    for arguments in (["--headless", "go", *NOBODY], ["--version"], ["models", "list"]):
        fails(kimi.run(*arguments, through=closing(1)), 2, "stdout is closed", "/dev/null")


def test_stderr_closed(kimi: Kimi, serve: Serve) -> None:
    server = serve(say("ok"))
    ended = kimi.run("--headless", "go", "--endpoint", server.url, "--model", "m", through=closing(2))
    assert (ended.code, ended.out) == (0, "ok\n")
    assert kimi.run("--headless", through=closing(2)).code == 2


def test_a_folder_that_is_gone(kimi: Kimi, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    remove = (sys.executable, "-c", "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])")
    for arguments in (["--headless", "go", *NOBODY], ["tool", "read", '{"path": "a"}'], ["sessions", "list"]):
        (tmp_path / "gone").mkdir(exist_ok=True)
        fails(kimi.run(*arguments, cwd=tmp_path / "gone", through=remove), 2, "current directory can't be used", "Change to a folder")


def test_a_folder_that_can_not_be_read(kimi: Kimi) -> None:
    kimi.workspace.chmod(0o311)
    fails(
        kimi.run("--headless", "go", *NOBODY, through=(sys.executable, "-c", POWERLESS)), 2, f"can't work in {kimi.workspace}", "Permission"
    )


def test_a_folder_whose_name_is_no_text(kimi: Kimi, serve: Serve) -> None:
    """The first event could not be written: its workspace was no UTF-8."""
    folder = Path(os.fsdecode(os.fsencode(kimi.workspace) + b"/caf\xe9"))
    folder.mkdir()
    server = serve(say("one"), say("two"))
    where = ("--headless", "--endpoint", server.url, "--model", "m")
    assert kimi.run("go", *where, cwd=folder).out == "one\n"
    assert kimi.run("go", "--continue", *where, cwd=folder).out == "two\n"
    assert kimi.log().stem in kimi.run("sessions", "list", cwd=folder).out


@pytest.mark.parametrize("form", ["file", "no folder"])
def test_a_home_that_can_not_be_written(kimi: Kimi, serve: Serve, form: str) -> None:
    server = serve()
    if form == "file":
        kimi.home.write_text("a file")
    else:
        kimi.environ["KIMICODE_HOME"] = "/proc/kimicode"
    fails(kimi.run("--headless", "go", "--endpoint", server.url, "--model", "m"), 1, "can't open the session log", "KIMICODE_HOME")
    assert server.calls == []


def test_a_model_file_that_lost_its_end(kimi: Kimi) -> None:
    """Its head is in order, so the run begins; the engine finds out."""
    whole = tinygguf.write(kimi.workspace / "whole.gguf").read_bytes()
    (kimi.workspace / "cut.gguf").write_bytes(whole[: len(whole) * 9 // 10])
    fails(kimi.run("--headless", "go", "--model", "cut.gguf"), 2, "cut.gguf", "engine", "failed (0 steps")
