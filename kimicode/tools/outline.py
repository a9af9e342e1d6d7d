"""The outline of a file: its definitions, nested, each with its line and what introduces it; and which files it is linked with.

What this module does not do: search.
"""

from collections.abc import Sequence
from typing import Final

from kimicode.repo.lookup import FileView
from kimicode.repo.neighbours import Neighbours
from kimicode.tokens import count_lines

BUDGET: Final = 1_200
"""Tokens of an outline. A longer one loses its smallest definitions, then what is nested deepest."""

_SIGNATURE_CHARS: Final = 100
_SMALL: Final = frozenset({"field", "property", "variable", "constant"})
_FEW: Final = 12


def outlined(known: Neighbours, path: str, top: int = -1) -> list[str]:
    """The lines of the outline of the file at `path`, or of the definition with the number `top` in it."""
    view = known.view(path)
    if view is None or not view.read:
        return [f"{path}: not read as source ({view.symbols.problem if view is not None else 'unknown language'})"]
    all_of = [(place, depth) for place, depth in _nested(view, top) if place != top]
    for deepest, small in ((9, True), (9, False), (1, False), (0, False)):
        kept = [
            (place, depth) for place, depth in all_of if depth <= deepest and (small or view.symbols.definitions[place].kind not in _SMALL)
        ]
        lines = [_line(view, place, depth) for place, depth in kept]
        if sum(count_lines(f"{line}\n" for line in lines)) <= BUDGET:
            break
    lines, left = _within_budget(lines), len(all_of) - len(kept)
    left += len(kept) - len(lines)
    head = f"{path}{f' {view.label(top)}' if top >= 0 else ''}: {view.symbols.language}, {len(all_of)} definitions"
    problem = f" ({view.symbols.problem})" if view.symbols.problem else ""
    return [
        head + problem,
        *lines,
        *([f"[{left} smaller or later ones left out: ask for one of these by name, with kind outline]"] if left else []),
    ]


def linked(known: Neighbours, path: str, users: Sequence[str], *, whole: bool) -> list[str]:
    """What the file imports from this workspace, and what imports it; `whole`: all of them."""
    return [*_paths("imports", known.imports(path), whole), *_paths("imported by", users, whole)]


def _paths(title: str, paths: Sequence[str], whole: bool) -> list[str]:
    if not paths:
        return [f"{title}: nothing in this workspace"] if whole else []
    shown = paths if whole else paths[:_FEW]
    more = f" and {len(paths) - len(shown)} more (kind references shows all)" if len(shown) < len(paths) else ""
    return [f"{title} ({len(paths)}): {', '.join(shown)}{more}"]


def _nested(view: FileView, top: int) -> list[tuple[int, int]]:
    """Each definition below `top` with its depth, in the order of the text."""
    depths: dict[int, int] = {top: -1}
    found: list[tuple[int, int]] = []
    for place, each in enumerate(view.symbols.definitions):
        if place != top and each.parent in depths:
            depths[place] = depths[each.parent] + 1
            found.append((place, depths[place]))
    return found


def _line(view: FileView, place: int, depth: int) -> str:
    each = view.symbols.definitions[place]
    signature = each.signature if len(each.signature) <= _SIGNATURE_CHARS else f"{each.signature[:_SIGNATURE_CHARS]}…"
    return f"{' ' * depth}{each.line}-{each.end_line} {signature}" if each.end_line > each.line else f"{' ' * depth}{each.line} {signature}"


def _within_budget(lines: Sequence[str]) -> list[str]:
    spent = 0
    kept: list[str] = []
    for line, cost in zip(lines, count_lines(f"{line}\n" for line in lines), strict=True):
        spent += cost
        if spent > BUDGET:
            break
        kept.append(line)
    return kept
