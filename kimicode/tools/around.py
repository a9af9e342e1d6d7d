"""What is connected with what a search found, one line each: definitions elsewhere, bases, what is overridden, callers.

Only edges that are sure are told, and few. What this module does not do: search for the matches themselves.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from kimicode.repo.lookup import Role
from kimicode.repo.neighbours import Neighbours, Target
from kimicode.repo.standing import Standing
from kimicode.repo.uses import Use, judged
from kimicode.tools.base import ToolContext
from kimicode.tools.search import SMALL_TREE, find_lines

_TARGETS: Final = 2
_CALLERS: Final = 5
_SIGNATURE_CHARS: Final = 120
_CALLABLE: Final = frozenset({"class", "struct", "function", "method", "constructor", "macro", "property"})
_MAX_CALLS: Final = 2_000


async def connected(known: Neighbours, uses: Sequence[Use], whole: Sequence[Use], names: Sequence[str], context: ToolContext) -> list[str]:
    """Lines about what `uses` are uses of, or, where they are text, about what encloses them. `whole` are those that are already shown."""
    targets = _defined(known, names) if names else _enclosing(known, uses)
    shown = {(use.path, use.within) for use in whole} | {(use.path, use.defines) for use in whole if use.defines >= 0}
    lines = [f"defined: {place(each)} {_signature(each)}" for each in targets if names and (each.path, each.number) not in shown]
    for target in targets:
        lines += relations(known, target)
    seen = {(use.path, use.line) for use in uses}
    return lines + await _callers(known, targets, seen, context)


def place(target: Target) -> str:
    """`path:first-last` of a definition."""
    first, last = target.definition.line, target.definition.end_line
    return f"{target.path}:{first}-{last}" if last > first else f"{target.path}:{first}"


def brief(target: Target) -> str:
    """`Name (path:line)`."""
    return f"{target.label} ({target.path}:{target.definition.line})"


def relations(known: Neighbours, target: Target) -> list[str]:
    """What a definition inherits and overrides."""
    bases = [name if base is None else brief(base) for name, base in known.bases(target)]
    lines = [f"{target.label} inherits {', '.join(bases)}"] if bases else []
    if over := known.overridden(target):
        lines.append(f"{target.label} overrides {', '.join(map(brief, over[:_TARGETS]))}")
    return lines


def _defined(known: Neighbours, names: Sequence[str]) -> list[Target]:
    found = [target for name in names for target in known.definitions(name)]
    source = [each for each in found if not _is_aside(each.path, known)]
    return source if len(source) <= _TARGETS else []


def _is_aside(path: str, known: Neighbours) -> bool:
    view = known.view(path)
    return view is None or view.symbols.problem in ("generated", "minified")


def _enclosing(known: Neighbours, uses: Iterable[Use]) -> list[Target]:
    """What encloses the matches in source, where that is not more than a few definitions."""
    places = dict.fromkeys((use.path, use.within) for use in uses if use.standing is Standing.SOURCE and use.within >= 0)
    targets = [target for path, number in list(places)[: _TARGETS + 1] if (target := known.target(path, number)) is not None]
    return targets if len(targets) <= _TARGETS else []


async def _callers(known: Neighbours, targets: Sequence[Target], seen: set[tuple[str, int]], context: ToolContext) -> list[str]:
    """Calls of the targets that the search itself has not found."""
    wanted = [each for each in targets if each.definition.kind in _CALLABLE]
    if not wanted or len(known.tree.files) > SMALL_TREE:
        return []
    names = list(dict.fromkeys(each.definition.name for each in wanted))
    arguments = ("--word-regexp", "--fixed-strings", *(f"--regexp={name}" for name in names))
    found = await find_lines(arguments, context.workspace.resolve(), context, limit=_MAX_CALLS)
    if found.cut:
        return []
    known.load(match.path for match in found.matches)
    lines: list[str] = []
    for target in wanted:
        alone = len(known.definitions(target.definition.name)) == 1
        calls = [
            use
            for use in judged(found.matches, known.view, (target.definition.name,))
            if use.role is Role.CALL and (use.path, use.line) not in seen and known.sure(use, target, alone=alone)
        ]
        if calls:
            lines.append(f"{target.label} is called by {_list(calls)}")
    return lines


def _list(calls: Sequence[Use]) -> str:
    first = ", ".join(f"{use.around} ({use.path}:{use.line})" if use.around else f"{use.path}:{use.line}" for use in calls[:_CALLERS])
    return f"{first} and {len(calls) - _CALLERS} more" if len(calls) > _CALLERS else first


def _signature(target: Target) -> str:
    text = target.definition.signature
    return text if len(text) <= _SIGNATURE_CHARS else f"{text[:_SIGNATURE_CHARS]}…"
