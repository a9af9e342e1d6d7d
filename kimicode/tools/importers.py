"""Which files import a file: candidates by the words that an import of it must have, then the imports themselves looked up.

What this module does not do: word an answer.
"""

import re
from collections.abc import Iterator

from kimicode.errors import ToolError
from kimicode.repo.codebase import Codebase
from kimicode.repo.neighbours import Neighbours
from kimicode.tools.base import ToolContext
from kimicode.tools.search import find_lines, neighbours_of, tree_of


async def importers(
    known: Neighbours, path: str, code: Codebase, context: ToolContext, seconds: float
) -> tuple[Neighbours, tuple[str, ...]]:
    """The files that import the one at `path`, sorted, and what is known about them."""
    words = list(dict.fromkeys(_words(path)))
    found = await find_lines(
        ("--word-regexp", "--fixed-strings", *(f"--regexp={word}" for word in words)), context.workspace.resolve(), context
    )
    tree = await tree_of(context)
    wider = await neighbours_of(code, tree, found.matches, context, seconds=seconds, more=(path,)) if tree is not None else None
    if wider is None:
        raise ToolError("the symbol index can't be used. Use grep.")
    family = known.family(path)
    candidates = dict.fromkeys(match.path for match in found.matches)
    users = [each for each in candidates if each != path and wider.family(each) == family and path in wider.imports(each)]
    return wider, tuple(sorted(users))


def _words(path: str) -> Iterator[str]:
    """What stands in an import of the file, in one language or another: its name, or that of its folder where it is the folder's face."""
    *folders, name = path.split("/")
    stem = re.sub(r"(?:\.d)?\.\w+$", "", name)
    if name.endswith((".h", ".hh", ".hpp", ".hxx", ".inc")):
        yield name
    elif stem in ("__init__", "index", "mod", "init", "lib", "main"):
        yield from folders[-1:] if folders else (stem,)
        if name == "lib.rs":
            yield from ("crate", *(folder.replace("-", "_") for folder in folders[-2:-1]))
    elif name.endswith((".go", ".cs")):
        yield from re.split(r"\.", folders[-1])[-1:] if folders else (stem,)
    else:
        yield stem
