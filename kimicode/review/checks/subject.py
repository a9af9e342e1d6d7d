"""What checks look at: one changed file with its added lines and, when asked for, its whole contents; and the change around it.

What was only moved is not new: a line that the same change takes away elsewhere counts as moved. What this module does not do: judge.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from typing import TypeAlias

from kimicode.errors import ToolError
from kimicode.review.change import LINK, SUBMODULE, Change, Contents, FileChange
from kimicode.review.checks.config import CheckConfig
from kimicode.review.checks.paths import PathKind, kind_of

Tracked: TypeAlias = Callable[[], Collection[str]]
"""Gives the paths of all files of a repository."""


class Scene:
    """The change as a whole, and how it is to be judged."""

    def __init__(self, change: Change, contents: Contents, config: CheckConfig, tracked: Tracked) -> None:
        self.change = change
        self.config = config
        self._contents = contents
        self._tracked = tracked

    @cached_property
    def removed_lines(self) -> frozenset[str]:
        """Every line that the change takes away anywhere, without the space around it."""
        return frozenset(text.strip() for file in self.change.files for hunk in file.hunks for _, text in hunk.removed)

    @cached_property
    def removed_text(self) -> str:
        """The same as one text, to look for what stood inside of a line."""
        return "\n".join(self.removed_lines)

    def old(self, file: FileChange) -> bytes | None:
        """The content before; None where there is none or it can't be read."""
        return self._read(self._contents.old, file)

    def new(self, file: FileChange) -> bytes | None:
        """The content after; None where there is none or it can't be read."""
        return self._read(self._contents.new, file)

    def tracked(self) -> frozenset[str]:
        """Every path of the repository after the change; () where nobody knows."""
        return self._paths

    @cached_property
    def _paths(self) -> frozenset[str]:
        return frozenset(self._tracked())

    @staticmethod
    def _read(read: Callable[[FileChange], bytes | None], file: FileChange) -> bytes | None:
        try:
            return read(file)
        except ToolError:
            # The reviewer says what can't be read; the checks that need no whole content go on.
            return None


class Subject:
    """One file of a change that has a new side."""

    def __init__(self, file: FileChange, scene: Scene) -> None:
        self.file = file
        self.path = file.path
        self.scene = scene

    @cached_property
    def kind(self) -> PathKind:
        """What the path says about the file."""
        return kind_of(self.path)

    @cached_property
    def added(self) -> tuple[tuple[int, str], ...]:
        """Number and text of each added line, without a carriage return at its end."""
        return tuple((number, text.removesuffix("\r")) for number, text in self.file.added)

    @cached_property
    def fresh(self) -> tuple[tuple[int, str], ...]:
        """The added lines that the change does not take away elsewhere."""
        gone = self.scene.removed_lines
        return self.added if not gone else tuple(each for each in self.added if each[1].strip() not in gone)

    @cached_property
    def added_text(self) -> str:
        """The added lines as one text: line n of it is `added[n]`."""
        return "\n".join(text for _, text in self.added)

    @cached_property
    def is_text(self) -> bool:
        """True for what has lines: neither binary, nor a link, nor a submodule."""
        return not self.file.binary and self.file.new_mode not in (LINK, SUBMODULE)

    @cached_property
    def new(self) -> bytes | None:
        """The whole content after."""
        return self.scene.new(self.file)

    @cached_property
    def old(self) -> bytes | None:
        """The whole content before."""
        return self.scene.old(self.file)

    @cached_property
    def new_text(self) -> str | None:
        """The whole content after, as text; None where it can't be read or is not UTF-8."""
        return _decoded(self.new)

    @cached_property
    def old_text(self) -> str | None:
        """The whole content before, as text; None where there is none or it is not UTF-8."""
        return _decoded(self.old)

    def lines_with(self, words: Iterable[str]) -> Iterator[tuple[int, str]]:
        """The added lines in which one of `words` stands, each line once, in order."""
        text, wanted = self.added_text, set[int]()
        for word in words:
            at = text.find(word)
            if at < 0:
                continue
            line, seen = 0, 0
            while at >= 0:
                line += text.count("\n", seen, at)
                wanted.add(line)
                end = text.find("\n", at)
                if end < 0:
                    break
                seen, at = at, text.find(word, end)
        return (self.added[line] for line in sorted(wanted))


def _decoded(data: bytes | None) -> str | None:
    try:
        return None if data is None else data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
