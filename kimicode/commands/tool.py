"""`kimicode tool NAME JSON`: one agent tool by hand, under the policy and with the bytes a model would get.

The answer goes to stdout; an error to stderr with exit 1, a refusal with 77, an unknown tool or wrong arguments with 2.
What this module does not do: shorten: a person may have a result of any size.
"""

import asyncio
import os
import sys
from pathlib import Path

from kimicode.commands.folder import current_folder
from kimicode.errors import KimicodeError, RefusedError, ToolError, UsageError
from kimicode.home import kimicode_home
from kimicode.messages import ToolCall
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools.arguments import ArgumentsError
from kimicode.tools.base import ToolContext
from kimicode.tools.registry import Toolbox, default_tools


def tool(name: str, arguments: str, permission: str = Permission.WORKSPACE.value) -> int:
    """Run one tool in the current directory; the exit code."""
    return run_tool(name, arguments, permission, current_folder())


def run_tool(name: str, arguments: str, permission: str, workspace: Path) -> int:
    """Run the tool `name` with the JSON `arguments` in `workspace`; the exit code. Never raises but when interrupted."""
    try:
        answer = _answer(name, arguments, permission, workspace)
    except ArgumentsError as error:
        names = ", ".join(each.spec.name for each in default_tools())
        return _complain(f"Error: {error}\n  The tools are: {names}.", UsageError.exit_code)
    except RefusedError as error:
        return _complain(f"Refused: {error}", error.exit_code)
    except KimicodeError as error:
        return _complain(f"Error: {error}", error.exit_code)
    except OSError as error:
        return _complain(f"Error: {name}: {error}", ToolError.exit_code)
    sys.stdout.write(_printable(answer) if answer.endswith("\n") else f"{_printable(answer)}\n")
    sys.stdout.flush()
    return 0


def _answer(name: str, arguments: str, permission: str, workspace: Path) -> str:
    tools = default_tools()
    names = [each.spec.name for each in tools]
    if name not in names:
        raise UsageError(f"there is no tool {name!r}", hint=f"The tools are: {', '.join(names)}.")
    try:
        allowed = Permission(permission)
    except ValueError:
        choices = ", ".join(choice.value for choice in Permission)
        raise UsageError(f"there is no permission {permission!r}", hint=f"Choose one of: {choices}.") from None
    scratch = _scratch()
    context = ToolContext(workspace, Policy(allowed, workspace, (scratch,)), scratch)
    return asyncio.run(Toolbox(tools, context).execute(ToolCall("functions.by_hand:0", name, arguments)))


def _scratch() -> Path:
    return kimicode_home(os.environ) / "scratch" / "by-hand"


def _printable(text: str) -> str:
    # File names that are no UTF-8 arrive as lone surrogates, which no stream takes.
    return text.encode("utf-8", "replace").decode("utf-8")


def _complain(message: str, exit_code: int) -> int:
    sys.stderr.write(f"{_printable(message)}\n")
    return exit_code
