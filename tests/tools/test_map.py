"""The tool `map`: what it answers, what it refuses, and that the same question has the same answer."""

import asyncio
import json
import os

import pytest

from kimicode.messages import ToolCall
from kimicode.repo.codebase import Codebase
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tokens import count
from kimicode.tools.base import ToolContext
from kimicode.tools.map import NAME, PROPERTIES, REQUIRED, Map
from kimicode.tools.registry import Toolbox
from kimicode.tools.spec import full_spec


@pytest.fixture
def ask(workspace, scratch, tmp_path):
    """`ask(budget=…)`: the result of one call; `hidden` are paths that the policy hides."""
    code = Codebase(workspace, {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, cache=tmp_path / "cache", processes=1)

    def one(*, hidden=(), without_index=False, **arguments):
        policy = Policy(Permission.READ_ONLY, workspace, (scratch,), hidden=tuple(workspace / each for each in hidden))
        context = ToolContext(workspace, policy, scratch, code=None if without_index else code)
        box = Toolbox((Map(full_spec(NAME, PROPERTIES, REQUIRED)),), context)
        return asyncio.run(box.run(ToolCall("functions.map:0", NAME, json.dumps(arguments))))

    yield one
    code.close()


@pytest.fixture
def project(workspace):
    (workspace / "src").mkdir()
    (workspace / "README.md").write_text("A project.\n")
    (workspace / "src" / "core.py").write_text("class Engine:\n    def start(self) -> None: pass\n")
    (workspace / "src" / "use.py").write_text("from core import Engine\n\ndef main() -> None:\n    Engine().start()\n")
    return workspace


def test_a_map(ask, project):
    result = ask()
    assert result.ok
    assert result.content == (
        "3 of 3 files shown (source: 2 Python)\n./\n  README.md\nsrc/\n"
        "  core.py\n    class Engine\n      def start(self) -> None\n  use.py\n    def main() -> None\n"
    )


def test_the_same_question_has_the_same_answer_until_something_changes(ask, project):
    first = ask(budget=500).content
    assert ask(budget=500).content == first
    (project / "src" / "new.py").write_text("def fresh(): pass\n")
    assert "def fresh()" in ask(budget=500).content
    (project / "src" / "new.py").unlink()
    assert ask(budget=500).content == first


def test_budget_and_focus(ask, project):
    for number in range(60):
        (project / f"m{number}.py").write_text(f"def function_number_{number}(): pass\n")
    assert count(ask(budget=100).content) <= 100
    assert "def function_number_37()" in ask(budget=100, focus=["m37.py"]).content
    assert "from" not in ask(focus=["src"]).content
    assert "m1.py" not in ask(focus=["src"]).content


def test_what_the_policy_hides_is_not_shown(ask, project):
    (project / "keys.py").write_text("class SecretKey: pass\n")
    assert "SecretKey" in ask().content
    assert "keys" not in ask(hidden=["keys.py"]).content
    assert not ask(hidden=["keys.py"], focus=["SecretKey"]).ok


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"budget": 20}, "budget"),
        ({"budget": 9000}, "budget"),
        ({"focus": "src"}, "focus"),
        ({"focus": ["nowhere.py"]}, "Nothing is called nowhere.py"),
        ({"without_index": True}, "there is no symbol index here. Use glob and grep."),
    ],
)
def test_what_it_refuses(ask, project, arguments, words):
    result = ask(**arguments)
    assert not result.ok
    assert words in result.content
