"""`kimicode tool NAME JSON`: one agent tool by hand, under the policy and with the bytes a model would get.

The answer goes to stdout; an error to stderr with exit 1, a refusal with 77, an unknown tool or wrong arguments with 2. What the rules
want to be asked about is asked on the terminal, where there is one; "always" goes into the settings. No session records it, so a file need
not have been read before.
What this module does not do: shorten: a person may have a result of any size.
"""

import asyncio
import os
import sys
from pathlib import Path

from kimicode.commands.asking import approver_for
from kimicode.commands.folder import current_folder
from kimicode.errors import KimicodeError, RefusedError, ToolError, UsageError
from kimicode.events import Event, Notice
from kimicode.home import kimicode_cache, kimicode_home
from kimicode.keeping import Keeping
from kimicode.messages import ToolCall
from kimicode.repo.codebase import Codebase
from kimicode.safety import secure
from kimicode.session.store import SessionStore
from kimicode.settings import Settings, load_settings, settings_path
from kimicode.settings_file import add_rule
from kimicode.streams import complain, write_payload
from kimicode.tools.arguments import ArgumentsError
from kimicode.tools.base import Tool, ToolContext
from kimicode.tools.gate import Gate
from kimicode.tools.registry import Toolbox, default_tools


def tool(name: str, arguments: str, permission: str | None = None, sandbox: str | None = None) -> int:
    """Run one tool in the current directory; the exit code."""
    return run_tool(name, arguments, permission, current_folder(), sandbox=sandbox)


def run_tool(name: str, arguments: str, permission: str | None, workspace: Path, *, sandbox: str | None = None) -> int:
    """Run the tool `name` with the JSON `arguments` in `workspace`; the exit code. Never raises but when interrupted."""
    try:
        answer = _answer(name, arguments, load_settings(os.environ, {"permission": permission}, sandbox=sandbox), workspace)
    except ArgumentsError as error:
        names = ", ".join(each.spec.name for each in default_tools())
        return _complain(f"Error: {error}\n  The tools are: {names}.", UsageError.exit_code)
    except RefusedError as error:
        return _complain(f"Refused: {error}", error.exit_code)
    except KimicodeError as error:
        return _complain(f"Error: {error}", error.exit_code)
    except OSError as error:
        return _complain(f"Error: {name}: {error}", ToolError.exit_code)
    write_payload(sys.stdout, answer if answer.endswith("\n") else f"{answer}\n")
    return 0


def _answer(name: str, arguments: str, settings: Settings, workspace: Path) -> str:
    tools = default_tools()
    names = [each.spec.name for each in tools]
    if name not in names:
        raise UsageError(f"there is no tool {name!r}", hint=f"The tools are: {', '.join(names)}.")
    return asyncio.run(_run(tools, ToolCall(f"functions.{name}:0", name, arguments), settings, workspace))


async def _run(tools: tuple[Tool, ...], call: ToolCall, settings: Settings, workspace: Path) -> str:
    store = SessionStore(kimicode_home(os.environ))
    scratch = store.scratch("by-hand")
    safety = secure(settings, workspace, os.environ, scratch=scratch)
    gate = Gate(
        safety.policy,
        safety.rules,
        safety.situation,
        safety.where,
        approver=approver_for(sys.stdin, sys.stderr),
        emit=_tell,
        remember=lambda rule: add_rule(settings_path(os.environ), "allow", rule),
    )
    keeping = Keeping(safety, gate, store, lambda _: None, scratch=scratch, environ=os.environ, strict=False)
    code = Codebase(workspace, os.environ, cache=kimicode_cache(os.environ) / "index")
    context = ToolContext(workspace, safety.policy, scratch, code=code)
    try:
        return await Toolbox(tools, context, gate=gate, keeper=keeping).execute(call)
    finally:
        if code.index.notice:
            complain(code.index.notice)
        code.close()
        await keeping.aclose()


def _tell(event: Event) -> None:
    if isinstance(event, Notice):
        complain(event.text)


def _complain(message: str, exit_code: int) -> int:
    complain(message)
    return exit_code
