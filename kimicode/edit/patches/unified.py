"""Unified diffs, as `diff -u` and git write them: places by context; the stated line numbers decide only between equal places.

Renames need git's own lines. Links, submodules, binary patches, copies and changes of mode are refused: a patch changes text.
What this module does not do: believe the counts in a hunk's header, which models get wrong.
"""

import re
from typing import Final

import msgspec

from kimicode.edit.patches.reader import Body, Reader, anchor, numbers
from kimicode.edit.patches.values import AddFile, DeleteFile, Hunk, Operation, UpdateFile

_IGNORED: Final = ("diff ", "index ", "Index: ", "=====", "similarity index ", "dissimilarity index ")
_MODE: Final = re.compile(r"(new file mode|deleted file mode|old mode|new mode|index [0-9a-f]+\.\.[0-9a-f]+) (\d{6})\s*$")
_SPECIAL: Final = {"120000": "a symbolic link", "160000": "a submodule", "040000": "a folder"}
_REFUSED: Final = ("copy from ", "copy to ", "Binary files ", "GIT binary patch")
_ESCAPE: Final = re.compile(r"\\([0-7]{3}|.)")
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_NOWHERE: Final = "/dev/null"


class _Head(msgspec.Struct):
    """What the lines before the first hunk say."""

    old: str = ""
    new: str = ""
    renamed_from: str = ""
    renamed_to: str = ""
    created: bool = False
    deleted: bool = False
    git: str = ""


def is_unified(reader: Reader, ahead: int) -> bool:
    """True where a diff starts at the line `ahead`."""
    line = reader.peek(ahead)
    return line.startswith("diff --git ") or (line.startswith("--- ") and reader.peek(ahead + 1).startswith("+++ "))


def parse_unified(reader: Reader) -> tuple[Operation, ...]:
    """The operations in order. Raises `ToolError`."""
    operations: list[Operation] = []
    reader.skip_blank()
    while reader.more:
        at = reader.number
        head = _head(reader)
        hunks = []
        while reader.peek().startswith("@@"):
            hunks.append(_hunk(reader))
        operations.append(_operation(reader, at, head, tuple(hunks)))
        reader.skip_blank()
    return tuple(operations)


def _head(reader: Reader) -> _Head:
    head = _Head()
    seen = 0
    while reader.more and not reader.peek().startswith("@@"):
        line = reader.peek()
        if seen and (line.startswith("diff ") or (line.startswith("--- ") and head.old)):
            break
        _refuse_special(reader, line)
        if line.startswith("--- ") and reader.peek(1).startswith("+++ "):
            head.old = _path(reader.take()[4:])
            head.new = _path(reader.peek()[4:])
        elif line.startswith("diff --git "):
            head.git = line.removeprefix("diff --git ").strip()
        elif line.startswith("rename from "):
            head.renamed_from = _path(line.removeprefix("rename from "))
        elif line.startswith("rename to "):
            head.renamed_to = _path(line.removeprefix("rename to "))
        elif line.startswith("new file mode "):
            head.created = True
        elif line.startswith("deleted file mode "):
            head.deleted = True
        elif not line.startswith(_IGNORED) and line.strip():
            reader.unexpected("'diff --git …', '--- path' and '+++ path', or '@@ -1,2 +1,3 @@'")
        reader.take()
        seen += 1
    return head


def _refuse_special(reader: Reader, line: str) -> None:
    if line.startswith(_REFUSED):
        reader.fail(f"{line[:60].strip()!r} is more than a change of text; use the shell for it.")
    if found := _MODE.match(line):
        if found[2] in _SPECIAL:
            reader.fail(f"mode {found[2]} is {_SPECIAL[found[2]]}; a patch only makes and changes files with text.")
        if found[1] in ("old mode", "new mode"):
            reader.fail("a patch leaves modes as they are; use chmod in the shell.")
        if found[1] == "new file mode" and found[2] != "100644":
            reader.fail(f"a new file gets the usual mode, not {found[2]}; leave the line out and use chmod in the shell.")


