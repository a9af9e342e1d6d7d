"""The engine's commands: exit codes, and payload apart from messages."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine import control
from engine.commands import ExpertsChoice, app
from engine.layout import Experts
from tests.engine.process import client
from tests.engine.tinygguf import write

RUNNER = CliRunner()


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    return str(write(tmp_path / "tiny.gguf"))


def test_text_to_ids_and_back(tiny: str) -> None:
    encoded = RUNNER.invoke(app, ["tokenize", "--model", tiny], input='{"text": "hello é"}\n')
    assert (encoded.exit_code, encoded.stderr) == (0, "")
    decoded = RUNNER.invoke(app, ["tokenize", "--decode", "--model", tiny], input=encoded.stdout)
    assert json.loads(decoded.stdout) == {"text": "hello é"}


def test_prompts_declarations_and_answers(tiny: str) -> None:
    prompt = RUNNER.invoke(app, ["render", "--model", tiny], input='{"messages": [{"role": "user", "content": "hi"}]}')
    assert json.loads(prompt.stdout)["prompt"] == "<|im_user|>user<|im_middle|>hi<|im_end|><|im_assistant|>assistant<|im_middle|><think>"
    assert json.loads(RUNNER.invoke(app, ["declare"], input='{"tools": []}').stdout) == {"declaration": ""}
    answer = RUNNER.invoke(app, ["parse", "--model", tiny], input=json.dumps({"ids": [104, 105]}))
    assert json.loads(answer.stdout)["reasoning"] == "hi"


def test_bad_input_is_named_with_exit_2(tiny: str, tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("text")
    cases = [
        (["tokenize", "--model", tiny], "{", "line 1"),
        (["tokenize", "--model", str(tmp_path / "text.gguf")], "", "text.gguf"),
        (["tokenize", "--model", str(tmp_path / "absent.gguf")], "", "absent.gguf"),
        (["start", "--model", str(tmp_path / "absent.gguf")], "", "no such file"),
        (["serve", "--model", tiny], "", "--socket PATH or --port N"),
        (["serve", "--model", tiny, "--port", "1", "--socket", "x"], "", "--socket PATH or --port N"),
    ]
    for arguments, lines, message in cases:
        result = RUNNER.invoke(app, arguments, input=lines)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in result.stderr


def test_without_an_engine_status_is_1_and_stop_is_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("KIMICODE_HOME", str(tmp_path))
    for command, code in (("status", 1), ("stop", 0)):
        result = RUNNER.invoke(app, [command])
        assert (result.exit_code, result.stdout) == (code, "")
        assert result.stderr == "no engine is running\n"


def test_a_started_engine_is_shown_and_stopped(tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("KIMICODE_HOME", str(tmp_path))
    try:
        started = RUNNER.invoke(app, ["start", "--model", tiny, "--idle-timeout", "60", "--context", "512", "--attention", "stock"])
        assert (started.exit_code, started.stderr) == (0, "")
        assert started.stdout.startswith(f"ok  {tiny}  process ")
        assert "  attention stock  " in started.stdout
        assert "  experts " not in started.stdout, "llama.cpp maps so few"
        assert RUNNER.invoke(app, ["status", "--model", tiny]).stdout.startswith(f"ok  {tiny}")
        assert RUNNER.invoke(app, ["status", "--model", "kimi-nano"]).exit_code == 1
    finally:
        assert "stopped" in RUNNER.invoke(app, ["stop"]).stderr


def test_an_engine_shows_its_store_of_experts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("KIMICODE_HOME", str(tmp_path))
    asked = ["--context", "512", "--idle-timeout", "60", "--experts", "store", "--expert-memory", "0.001"]
    try:
        started = RUNNER.invoke(app, ["start", "--model", "kimi-nano", *asked])
        assert (started.exit_code, started.stderr) == (0, "")
        assert re.search(r"  experts \d+ kB( of 1\.0 MB)? in memory, 0% found there, 0 B read", started.stdout), started.stdout
        (engine,) = control.running(os.environ)
        with client(engine.places.socket) as asking:
            asking.post(
                "/v1/chat/completions", json={"model": "kimi-nano", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
            )
            metrics = asking.get("/metrics").text
        read = re.search(r"^kimicode_engine_experts_read_bytes_total (\d+)$", metrics, re.MULTILINE)
        assert read is not None
        assert int(read[1]) > 0
        assert re.search(r" in memory, \d+% found there, \d+\.?\d* MB read", RUNNER.invoke(app, ["status"]).stdout)
    finally:
        RUNNER.invoke(app, ["stop"])


def test_an_engine_process_does_not_load_what_only_commands_need() -> None:
    code = "import engine.__main__, sys; print([name for name in ('typer', 'httpx', 'torch', 'kimicode') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_command_line_knows_every_keeper_of_experts() -> None:
    assert [choice.value for choice in ExpertsChoice] == [keeper.value for keeper in Experts]
