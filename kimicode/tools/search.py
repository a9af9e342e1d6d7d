"""What searches share: lines found by ripgrep as values, and what the index knows about their files.

What this module does not do: rank, or word an answer.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import KimicodeError
from kimicode.repo.codebase import Codebase
from kimicode.repo.neighbours import Neighbours
from kimicode.repo.standing import standing
from kimicode.repo.tree import Tree
from kimicode.repo.uses import Match
from kimicode.tools.base import ToolContext
from kimicode.tools.paths import may_show
from kimicode.tools.ripgrep import ripgrep

MAX_MATCHES: Final = 10_000
"""Lines that are looked at before the search stops: a pattern with more is too wide for any answer."""

MAX_FILES: Final = 250
"""Files whose symbols are looked up for one answer."""

SMALL_TREE: Final = 5_000
"""Files of a workspace that can be looked at as a whole for one answer."""

PARSE_S: Final = 0.5
"""How long files that are not indexed yet are read for one answer."""

_MAX_LINE_BYTES: Final = 500
_LINES: Final = (
    "--line-number", "--no-heading", "--with-filename", "--null", f"--max-columns={_MAX_LINE_BYTES}", "--max-columns-preview",
)  # fmt: skip
_INTRODUCES: Final = (
    *("def ", "class ", "func", "fn ", "struct ", "interface ", "enum ", "trait ", "type ", "impl ", "#define ", "macro", "module "),
    *("namespace ", "object ", "protocol ", "extension ", "const ", "let ", "var ", "val ", "public ", "private ", "static ", "void "),
)


class Lines(msgspec.Struct, frozen=True):
    """The lines that were found, sorted by path and line. `cut`: there are more. `error` is ripgrep's complaint, if it had one."""

    matches: tuple[Match, ...]
    cut: bool = False
    error: str = ""


async def find_lines(
    arguments: Sequence[str], path: Path, context: ToolContext, *, wanted: Callable[[str], bool] | None = None, limit: int = MAX_MATCHES
) -> Lines:
    """The lines below `path` that ripgrep finds with `arguments` (which name the pattern), hidden files left out.

    `wanted` judges a file by its path relative to `path`. Where there are more than `limit`, the first ones by path are returned.
    """
    keep = _keeper(path, context, wanted)
    call = (*_LINES, *arguments, "--", str(path))
    found = await ripgrep(call, context.workspace, limit, keep, in_order=False)
    if found.cut:
        # Which files were done first is chance: the answer must not be.
        found = await ripgrep(call, context.workspace, limit, keep)
    root = f"{await asyncio.to_thread(context.workspace.resolve)}/"
    matches = [match for line in found.lines if (match := _match(line, root)) is not None]
    return Lines(tuple(sorted(matches, key=lambda each: (each.path, each.line))), found.cut, found.error)


def _keeper(path: Path, context: ToolContext, wanted: Callable[[str], bool] | None) -> Callable[[str], str | None]:
    open_to_us = may_show(path, context)
    top = "" if path.is_file() else f"{path}/"

    def keep(line: str) -> str | None:
        file, separator, _ = line.partition("\0")
        # A name with a newline in it comes in two pieces, of which neither can be judged.
        if not separator or not file.startswith(top or str(path)) or not open_to_us(file):
            return None
        return line if wanted is None or wanted(file.removeprefix(top) if top else path.name) else None

    return keep


def _match(line: str, root: str) -> Match | None:
    file, _, rest = line.partition("\0")
    number, colon, text = rest.partition(":")
    if not colon or not number.isdigit():
        return None
    return Match(file.removeprefix(root), int(number), text)


async def tree_of(context: ToolContext) -> Tree | None:
    """The files that may be shown; None where the index can't be used: a search must not fail for that, its lines are right without it."""
    if context.code is None:
        return None
    try:
        return _visible(await asyncio.to_thread(context.code.tree), context)
    except (KimicodeError, OSError):
        return None


def _visible(tree: Tree, context: ToolContext) -> Tree:
    hidden = [path.relative_to(tree.root) for path in context.policy.hidden_below(tree.root) if path.is_relative_to(tree.root)]
    if not hidden:
        return tree
    return Tree(tree.root, tuple(file for file in tree.files if not any(Path(file.path).is_relative_to(each) for each in hidden)))


async def neighbours_of(
    code: Codebase,
    tree: Tree,
    matches: Sequence[Match],
    context: ToolContext,
    *,
    seconds: float = PARSE_S,
    more: Sequence[str] | None = None,
) -> Neighbours | None:
    """What is known about the files of `matches`, parsed as far as `seconds` allow; None where the index can't be used.

    With `more` those files come first, and the others of the workspace last, however many there are.
    """
    try:
        return await asyncio.to_thread(
            _neighbours, code, tree, [*(more or ()), *files_first(matches)], context, seconds, wide=more is not None
        )
    except (KimicodeError, OSError):
        return None


def _neighbours(code: Codebase, tree: Tree, files: Sequence[str], context: ToolContext, seconds: float, *, wide: bool) -> Neighbours:
    paths = [path for path in files if path in tree.by_path][:MAX_FILES]
    start = time.monotonic()
    if code.index.missing(tree.by_path[path] for path in paths):
        tree = _visible(code.refresh(seconds=seconds, only=paths).tree, context)
    if (wide or len(tree.files) <= SMALL_TREE) and code.index.missing(tree.files):
        tree = _visible(code.refresh(seconds=max(0.0, start + seconds - time.monotonic())).tree, context)
    known = Neighbours(code.index, tree)
    known.load(paths)
    return known


def files_first(matches: Sequence[Match]) -> list[str]:
    """The files of `matches`, those first that probably define what was found."""
    introduces: dict[str, bool] = {}
    for each in matches:
        introduces[each.path] = introduces.get(each.path, False) or each.text.lstrip().startswith(_INTRODUCES)
    return sorted(introduces, key=lambda path: (standing(path), not introduces[path], path))
