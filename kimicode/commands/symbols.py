"""`kimicode symbols QUERY [--kind …]`: what a name, a file or a place in a file is, with the words that a model gets.

The answer goes to stdout. Nothing of that name: exit 1; a refusal 77; a wrong kind 2. What this module does not do: look it up
(`tools.symbols`).
"""

import json

from kimicode.commands.folder import current_folder
from kimicode.commands.tool import run_tool
from kimicode.errors import UsageError
from kimicode.tools.schemas import SYMBOL_KINDS


def symbols_command(query: str, kind: str | None = None) -> int:
    """Look `query` up in the current directory; the exit code. Raises `UsageError` for a kind that is none."""
    if kind is not None and kind not in SYMBOL_KINDS:
        raise UsageError(f"there is no kind {kind!r}", hint=f"The kinds are: {', '.join(SYMBOL_KINDS)}.")
    arguments = {"query": query} if kind is None else {"query": query, "kind": kind}
    return run_tool("symbols", json.dumps(arguments), None, current_folder())
