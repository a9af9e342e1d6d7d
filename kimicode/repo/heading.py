"""The head of a map: how much there is, in which languages and folders, and how much of it is shown.

What this module does not do: choose or write the files below it.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from kimicode.repo.census import Census
from kimicode.repo.focus import Focus
from kimicode.repo.lines import Lines
from kimicode.repo.outline import INDENT, one_line
from kimicode.repo.standing import Standing, standing

_MANY_FILES: Final = 100
"""Of fewer files, folders need no list of their own."""

_MOST_LANGUAGES: Final = 6
_MOST_FOLDERS: Final = 40
_LARGE: Final = 4
_SMALL: Final = 200
"""Of a folder with more than a quarter of all files its own folders are listed, unless they hold tests or the like; folders with less
than one in 200 files are not."""

_SHARE: Final = 3
"""The folders take at most a third of the budget."""


class Heading(msgspec.Struct, frozen=True):
    """The words before and after the number of files that are shown; then lines: of folders, and at the end what is lacking."""

    before: str
    after: str
    folders: tuple[str, ...]
    notes: tuple[str, ...]

    def within(self, budget: int, lines: Lines) -> "Heading":
        """The heading with so many folders that it leaves room for files."""
        room = budget // _SHARE - sum(lines.count(line) for line in self.notes)
        kept = 0
        for line in self.folders:
            room -= lines.count(line)
            if room < 0:
                break
            kept += 1
        return msgspec.structs.replace(self, folders=self.folders[:kept] if kept > 1 else ())

    def tokens(self, lines: Lines, shown: int) -> int:
        """How many tokens the text has, with `shown` files."""
        return sum(lines.count(line) for line in self.text(shown).splitlines(keepends=True))

    def text(self, shown: int) -> str:
        """The heading of a map that shows so many files."""
        return "".join((f"{self.before}{shown:,}{self.after}\n", *self.notes, *self.folders))


def heading(census: Census, focus: Focus, missing: int, show: Callable[[str], bool]) -> Heading:
    """For a tree; `missing` source files are not indexed. Who asks for something knows the folders."""
    languages = sorted(census.languages.items(), key=lambda each: (-each[1], each[0]))
    named = ", ".join(f"{number:,} {language}" for language, number in languages[:_MOST_LANGUAGES])
    where = f" below {', '.join(map(one_line, focus.folders))}" if focus.folders else ""
    notes = []
    if missing:
        notes.append(f"Not read yet, so without definitions: {missing:,} source files. Ask again later.\n")
    if focus.unknown:
        notes.append(f"Found nowhere: {one_line(', '.join(focus.unknown))}\n")
    after = f" of {census.files:,} files shown{where}" + (f" (source: {named})" if named else "")
    return Heading("", after, _folders(census, show) if focus == Focus() and census.files > _MANY_FILES else (), tuple(notes))


def _folders(census: Census, show: Callable[[str], bool]) -> tuple[str, ...]:
    """Lines for the largest folders, after a title, in the order of their paths."""
    listed: list[str] = []
    level = [""]
    while level:
        deeper = [each for above in level for each in _below(census, above)]
        listed += [each for each in deeper if census.folders[each] * _SMALL >= census.files and show(each.rstrip("/"))]
        level = [each for each in deeper if census.folders[each] * _LARGE > census.files and standing(f"{each}x") is Standing.SOURCE]
    largest = sorted(listed, key=lambda each: (-census.folders[each], each))[:_MOST_FOLDERS]
    return ("Folders and their files:\n", *(_line(each, census.folders[each]) for each in sorted(largest))) if largest else ()


def _below(census: Census, folder: str) -> Sequence[str]:
    depth = folder.count("/")
    return sorted(each for each in census.folders if each.startswith(folder) and each.count("/") == depth + 1)


def _line(folder: str, files: int) -> str:
    return f"{INDENT}{one_line(folder)} {files:,}\n"
