"""The neighbourhood of a definition: what it inherits, what it overrides, which uses of its name are surely its own.

Names are connected by name, language, imports and mention, not by types: an edge is told only where that leaves one answer. What this
module does not do: look for lines (`tools` runs ripgrep), parse, or render.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Final

import msgspec

from kimicode.repo.index import Index
from kimicode.repo.lookup import FileView, Role
from kimicode.repo.resolve import Resolver
from kimicode.repo.standing import standing
from kimicode.repo.symbols import Definition
from kimicode.repo.tree import Tree
from kimicode.repo.uses import Use

_FAMILIES: Final = {
    **dict.fromkeys(("JavaScript", "TypeScript", "TSX"), "JavaScript"),
    **dict.fromkeys(("C", "C++"), "C"),
    **dict.fromkeys(("Java", "Kotlin", "Scala"), "Java"),
}
_CONTAINERS: Final = frozenset(
    {"class", "interface", "trait", "protocol", "struct", "enum", "union", "object", "extension", "namespace", "module"}
)
_SMALL: Final = frozenset({"property", "field", "constant", "variable"})
_SPLIT: Final = re.compile(r"\W+")
_MAX_BASES: Final = 12
"""Ancestors that are looked at for one that is overridden."""


class Target(msgspec.Struct, frozen=True):
    """A definition in its file. `number` is its place among the file's definitions, `label` its full name there."""

    path: str
    number: int
    label: str
    definition: Definition


