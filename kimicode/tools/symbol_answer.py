"""The words of an answer about a name: its definitions, what they inherit and override, and which uses are theirs.

What this module does not do: search.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kimicode.errors import ToolError
from kimicode.repo.lookup import Role
from kimicode.repo.neighbours import Neighbours, Target, code_uses
from kimicode.repo.standing import Standing
from kimicode.repo.uses import Use
from kimicode.tools.around import place, relations
from kimicode.tools.layout import laid_out

BUDGET: Final = 1_000
"""Tokens of listed uses."""

_DEFINITIONS: Final = 5
_OTHERS: Final = 12
_CALLERS: Final = 5
_SIGNATURE_CHARS: Final = 160
_NOUNS: Final = {
    Role.CALL: ("call", "calls"),
    Role.BASE: ("subclass", "subclasses"),
    Role.IMPORT: ("import", "imports"),
    Role.USE: ("other use", "other uses"),
}


class _Sorted(msgspec.Struct, frozen=True):
    """Uses in code: surely those of the targets, and those that may be another's or stand in files that were not read. `texts` stand in
    comments and strings."""

    sure: list[Use]
    unsure: list[Use]
    texts: int


def answered(known: Neighbours, targets: Sequence[Target], uses: Sequence[Use], kind: str | None, *, cut: bool) -> str:
    """The answer about `targets`, the likely one first, from all `uses` of their name."""
    found = _sorted(known, targets, uses)
    lines = _definitions(known, targets)
    match kind:
        case "definition":
            pass
        case "callers":
            calls = [use for use in found.sure if use.role is Role.CALL]
            lines = [*_heads(targets), *_uses("calls", calls, found, Role.CALL)]
            if not calls and found.sure:
                # It may be called by another name, or be handed on.
                lines += ["other uses:", laid_out(found.sure, budget=BUDGET // 3).text]
        case "references":
            lines = [*_heads(targets), *_uses("uses", found.sure, found, None)]
        case _:
            lines += _summary(found)
    return "\n".join([*lines, *(["[too many matches: not all were looked at]"] if cut else [])])


def listed(targets: Sequence[Target], title: str) -> str:
    """Definitions, a line each."""
    more = [f"and {len(targets) - _OTHERS} more"] if len(targets) > _OTHERS else []
    return "\n".join([title, *(_line(each) for each in targets[:_OTHERS]), *more])


def unknown(names: Sequence[str], name: str, uses: Sequence[Use]) -> str:
    """The answer where nothing is called `name`. Raises `ToolError` where it does not occur either and nothing is like it."""
    if code := code_uses(uses):
        laid = laid_out(code, budget=BUDGET // 2, names=(name,))
        return f"{name!r} is not defined in this workspace; it is used here:\n{laid.text}"
    near = f" Names like it: {', '.join(names)}." if names else ""
    where = f" It stands in {len(uses)} lines of text: use grep." if uses else ""
    raise ToolError(f"nothing is called {name!r}.{near}{where}")


def _sorted(known: Neighbours, targets: Sequence[Target], uses: Sequence[Use]) -> _Sorted:
    code = [use for use in uses if use.exact and use.role not in (Role.DEFINITION, Role.TEXT)]
    name = targets[0].definition.name
    family = {known.family(target.path) for target in targets}
    alone = len([each for each in known.definitions(name) if known.family(each.path) in family]) == len(targets)
    sure = [use for use in code if any(known.sure(use, target, alone=alone) for target in targets[:_DEFINITIONS])]
    held = set(map(id, sure))
    return _Sorted(sure, [use for use in code if id(use) not in held], sum(use.role is Role.TEXT for use in uses))


def _heads(targets: Sequence[Target]) -> list[str]:
    first = [f"{each.label} {place(each)}" for each in targets[:_DEFINITIONS]]
    return [", ".join(first) + (f" and {len(targets) - len(first)} more definitions" if len(targets) > len(first) else "")]


def _definitions(known: Neighbours, targets: Sequence[Target]) -> list[str]:
    lines: list[str] = []
    for target in targets[:_DEFINITIONS]:
        lines += [_line(target), *relations(known, target)]
    rest = targets[_DEFINITIONS:]
    if rest:
        more = f" and {len(rest) - _OTHERS} more" if len(rest) > _OTHERS else ""
        lines.append(f"also defined: {', '.join(place(each) for each in rest[:_OTHERS])}{more}")
    return lines


def _line(target: Target) -> str:
    signature = target.definition.signature
    text = signature if len(signature) <= _SIGNATURE_CHARS else f"{signature[:_SIGNATURE_CHARS]}…"
    owner = target.label.rpartition(".")[0]
    return f"{place(target)} {owner}: {text}" if owner else f"{place(target)}: {text}"


def _uses(noun: str, sure: Sequence[Use], found: _Sorted, role: Role | None) -> list[str]:
    unsure = [use for use in found.unsure if role is None or use.role in (role, Role.UNKNOWN)]
    lines = [laid_out(sure, budget=BUDGET).text] if sure else [f"no {noun} that are surely its own"]
    if unsure:
        lines.append(f"{noun} of that name that may be another's, or none ({len(unsure)}):")
        lines.append(laid_out(unsure, budget=BUDGET // 3).text)
    if role is None and found.texts:
        lines.append(f"in text or comments: {found.texts}")
    return lines


def _summary(found: _Sorted) -> list[str]:
    if not found.sure:
        return (
            [f"uses of that name that may be another's: {len(found.unsure)}; kind references shows them"]
            if found.unsure
            else ["not used in this workspace"]
        )
    counts = []
    for role, (one, many) in _NOUNS.items():
        number = sum(use.role is role for use in found.sure)
        counts += [f"{number} {one if number == 1 else many}"] if number else []
    tests = sum(use.standing is Standing.TEST for use in found.sure)
    files = len({use.path for use in found.sure})
    lines = [f"used in {files} file{'s' if files > 1 else ''}: {', '.join(counts)}{f'; {tests} in tests' if tests else ''}"]
    calls = [use for use in found.sure if use.role is Role.CALL]
    if calls:
        first = ", ".join(f"{use.around or 'top'} ({use.path}:{use.line})" for use in calls[:_CALLERS])
        lines.append(f"called by {first}{f' and {len(calls) - _CALLERS} more' if len(calls) > _CALLERS else ''}")
    return lines
