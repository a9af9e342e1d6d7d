"""What the file tools share about paths: where a call's path really is, and an answer that helps when nothing is there.

What this module does not do: decide whether it may be touched (`sandbox.policy`).
"""

import contextlib
import difflib
import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final

from kimicode.errors import ToolError
from kimicode.messages import JsonObject
from kimicode.tools.base import ToolContext

_LISTED: Final = 30
_LOOKED_AT: Final = 2_000


def may_show(folder: Path, context: ToolContext) -> Callable[[str], bool]:
    """False for the files in `folder` that the policy hides: a search looks at everything below its folder."""
    hidden = context.policy.hidden_below(folder)
    return lambda file: not any(Path(file).is_relative_to(each) for each in hidden)


def shown(path: Path, context: ToolContext) -> str:
    """How a real path is called in results: relative to the workspace where it is inside."""
    root = context.workspace.resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def inside(args: JsonObject) -> str:
    """` in PATH` for a message about a search, or nothing where the call named no path."""
    return f" in {args['path']}" if "path" in args else ""


def require_exists(path: Path, name: str) -> None:
    """`ToolError` with the nearest names where nothing is at `path`, which the caller calls `name`."""
    if os.path.lexists(path):
        return
    folder = path.parent
    if not folder.is_dir():
        raise ToolError(f"{name} does not exist, nor does its folder. Use glob to find the file.")
    names = entries(folder)
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    if near:
        raise ToolError(f"{name} does not exist. Nearest names in that folder: {', '.join(near)}.")
    raise ToolError(f"{name} does not exist. That folder holds: {listing(names)}.")


def refuse_folder(path: Path, name: str) -> None:
    """`ToolError` that lists the folder where `path` is one."""
    if path.is_dir():
        raise ToolError(f"{name} is a folder. It holds: {listing(entries(path))}.")


def entries(folder: Path) -> list[str]:
    """The names in a folder, sorted, folders with a slash; of a huge folder only some. Empty where it can't be listed."""
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        return sorted(entry.name + ("/" if entry.is_dir() else "") for entry in islice(found, _LOOKED_AT))
    return []


def listing(names: list[str]) -> str:
    """Names for a message, not too many."""
    more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return (", ".join(names[:_LISTED]) or "nothing") + more
