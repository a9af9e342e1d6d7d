"""A map of a workspace: its most important files with their most used definitions, in as many K2.6 tokens as asked and no more.

The map of the same files, budget and focus is the same text, to the byte, whatever was done before. It is kept in the index, and so is
what it is made from; after an edit only what the edit changes is counted again. What this module does not do: decide what may be shown
(`show` does), or print.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from kimicode.errors import ToolError
from kimicode.repo.choose import Choice, Sheet, choose
from kimicode.repo.codebase import Codebase, Refreshed
from kimicode.repo.focus import Focus, turn
from kimicode.repo.heading import Heading, heading
from kimicode.repo.index import Index
from kimicode.repo.lines import Lines
from kimicode.repo.rank_keep import Lost, Standing, mark_of, ranking, standing
from kimicode.repo.sheets import file_line, folder_line, keep_sheets, sheets
from kimicode.repo.wire import unwired, wired

DEFAULT_BUDGET: Final = 1_500
LEAST_BUDGET: Final = 100
MOST_BUDGET: Final = 8_000
OPENING_BUDGET: Final = 800

_KIND: Final = "map-text-2"
_TOKENS_PER_FILE: Final = 15
"""With its folder and a definition a file rarely takes less, so more files than the budget has room for are never looked at."""

_LEAST_FILES: Final = 100
_MOST_UNREAD: Final = 20
"""A map goes without the symbols of one file in so many where it is not asked for but offered."""


class _Text(msgspec.Struct, frozen=True, array_like=True):
    """A map that is kept, and what its making was told of which paths, wired, may be shown."""

    text: str
    open: tuple[str, ...]
    hidden: tuple[str, ...]


def all_shown(path: str) -> bool:
    """For `render` where nothing is hidden."""
    return bool(path)


def render(
    code: Codebase,
    *,
    budget: int = DEFAULT_BUDGET,
    focus: Sequence[str] = (),
    show: Callable[[str], bool] = all_shown,
    seconds: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """The map, at most `budget` K2.6 tokens (100 to 8,000), each line with its end; what a next line would add has no room in it.

    `focus`: paths of files and names, which come first with what they use and what uses them, and folders, outside of which nothing is
    shown. `show` says of a path, relative to the workspace, whether it may be in the map. The index is brought up to date before, for
    `seconds` at most: what has not been read by then is without definitions, and the map says so; `progress` is told how many files of
    how many are read. Raises `ToolError` for a budget out of range, a focus that nothing fits, and where the files can't be listed.
    """
    if not LEAST_BUDGET <= budget <= MOST_BUDGET:
        raise ToolError(f"budget is {budget}: send {LEAST_BUDGET} to {MOST_BUDGET:,}.")
    return _render(code.index, code.refresh(seconds=seconds, progress=progress), _Order(budget, tuple(focus), show))


def map_for_opening(
    code: Codebase, budget: int = OPENING_BUDGET, *, seconds: float = 2.0, show: Callable[[str], bool] = all_shown
) -> str | None:
    """A map for the first message of a session; None where it can't be made within about `seconds`, or hardly any file holds symbols."""
    until = time.monotonic() + seconds
    refreshed = code.refresh(seconds=seconds)
    if len(refreshed.missing) * _MOST_UNREAD > len(refreshed.tree.files):
        return None
    try:
        return _render(code.index, refreshed, _Order(budget, (), show, until))
    except TimeoutError:
        return None


class _Order(msgspec.Struct, frozen=True):
    budget: int
    focus: tuple[str, ...]
    show: Callable[[str], bool]
    until: float | None = None

    @property
    def files(self) -> int:
        """How many files are looked at."""
        return max(_LEAST_FILES, self.budget // _TOKENS_PER_FILE)


def _render(index: Index, refreshed: Refreshed, order: _Order) -> str:
    whole = not refreshed.missing
    known = standing(index, refreshed.tree) if whole else None
    name = _name(known.mark if known else mark_of(refreshed.tree), order)
    if whole and (text := _remembered(index, name, order.show)) is not None:
        return text
    seen: dict[str, bool] = {}

    def show(path: str) -> bool:
        if path not in seen:
            seen[path] = order.show(path)
        return seen[path]

    seeing = msgspec.structs.replace(order, show=show)
    try:
        text = _made(index, refreshed, seeing, known)
    except (Lost, msgspec.DecodeError):
        text = _made(index, refreshed, seeing, None)
    if whole:
        open_, hidden = (tuple(path for path, shown in seen.items() if shown is wanted) for wanted in (True, False))
        index.keep({name: msgspec.msgpack.encode(_Text(text, tuple(map(wired, open_)), tuple(map(wired, hidden))))}, kind=_KIND)
    return text


def _name(mark: str, order: _Order) -> str:
    asked = msgspec.msgpack.encode((order.budget, [each.encode("utf-8", "surrogatepass") for each in order.focus]))
    return f"{mark}:{hashlib.sha256(asked).hexdigest()}"


def _remembered(index: Index, name: str, show: Callable[[str], bool]) -> str | None:
    data = index.kept(_KIND, name)
    if data is None:
        return None
    try:
        kept = msgspec.msgpack.decode(data, type=_Text)
    except msgspec.DecodeError:
        return None
    fits = all(show(unwired(path)) for path in kept.open) and not any(show(unwired(path)) for path in kept.hidden)
    return kept.text if fits else None


def _made(index: Index, refreshed: Refreshed, order: _Order, known: Standing | None) -> str:
    tree = refreshed.tree
    kept = ranking(index, tree, known, whole=not refreshed.missing, until=order.until)
    lines = Lines(index, tree.root)
    if kept.name and not kept.changed:
        keep_sheets(index, tree, kept, order.files, lines)
    focus = turn(order.focus, tree, index, kept.ranking, order.show) if order.focus else Focus()
    if focus.unknown and len(focus.unknown) == len(set(order.focus)):
        raise ToolError(f"Nothing is called {', '.join(focus.unknown)}: no file, no folder, no definition. Use grep or glob to find it.")
    pages = sheets(index, tree, kept, focus, order.files, order.show, lines)
    head = heading(kept.ranking.census, focus, len(refreshed.missing), order.show)
    text = _filled(head, pages, order.budget, lines)
    lines.keep()
    return text


def _filled(head: Heading, pages: Sequence[Sheet], budget: int, lines: Lines) -> str:
    """Head and lines together: the head says how many files are shown, so it is known last."""
    fixed = head.within(budget, lines)
    room = budget - fixed.tokens(lines, 1)
    while True:
        choice = choose(pages, max(0, room))
        over = fixed.tokens(lines, len(choice.lines)) + choice.tokens - budget
        if over <= 0 or not choice.lines:
            return fixed.text(len(choice.lines)) + _body(choice, pages)
        room -= over


def _body(choice: Choice, pages: Sequence[Sheet]) -> str:
    """The chosen lines, by folder, the top one first."""
    shown = sorted((page for page in pages if page.path in choice.lines), key=lambda page: page.path.rpartition("/")[::2])
    parts, last = [], None
    for page in shown:
        if (folder := folder_line(page.path)) != last:
            parts.append(folder)
            last = folder
        parts.append(file_line(page.path))
        parts += [page.units[at].text for at in choice.lines[page.path]]
    return "".join(parts)
