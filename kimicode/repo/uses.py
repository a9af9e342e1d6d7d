"""Lines that a search found, each with what is around it and as what the name stands there, in the order in which they help.

What this module does not do: search, or render.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from kimicode.repo.lookup import WORD, FileView, Role
from kimicode.repo.standing import Standing, standing
from kimicode.repo.symbols import Reference


class Match(msgspec.Struct, frozen=True, gc=False):
    """A line that was found. `path` is relative to the workspace, `line` counts from 1."""

    path: str
    line: int
    text: str


class Use(msgspec.Struct, frozen=True):
    """A match in its surroundings. `around` is the full name of what encloses it, "" at the top of a file; for the line that introduces a
    definition, what encloses that one. `exact`: the name stands there whole, not within a longer one."""

    path: str
    line: int
    text: str
    role: Role = Role.UNKNOWN
    around: str = ""
    standing: Standing = Standing.SOURCE
    exact: bool = True
    defines: int = -1
    within: int = -1

    @property
    def rank(self) -> tuple[int, int, bool, str, int]:
        """The order of helpfulness: source before tests before the rest; then by role."""
        return (self.standing, self.role, not self.exact, self.path, self.line)


View = Callable[[str], FileView | None]
"""What is known of the file at a path; None where nothing is."""

_LOOK: Final = 400
"""Characters of a line that are looked at for names."""


def judged(matches: Iterable[Match], view: View, names: Sequence[str] = ()) -> list[Use]:
    """The matches as uses of `names`, the most helpful first. Without names every identifier in a line counts."""
    files: dict[str, list[Match]] = {}
    for match in matches:
        files.setdefault(match.path, []).append(match)
    uses = [use for path, group in files.items() for use in _of_file(group, view(path), standing(path), names)]
    return sorted(uses, key=lambda use: use.rank)


def _of_file(matches: Sequence[Match], view: FileView | None, where: Standing, names: Sequence[str]) -> list[Use]:
    if view is None:
        return [Use(match.path, match.line, match.text, standing=where) for match in matches]
    if view.symbols.problem in ("generated", "minified"):
        where = Standing.AROUND
    references = view.on({match.line for match in matches})
    return [_judged(match, view, where, names, references.get(match.line, ())) for match in matches]


def _judged(match: Match, view: FileView, where: Standing, names: Sequence[str], references: Sequence[Reference]) -> Use:
    found = set(WORD.findall(match.text[:_LOOK]))
    exact = found.intersection(names)
    words = exact or ({word for word in found if any(name in word for name in names)} if names else found)
    role = view.role(match.line, match.text, words, references)
    if not names and role in (Role.CALL, Role.BASE, Role.TEXT):
        # The pattern is about something else than the name that is called here.
        role = Role.USE
    defines = view.introduced(match.line, match.text, words) if role is Role.DEFINITION else -1
    within = view.symbols.definitions[defines].parent if defines >= 0 else view.within(match.line)
    return Use(match.path, match.line, match.text, role, view.label(within), where, bool(exact) or not names, defines, within)