class Neighbours:
    """The definitions of `tree`, as far as they are indexed. What is not in `tree` is never told."""

    def __init__(self, index: Index, tree: Tree) -> None:
        self._index = index
        self.tree = tree
        self._views: dict[str, FileView | None] = {}
        self._imports: dict[str, tuple[str, ...]] = {}
        self._foreign: dict[str, frozenset[str]] = {}

    @cached_property
    def _resolver(self) -> Resolver:
        return Resolver(self.tree)

    def load(self, paths: Iterable[str]) -> None:
        """Read many files' symbols at once."""
        new = [path for path in dict.fromkeys(paths) if path not in self._views]
        known = self._index.symbols_of(file for path in new if (file := self.tree.by_path.get(path)) is not None)
        self._views.update({path: FileView(known[path]) if path in known else None for path in new})

    def view(self, path: str) -> FileView | None:
        """What is known of one file."""
        if path not in self._views:
            self.load((path,))
        return self._views[path]

    def definitions(self, name: str, qualifiers: tuple[str, ...] = ()) -> list[Target]:
        """What is called `name`, within what the `qualifiers` name (enclosing definitions, file or folders), likely ones first."""
        found = self._index.definitions(self.tree, name)
        self.load(path for path, _ in found)
        targets = [target for path, each in found if (target := self._target(path, each)) is not None]
        return sorted((each for each in targets if _qualified(each, qualifiers)), key=_likely)

    def target(self, path: str, number: int) -> Target | None:
        """The definition with this number in a file; None where there is none."""
        view = self.view(path)
        if view is None or not 0 <= number < len(view.symbols.definitions):
            return None
        return Target(path, number, view.label(number), view.symbols.definitions[number])

    def bases(self, target: Target) -> list[tuple[str, Target | None]]:
        """The names that a definition inherits from, each with its definition where that is sure."""
        view = self.view(target.path)
        names = view.bases(target.number) if view is not None else ()
        return [(name, self.meant(name, target.path)) for name in names]

    def meant(self, name: str, path: str) -> Target | None:
        """The container called `name` that the file at `path` means: its own, an imported file's, or the only one there is."""
        family = self.family(path)
        found = [each for each in self.definitions(name) if each.definition.kind not in _SMALL and self.family(each.path) == family]
        own = [each for each in found if each.path == path]
        imported = [] if own or len(found) < 2 else [each for each in found if each.path in self.imports(path)]
        best = own or imported or found
        return best[0] if len(best) == 1 else None

    def overridden(self, target: Target) -> list[Target]:
        """The members of surely known ancestors that this member stands for, the nearest first."""
        owner = self.target(target.path, target.definition.parent)
        if owner is None or owner.definition.kind not in _CONTAINERS:
            return []
        found: list[Target] = []
        line, seen = [owner], {(owner.path, owner.number)}
        while line and len(seen) < _MAX_BASES:
            for _, base in self.bases(line.pop(0)):
                if base is None or (base.path, base.number) in seen:
                    continue
                seen.add((base.path, base.number))
                line.append(base)
                found += self._members(base, target.definition.name)
        return found

    def imports(self, path: str) -> tuple[str, ...]:
        """The files of the tree that a file imports."""
        if path not in self._imports:
            view = self.view(path)
            self._imports[path] = () if view is None else self._resolver.imports(path, view.symbols)
        return self._imports[path]

    def foreign(self, path: str) -> frozenset[str]:
        """The names under which a file imports what is not of this tree."""
        if path not in self._foreign:
            view = self.view(path)
            items = () if view is None else view.symbols.imports
            outside = [each for each in items if view is not None and not self._resolver.targets(path, view.symbols, each)]
            self._foreign[path] = frozenset(name for each in outside for name in (*each.names, _SPLIT.split(each.module)[0]))
        return self._foreign[path]

    def family(self, path: str) -> str:
        """The language of a file, where related ones count as one; "" where it is not known."""
        view = self.view(path)
        return "" if view is None else _FAMILIES.get(view.symbols.language, view.symbols.language)

    def sure(self, use: Use, target: Target, *, alone: bool) -> bool:
        """Whether a use of the target's name is surely its own. `alone`: nothing else in the tree has that name.

        Otherwise its file must be the target's, import the target's, or mention what the target belongs to.
        """
        if use.role is Role.UNKNOWN or self.family(use.path) != self.family(target.path) or self._of_another(use, target.definition.name):
            return False
        if alone or use.path == target.path or target.path in self.imports(use.path):
            return True
        owner = self.target(target.path, target.definition.parent)
        view = self.view(use.path)
        return owner is not None and view is not None and owner.definition.name in view.mentioned

    def _of_another(self, use: Use, name: str) -> bool:
        """Whether the name stands behind a dot, always behind something from outside the tree: `json.load`."""
        owners = re.findall(rf"(\w+)\s*(?:\.|::|->)\s*{re.escape(name)}\b", use.text)
        return (
            bool(owners)
            and len(owners) == len(re.findall(rf"\b{re.escape(name)}\b", use.text))
            and self.foreign(use.path).issuperset(owners)
        )

    def _members(self, owner: Target, name: str) -> list[Target]:
        view = self.view(owner.path)
        places = view.members(owner.number) if view is not None else []
        found = (self.target(owner.path, place) for place in places)
        return [each for each in found if each is not None and each.definition.name == name]

    def _target(self, path: str, definition: Definition) -> Target | None:
        view = self.view(path)
        if view is None:
            return None
        number = next((place for place, each in enumerate(view.symbols.definitions) if each == definition), -1)
        return self.target(path, number)


def code_uses(uses: Iterable[Use]) -> list[Use]:
    """Those that stand in code, definitions left out."""
    return [use for use in uses if use.role in (Role.BASE, Role.IMPORT, Role.CALL, Role.USE)]


def _qualified(target: Target, qualifiers: tuple[str, ...]) -> bool:
    """Whether the qualifiers are, in this order, among what encloses the target: folders, file, definitions."""
    stem = target.path.rpartition(".")[0] or target.path
    around = [*stem.split("/"), *target.label.split(".")[:-1]]
    rest = iter(around)
    return all(any(each == part for part in rest) for each in qualifiers)


def _likely(target: Target) -> tuple[int, bool, int, str, int]:
    depth = target.label.count(".")
    return (standing(target.path), target.definition.kind in _SMALL, depth, target.path, target.definition.line)
