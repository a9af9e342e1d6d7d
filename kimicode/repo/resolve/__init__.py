"""Which files of a tree a file imports: the import as written, looked up as its language does, without running or installing anything.

Only what lies in the tree is found; the standard library and installed packages are not in it. Where a path can't be known for sure the
nearest file that fits is taken, or none. What this module does not do: read source, or connect names (`neighbours`).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from kimicode.repo.places import Places
from kimicode.repo.resolve.c import c_family
from kimicode.repo.resolve.go_rust import go, rust
from kimicode.repo.resolve.js import javascript
from kimicode.repo.resolve.packages import csharp, haskell, java_family, lua, php, ruby, script, swift, zig
from kimicode.repo.resolve.python import python
from kimicode.repo.symbols import FileSymbols, Import
from kimicode.repo.tree import Tree

Rule = Callable[[Places, str, Import], Iterable[str]]
"""Places, the path of the importing file, and one import, to the paths it means."""

_RULES: Final[Mapping[str, Rule]] = {
    "python": python,
    **dict.fromkeys(("javascript", "typescript", "tsx"), javascript),
    **dict.fromkeys(("c", "c++"), c_family),
    "go": go,
    "rust": rust,
    **dict.fromkeys(("java", "kotlin", "scala"), java_family),
    "c#": csharp,
    "php": php,
    "ruby": ruby,
    "lua": lua,
    "zig": zig,
    "haskell": haskell,
    "swift": swift,
    "shell": script,
}


class Resolver:
    """Imports within `tree`. Make one for a tree and ask it for many files: its tables are made once."""

    def __init__(self, tree: Tree) -> None:
        self._places = Places(tree)

    def imports(self, path: str, symbols: FileSymbols) -> tuple[str, ...]:
        """The files that the file at `path` imports, in the order of its text, each once; never itself."""
        rule = _RULES.get(symbols.language.lower())
        if rule is None:
            return ()
        found = dict.fromkeys(target for each in symbols.imports for target in rule(self._places, path, each))
        found.pop(path, None)
        return tuple(found)

    def targets(self, path: str, symbols: FileSymbols, item: Import) -> tuple[str, ...]:
        """The files that one import of the file at `path` means."""
        rule = _RULES.get(symbols.language.lower())
        return () if rule is None else tuple(dict.fromkeys(rule(self._places, path, item)))
