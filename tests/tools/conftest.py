"""A workspace and a toolbox over it, as the agent has them."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kimicode.messages import ToolCall, ToolResult
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools.base import ToolContext
from kimicode.tools.registry import Toolbox, default_tools

Use = Callable[..., ToolResult]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    folder.mkdir()
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


@pytest.fixture
def toolbox(workspace: Path, scratch: Path) -> Toolbox:
    return toolbox_in(workspace, scratch)


def toolbox_in(workspace: Path, scratch: Path, permission: Permission = Permission.WORKSPACE, profile: str = "default") -> Toolbox:
    context = ToolContext(workspace, Policy(permission, workspace, (scratch,)), scratch)
    return Toolbox(default_tools(profile), context)


@pytest.fixture
def use(toolbox: Toolbox) -> Use:
    """`use("read", path="a")`: the result of one call."""

    def one(name: str, **arguments: object) -> ToolResult:
        return asyncio.run(toolbox.run(ToolCall(f"functions.{name}:0", name, json.dumps(arguments))))

    return one


@pytest.fixture
def read_only(workspace: Path, scratch: Path) -> Use:
    """`use` where only looking is allowed."""

    def one(name: str, **arguments: object) -> ToolResult:
        box = toolbox_in(workspace, scratch, Permission.READ_ONLY)
        return asyncio.run(box.run(ToolCall(f"functions.{name}:0", name, json.dumps(arguments))))

    return one
