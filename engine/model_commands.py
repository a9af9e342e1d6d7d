"""The `models` commands that are about model files: what one is, where it would live, fetching and making it.

Each command is in a module of its own. What this module does not do: `models list`, which is about endpoints and is kimicode's.
"""

import typer

from engine.convert.command import convert
from engine.describe_command import inspect
from engine.plan_command import plan
from engine.prepare_command import prepare
from engine.pull_command import pull


def add_to(group: typer.Typer) -> None:
    """Add the commands to the group `models`."""
    for command in (inspect, plan, pull, convert, prepare):
        group.command()(command)
