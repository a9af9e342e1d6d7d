"""`kimicode symbols QUERY [--kind …]`: what a name, a file or a place in a file is, with the words that a model gets.

The answer goes to stdout. Nothing of that name: exit 1; a refusal 77; a wrong kind 2. What this module does not do: look it up
(`tools.symbols`).
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from kimicode.commands.folder import current_folder
from kimicode.errors import KimicodeError, ToolError, UsageError
from kimicode.home import kimicode_cache, kimicode_home
from kimicode.messages import ToolCall
from kimicode.repo.codebase import Codebase
from kimicode.safety import secure
from kimicode.session.store import SessionStore
from kimicode.settings import load_settings
from kimicode.streams import complain, write_payload
from kimicode.tools.base import ToolContext
from kimicode.tools.registry import Toolbox
from kimicode.tools.spec import full_spec
from kimicode.tools.symbols import KINDS, NAME, PROPERTIES, REQUIRED, Symbols


def symbols_command(query: str, kind: str | None = None) -> int:
    """Look `query` up in the current directory; the exit code."""
    try:
        if kind is not None and kind not in KINDS:
            raise UsageError(f"there is no kind {kind!r}", hint=f"The kinds are: {', '.join(KINDS)}.")
        answer = _answer(query, kind, current_folder())
    except KimicodeError as error:
        complain(f"Error: {error}")
        return error.exit_code
    except OSError as error:
        complain(f"Error: {NAME}: {error}")
        return ToolError.exit_code
    write_payload(sys.stdout, f"{answer}\n")
    return 0


def _answer(query: str, kind: str | None, workspace: Path) -> str:
    scratch = SessionStore(kimicode_home(os.environ)).scratch("by-hand")
    safety = secure(load_settings(os.environ, {}), workspace, os.environ, scratch=scratch)
    code = Codebase(workspace, os.environ, cache=kimicode_cache(os.environ) / "index")
    try:
        box = Toolbox((Symbols(full_spec(NAME, PROPERTIES, REQUIRED)),), ToolContext(workspace, safety.policy, scratch, code=code))
        arguments = {"query": query} if kind is None else {"query": query, "kind": kind}
        return asyncio.run(box.execute(ToolCall(f"functions.{NAME}:0", NAME, json.dumps(arguments))))
    finally:
        if code.index.notice:
            complain(code.index.notice)
        code.close()