def _hunk(reader: Reader) -> Hunk:
    at, line = reader.number, reader.take()
    stated = numbers(line)
    old, new = (stated[1], stated[3]) if stated else (0, 0)
    named = "" if stated else anchor(line)
    body = Body()
    while reader.more and not reader.peek().startswith("@@"):
        # Inside the stated counts `--- x` is a line that goes; past them, or where a whole header follows, it is the next file.
        if is_unified(reader, 0) and not (old >= 1 and new >= 1 and not _header_follows(reader, old, new)):
            break
        line = reader.peek()
        if not body.take(line):
            if line.startswith(_IGNORED):
                break
            reader.unexpected("a line that starts with ' ', '-' or '+', the next '@@', or the next file's 'diff' or '---'")
        reader.take()
        old, new = old - (line[:1] in " -"), new - (line[:1] in " +")
    hunk = body.hunk(at, (named,) if named else (), stated[0] if stated else None)
    if not hunk.changes:
        reader.fail("this hunk has no line that starts with '-' or '+': it would change nothing.", at)
    return hunk


def _header_follows(reader: Reader, old: int, new: int) -> bool:
    return reader.peek(2).startswith("@@") and (old, new) != (1, 1)


def _operation(reader: Reader, at: int, head: _Head, hunks: tuple[Hunk, ...]) -> Operation:
    old, new = _paths(head)
    if head.renamed_from and head.renamed_to:
        return UpdateFile(at, head.renamed_from, hunks, head.renamed_to)
    if not (old or new):
        reader.fail("expected '--- path' and '+++ path' before the changes.", at)
    if head.deleted or new == _NOWHERE:
        return DeleteFile(at, old, hunks)
    if head.created or old == _NOWHERE:
        return AddFile(at, new, _new_text(reader, at, hunks))
    if old != new:
        reader.fail(f"--- names {old} and +++ names {new}; a rename needs 'rename from' and 'rename to' lines.", at)
    if not hunks:
        reader.fail(f"there are no changes to {new}; expected '@@ -1,2 +1,3 @@'.", at)
    return UpdateFile(at, new, hunks)


def _new_text(reader: Reader, at: int, hunks: tuple[Hunk, ...]) -> str:
    lines = [line for hunk in hunks for line in hunk.lines]
    if any(line.sign != "+" for line in lines):
        reader.fail("a new file has only lines that start with '+'.", at)
    bare = bool(hunks) and hunks[-1].newline is False
    return "\n".join(line.text for line in lines) + ("\n" if lines and not bare else "")


def _paths(head: _Head) -> tuple[str, str]:
    """The two names without git's `a/` and `b/`."""
    old, new = head.old, head.new
    if not old and head.git:
        old, new = _git_paths(head.git)
    prefixed = (old == _NOWHERE or old.startswith("a/")) and (new == _NOWHERE or new.startswith("b/"))
    return (_unprefixed(old), _unprefixed(new)) if prefixed else (old, new)


def _unprefixed(path: str) -> str:
    return path if path == _NOWHERE else path[2:]


def _git_paths(pair: str) -> tuple[str, str]:
    """`a/x b/x`: two names as long as each other, for where git writes no `---` (an empty file)."""
    half = len(pair) // 2
    old, new = _path(pair[:half]), _path(pair[half + 1 :])
    return (old, new) if old[1:] == new[1:] else ("", "")


def _path(text: str) -> str:
    """A name as a diff writes it: a time after a tab, and git's quotes where the name is unusual."""
    name = text.split("\t", 1)[0].strip()
    if len(name) < 2 or not (name.startswith('"') and name.endswith('"')):
        return name
    raw = _ESCAPE.sub(lambda found: _unescaped(found[1]), name[1:-1])
    try:
        return raw.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return raw


def _unescaped(code: str) -> str:
    return chr(int(code, 8) & 0xFF) if code.isdigit() and len(code) == 3 else _ESCAPED.get(code, code)
