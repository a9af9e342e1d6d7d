"""Which files git would ignore: `.gitignore` files, read as gitignore(5) says, without git.

Names and endings are looked up in sets, everything else is a regular expression that can't run away (atomic groups; a pattern with more
than three `**` counts as not written). What this module does not do: read the user's global excludes, or say what is tracked.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

MAX_BYTES: Final = 1 << 20
_PLAIN: Final = re.compile(r"[^*?\[\]\\/]+")
_CLASS: Final = re.compile(r"\[([!^]?)(\]?(?:\\.|[^\]\\])*)\]", re.DOTALL)
_MOST_DOUBLE_STARS: Final = 3


class _Run(msgspec.Struct, frozen=True):
    """Rules that stand together and say the same. A match of any of them counts; those of folders hold for folders alone."""

    ignore: bool
    names: frozenset[str]
    folder_names: frozenset[str]
    endings: tuple[str, ...]
    patterns: tuple[tuple[re.Pattern[str], bool, bool], ...]

    def matches(self, path: str, name: str, is_folder: bool) -> bool:
        if name in self.names or (is_folder and name in self.folder_names) or name.endswith(self.endings):
            return True
        return any(pattern.fullmatch(path if whole else name) for pattern, whole, folders in self.patterns if is_folder or not folders)


class Rules(msgspec.Struct, frozen=True):
    """The rules of one file, the last ones first, with the rules of the folders above behind them.

    `base` is the folder of the file as a prefix of paths, empty or ending in `/`; `above` says the same of a folder outside, which
    stands before every path.
    """

    runs: tuple[_Run, ...] = ()
    base: str = ""
    outside: str = ""
    parent: "Rules | None" = None

    def ignored(self, path: str, name: str, *, is_folder: bool) -> bool:
        """True where the last rule that matches `path` (relative to the workspace, `name` its last part) says so."""
        rules: Rules | None = self
        while rules is not None:
            below = rules.outside + path[len(rules.base) :]
            for run in rules.runs:
                if run.matches(below, name, is_folder):
                    return run.ignore
            rules = rules.parent
        return False


def parse(text: str, parent: Rules | None = None, *, base: str = "", outside: str = "") -> Rules:
    """The rules in the text of a `.gitignore` whose folder is `base`, or is above the workspace, which is `outside` below it."""
    runs: list[_Run] = []
    lines: list[tuple[bool, str]] = []
    for line in text.split("\n"):
        rule = _stripped(line.removesuffix("\r"))
        if rule in ("", "/", "!") or rule.startswith("#") or rule.count("**") > _MOST_DOUBLE_STARS:
            continue
        ignore = not rule.startswith("!")
        if lines and lines[-1][0] is not ignore:
            runs.append(_run(lines))
            lines = []
        lines.append((ignore, rule.removeprefix("!")))
    if lines:
        runs.append(_run(lines))
    return Rules(tuple(reversed(runs)), base, outside, parent)


def rules_above(workspace: Path) -> Rules | None:
    """The rules that hold in `workspace` because it is inside a repository: those of the folders above it and `info/exclude`."""
    root = next((folder for folder in (workspace, *workspace.parents) if (folder / ".git").exists()), None)
    if root is None:
        return None
    rules = _from(root / ".git" / "info" / "exclude", None, root, workspace)
    for folder in (root, *reversed([up for up in workspace.parents if up.is_relative_to(root) and up != root])):
        if folder != workspace:
            rules = _from(folder / ".gitignore", rules, folder, workspace)
    return rules


def _from(file: Path, parent: Rules | None, folder: Path, workspace: Path) -> Rules | None:
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES).decode("utf-8", "surrogateescape")
    except OSError:
        return parent
    way = workspace.relative_to(folder).as_posix()
    return parse(text, parent, outside="" if way == "." else f"{way}/")


def _stripped(line: str) -> str:
    bare = line.rstrip(" \t")
    return bare + line[len(bare) : len(bare) + 1] if bare.endswith("\\") and not bare.endswith("\\\\") else bare


def _run(lines: Iterable[tuple[bool, str]]) -> _Run:
    names, folder_names, endings = set[str](), set[str](), list[str]()
    patterns: list[tuple[re.Pattern[str], bool, bool]] = []
    ignore = True
    for ignore, written in lines:  # noqa: B007
        rule = written.removesuffix("/")
        folders = rule != written
        if _PLAIN.fullmatch(rule):
            (folder_names if folders else names).add(rule)
        elif not folders and rule.startswith("*.") and _PLAIN.fullmatch(rule[1:]):
            endings.append(rule[1:])
        else:
            patterns += _pattern(rule, folders)
    return _Run(ignore, frozenset(names), frozenset(folder_names), tuple(endings), tuple(patterns))


def _pattern(rule: str, folders: bool) -> list[tuple[re.Pattern[str], bool, bool]]:
    whole = "/" in rule
    try:
        return [(re.compile(_expression(rule.removeprefix("/")), re.DOTALL), whole, folders)]
    except re.error:
        return []


def _expression(rule: str) -> str:
    parts = rule.split("/")
    made: list[str] = []
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            made.append(".+" if last else "(?:.*/)?")
        else:
            made.append(_part(part) + ("" if last else "/"))
    return "".join(made)


def _part(part: str) -> str:
    """One part of a path: between two stars the first fit is as good as any, so nothing is ever tried twice."""
    first, *rest = _split(part)
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle if piece) + f"[^/]*{last}"


def _split(part: str) -> list[str]:
    pieces, at = [""], 0
    while at < len(part):
        found = _CLASS.match(part, at)
        if part[at] == "*":
            pieces.append("")
            at += 1
        elif found:
            pieces[-1] += f"(?!/)[{'^' if found[1] else ''}{_members(found[2])}]"
            at = found.end()
        elif part[at] == "\\" and at + 1 < len(part):
            pieces[-1] += re.escape(part[at + 1])
            at += 2
        else:
            pieces[-1] += "[^/]" if part[at] == "?" else re.escape(part[at])
            at += 1
    return pieces


def _members(inside: str) -> str:
    return re.sub(r"\\(.)|([\[\]\\^&~|])", lambda found: re.escape(found[1] or found[2]), inside, flags=re.DOTALL)
