"""A change is painted soon: Textual's frame rate is set before it is first imported, and nowhere else."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os
from kimicode.tui.frames import paint_soon
paint_soon()
from textual.constants import MAX_FPS
print(MAX_FPS, os.environ.get("TEXTUAL_FPS"))
"""


@pytest.mark.parametrize(("given", "found"), [(None, "240 None"), ("30", "30 30")])
def test_what_changes_is_painted_soon_unless_the_user_says_otherwise(given: str | None, found: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "TEXTUAL_FPS"} | ({"TEXTUAL_FPS": given} if given else {})
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == found
