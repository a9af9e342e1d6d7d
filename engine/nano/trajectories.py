"""Correct repair trajectories in the formats of kimicode's tools, over projects on which pytest really runs.

Every tool result is what the tool would have answered: pytest runs twice on each project, in a process forked from one that has
imported pytest already (cheaper than a new interpreter, the same output). The formats are those of `kimicode/tools`; a test holds
them together. What this module does not do: render prompts or tokenize.
"""

import json
import os
import random
import re
import shutil
import sys
import tempfile
from pathlib import Path

from engine.nano.projects import Bug, Project

COMMAND = "python -m pytest -q --tb=no"
Message = dict[str, object]


class BrokenProject(ValueError):
    """The planted bug does not show, or its repair does not mend it."""


def trajectory(project: Project) -> list[Message]:
    """The whole conversation that repairs `project`, without the system prompt. Raises `BrokenProject`."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, text in project.files.items():
            (root / path).write_text(text)
        before = run_pytest(root)
        bug = project.bug
        target = root / bug.path
        wrong = target.read_text()
        target.write_text(wrong.replace(bug.wrong, bug.right))
        shutil.rmtree(root / "__pycache__", ignore_errors=True)
        after = run_pytest(root)
    if f"test_{bug.function}" not in before or "failed" in after or "error" in after:
        raise BrokenProject(f"{project.bug}: before {before!r}, after {after!r}")
    return _conversation(project.request, bug, wrong, before, after)


def _conversation(request: str, bug: Bug, source: str, before: str, after: str) -> list[Message]:
    edit = {"path": bug.path, "old_string": bug.wrong, "new_string": bug.right}
    return [
        {"role": "user", "content": request},
        _call(0, "Run the tests.", "shell", {"command": COMMAND}),
        _result(0, "shell", before),
        _call(1, f"test_{bug.function} fails, so read {bug.path}.", "read", {"path": bug.path}),
        _result(1, "read", source),
        _call(2, f"The bug is here:\n{quoted(source, bug.function)}", "edit", edit),
        _result(2, "edit", f"Edited {bug.path}: 1 replacement."),
        _call(3, "Run the tests.", "shell", {"command": COMMAND}),
        _result(3, "shell", after),
        {"role": "assistant", "reasoning_content": "All tests pass.", "content": f"Fixed {bug.function} in {bug.path}. The tests pass."},
    ]


def quoted(source: str, function: str) -> str:
    """The function's text. The model thinks by quoting it: that is copying, which it learns first, and puts what matters in reach."""
    start = source.index(f"def {function}(")
    return source[start:].split("\n\n", 1)[0].rstrip()


def _call(index: int, thought: str, name: str, arguments: dict[str, str]) -> Message:
    function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
    call = {"id": f"functions.{name}:{index}", "type": "function", "function": function}
    return {"role": "assistant", "reasoning_content": thought, "content": "", "tool_calls": [call]}


def _result(index: int, name: str, content: str) -> Message:
    return {"role": "tool", "tool_call_id": f"functions.{name}:{index}", "content": content}


def run_pytest(folder: Path) -> str:
    """What the shell tool answers to `COMMAND` in `folder`."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _pytest_child(folder, reader, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        output = pipe.read().decode()
    _, status = os.waitpid(pid, 0)
    return f"{output.rstrip()}\n[exit {os.waitstatus_to_exitcode(status)}]"


def _pytest_child(folder: Path, reader: int, writer: int) -> None:
    """Runs in the forked child and never returns."""
    import pytest  # only the generator needs it; the engine that serves does not have it

    code = 99
    try:
        os.close(reader)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        os.chdir(folder)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(folder))
        sys.stdout = os.fdopen(1, "w", closefd=False)
        code = int(pytest.main(["-q", "--tb=no", "-p", "no:cacheprovider", f"--rootdir={folder}"]))
        sys.stdout.flush()
    finally:
        os._exit(code)


_SECONDS = re.compile(r"in \d+\.\d\ds")


def vary_seconds(text: str, rng: random.Random) -> str:
    """The text with pytest's duration replaced by another plausible one, so that it carries no information."""
    return _SECONDS.sub(lambda _: f"in 0.{rng.randint(0, 99):02d}s", text)
