"""`kimicode demo`: a small broken project, repaired offline by kimi-nano through the real headless run.

The project is made in a temporary folder, with two modules and one bug. What is shown is what happened: the run's own progress, the
difference it made to the files, and pytest's verdict afterwards. What this module does not do: help the model in any way.
"""

import difflib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kimicode.errors import KimicodeError, UsageError
from kimicode.model.target import boxed_model
from kimicode.streams import write_payload

PROMPT = "Fix the failing test."

FILES = {
    "bakery.py": '''def add_loaves(morning, evening):
    """Return the sum of morning and evening."""
    return morning - evening


def is_full(trays):
    """Return True if trays is at least 12."""
    return trays >= 12
''',
    "test_bakery.py": """from bakery import add_loaves, is_full


def test_add_loaves():
    assert add_loaves(30, 12) == 42
    assert add_loaves(5, 8) == 13


def test_is_full():
    assert is_full(12) == True
    assert is_full(11) == False
""",
}


def demo(keep: bool) -> int:
    """Run the demo; 0 where the model's edit made the tests pass. Raises `UsageError` where pytest is missing."""
    folder = Path(tempfile.mkdtemp(prefix="kimicode-demo-"))
    try:
        return _demo(folder, _environment())
    finally:
        if keep:
            _say(f"The project is in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _demo(folder: Path, environment: dict[str, str]) -> int:
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
    _say(f"A project with a bug: {', '.join(FILES)}\n")
    _run([sys.executable, "-m", "pytest", "-q", "--tb=line"], folder, environment)
    model = boxed_model()
    command = [sys.executable, "-m", "kimicode", "--headless", PROMPT, "--model", model]
    _say(f'\n$ kimicode --headless "{PROMPT}" --model {model}')
    code = _run(command, folder, environment)
    _say("\nWhat changed:\n")
    _say("".join(_difference(folder)) or "nothing")
    passed = _run([sys.executable, "-m", "pytest", "-q"], folder, environment) == 0
    _say("\nThe test passes." if passed else "\nThe test still fails.")
    return 0 if passed and code == 0 else code or KimicodeError.exit_code


def _difference(folder: Path) -> Iterator[str]:
    for name, before in FILES.items():
        path = folder / name
        after = path.read_text("utf-8", "replace") if path.exists() else ""
        yield from difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}")


def _environment() -> dict[str, str]:
    """The environment in which `python` is the Python that has pytest."""
    probe = subprocess.run([sys.executable, "-c", "import pytest"], capture_output=True, check=False)
    if probe.returncode != 0:
        raise UsageError("the demo needs pytest", hint=f"Install it: {sys.executable} -m pip install pytest")
    folder = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join((folder, os.environ.get("PATH", ""))), "PYTHONDONTWRITEBYTECODE": "1"}


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> int:
    return subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, check=False).returncode


def _say(text: str) -> None:
    write_payload(sys.stdout, f"{text}\n")
