"""Trajectories: pytest really runs, and every tool result is byte for byte what kimicode's own tools answer."""

import asyncio
import json
import os
import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from engine.nano.documents import lean_tools
from engine.nano.projects import Project, make_project
from engine.nano.trajectories import BrokenProject, run_pytest, trajectory
from kimicode.messages import ToolCall
from kimicode.model.client import ModelRequest
from kimicode.model.target import resolve
from kimicode.model.wire import request_body
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools.base import ToolContext
from kimicode.tools.registry import Toolbox, default_tools


def without_seconds(text: str) -> str:
    return re.sub(r"in \d+\.\d\ds", "in N s", text)


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_the_real_tools_answer_the_same(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    project = make_project(seed, held_out=True)
    for path, text in project.files.items():
        (tmp_path / path).write_text(text)
    messages = trajectory(project)
    toolbox = Toolbox(default_tools("lean"), ToolContext(tmp_path, Policy(Permission.WORKSPACE, tmp_path), tmp_path / ".scratch"))
    for asked, told in pairwise(messages):
        for call in asked.get("tool_calls", []):
            result = asyncio.run(toolbox.run(ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])))
            assert result.ok
            assert without_seconds(result.content) == without_seconds(str(told["content"]))
            assert told["tool_call_id"] == call["id"]
    assert project.bug.right in (tmp_path / project.bug.path).read_text()


def test_the_lean_tools_are_declared_as_the_agent_declares_them():
    request = ModelRequest((), tuple(tool.spec for tool in default_tools("lean")))
    body = json.loads(request_body(request, resolve("http://127.0.0.1:1", "any", {})).content)
    assert lean_tools() == body["tools"]


def test_a_bug_that_no_test_sees_is_refused():
    project = make_project(3)
    silent = {path: text if not path.startswith("test_") else "def test_nothing():\n    pass\n" for path, text in project.files.items()}
    with pytest.raises(BrokenProject):
        trajectory(Project(silent, project.bug, project.request))


def test_pytest_runs_in_the_folder_and_its_exit_code_is_shown(tmp_path: Path):
    (tmp_path / "test_a.py").write_text("def test_a():\n    assert 1 == 2\n")
    output = run_pytest(tmp_path)
    assert "FAILED test_a.py::test_a - assert 1 == 2" in output
    assert output.endswith("\n[exit 1]")
