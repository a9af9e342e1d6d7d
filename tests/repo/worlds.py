"""A workspace in memory: files by path, an index over them that reads each content once, and small programs to fill it with."""

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from hypothesis import strategies as st

from kimicode.repo.codebase import Refreshed
from kimicode.repo.extract import extract
from kimicode.repo.symbols import FileSymbols
from kimicode.repo.tree import Tree, TreeFile


class World:
    """Stands for `Codebase` and for its `Index`. `unread`: paths that a refresh leaves out for lack of time."""

    def __init__(self, files: Mapping[str, str], *, unread: Iterable[str] = ()) -> None:
        self.files = dict(files)
        self.unread = set(unread)
        self.made: dict[tuple[str, str], bytes] = {}
        self.read: dict[tuple[str, str], FileSymbols | None] = {}
        self.asked: list[str] = []
        self._lock = threading.Lock()

    @property
    def index(self) -> "World":
        return self

    def tree(self) -> Tree:
        return Tree(Path("/world"), tuple(TreeFile(path, key_of(text)) for path, text in sorted(self.files.items())))

    def refresh(self, *, seconds: float | None = None, progress: object = None) -> Refreshed:
        tree = self.tree()
        for file in tree.files:
            if file.path not in self.unread and (file.path, file.key) not in self.read:
                self.read[file.path, file.key] = extract(file.path, self.files[file.path].encode())
        return Refreshed(tree, 0, tuple(sorted(self.unread & self.files.keys())))

    def symbols_of(self, files: Iterable[TreeFile]) -> dict[str, FileSymbols]:
        return {file.path: symbols for file, symbols in self.each(files)}

    def each(self, files: Iterable[TreeFile]) -> Iterator[tuple[TreeFile, FileSymbols]]:
        # In another order than that of the paths: nobody may lean on it.
        for file in sorted(files, key=lambda each: each.key):
            self.asked.append(file.path)
            if (symbols := self.read.get((file.path, file.key))) is not None:
                yield file, symbols

    def missing(self, files: Iterable[TreeFile]) -> list[TreeFile]:
        return [file for file in files if file.path.endswith(".py") and (file.path, file.key) not in self.read]

    def kept(self, kind: str, name: str) -> bytes | None:
        return self.made.get((kind, name))

    def keep(self, items: Mapping[str, bytes], *, kind: str) -> None:
        self.made.update(((kind, name), data) for name, data in items.items())


def key_of(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


NAMES = ("Client", "Server", "open_it", "close_it", "_inner", "run")
PATHS = ("a.py", "b/c.py", "b/d.py", "b/__init__.py", "tests/test_c.py", "vendor/e.py", "README.md", "b/deep/er/f.py", "zoo.js")


@st.composite
def sources(draw: st.DrawFn) -> str:
    """A small program that defines and uses names of the few that there are."""
    imported = draw(st.lists(st.tuples(st.sampled_from(("b.c", ".d")), st.sampled_from(NAMES)), max_size=3))
    lines = [f"from {module} import {name}" for module, name in imported]
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=4)):
        base = draw(st.sampled_from(("", "(Client)", "(Server)")))
        lines.append(
            f"class {name}{base}:\n    def run(self, to: {draw(st.sampled_from(NAMES))}) -> int: return open_it()"
            if name[0].isupper()
            else f"def {name}(): {draw(st.sampled_from(NAMES))}()"
        )
    return "\n".join(lines) + "\n"


worlds = st.dictionaries(st.sampled_from(PATHS), sources(), max_size=len(PATHS))
"""Files by path."""

edits = st.lists(st.tuples(st.sampled_from(PATHS), st.none() | sources()), min_size=1, max_size=4)
"""Files that become something else, or go."""


def edited(files: Mapping[str, str], changes: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """`files` after the changes."""
    after: dict[str, str | None] = {**files, **dict(changes)}
    return {path: text for path, text in after.items() if text is not None}
