"""Changes of files as lines: how many there are, and a unified diff.

Texts come from outside. `whole_diff` hides nothing, since somebody decides by it; `diff_lines` shows what fits. What this module does
not do: read files or decide what is shown.
"""

import difflib
from collections.abc import Iterator
from typing import Final

from kimicode.line.words import count, flat, safe
from kimicode.sandbox.approval import FileText

_COMPARED: Final = 4_000
"""Lines between the first and the last difference that are compared one by one; more are shown as replaced."""

_CONTEXT: Final = 3


def summary(file: FileText) -> str:
    """`a.py, 3 lines added, 1 removed`; `new.py, created, 2 lines`."""
    name = flat(file.path)
    if file.note:
        return f"{name}, {flat(file.note)}"
    if file.before is None and file.after is None:
        return name
    if file.before is None:
        return f"{name}, created, {count(len(_lines(file.after or '')), 'line')}"
    if file.after is None:
        return f"{name}, deleted, {count(len(_lines(file.before)), 'line')}"
    lines = [line for line in _unified(file.before, file.after) if not line.startswith("@@")]
    added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    if not added and not removed:
        return f"{name}, only its line ends differ" if file.before != file.after else f"{name}, unchanged"
    return f"{name}, {count(added, 'line')} added, {removed:,} removed"


def diff_lines(file: FileText, most: int) -> tuple[str, ...]:
    """The unified diff, harmless; past `most` lines it says how many more there are. Empty where there are no texts."""
    if file.note or (file.before is None and file.after is None):
        return ()
    lines = [flat_end(line) for line in _unified(file.before or "", file.after or "")]
    return tuple(lines) if len(lines) <= most else (*lines[:most], f"… {count(len(lines) - most, 'more line')} of this diff")


def whole_diff(file: FileText) -> tuple[str, ...]:
    """All of the unified diff, such that nothing in it is hidden: colours and bare carriage returns are shown, too."""
    if file.note or (file.before is None and file.after is None):
        return (flat(file.note),) if file.note else ()
    before, after = file.before or "", file.after or ""
    if all(_only_crlf(text) for text in (file.before, file.after) if text):
        before, after = before.replace("\r\n", "\n"), after.replace("\r\n", "\n")
    # What opens a colour is shown before `render_safe` would take the colour away.
    open_to_all = str.maketrans({"\x1b": "␛", "\x9b": "⟨U+009B⟩", "\r": "␍"})
    lines = _unified(before.translate(open_to_all), after.translate(open_to_all))
    ends = [] if not after or after.endswith("\n") else ["(no line end at the end of the file)"]
    return (*(safe(line).expandtabs(4) for line in lines), *ends)


def flat_end(line: str) -> str:
    """A line of a text, harmless."""
    return safe(line).expandtabs(4).rstrip("\r")


def _only_crlf(text: str) -> bool:
    return text.count("\n") == text.count("\r\n") == text.count("\r") > 0


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _unified(before: str, after: str) -> Iterator[str]:
    a, b = _lines(before), _lines(after)
    short = min(len(a), len(b))
    head = next((n for n in range(short) if a[n] != b[n]), short)
    tail = next((n for n in range(short - head) if a[-1 - n] != b[-1 - n]), short - head)
    if head == len(a) == len(b):
        return
    first = max(0, head - _CONTEXT)
    last_a, last_b = (len(lines) - max(0, tail - _CONTEXT) for lines in (a, b))
    a, b = a[first:last_a], b[first:last_b]
    if max(len(a), len(b)) > _COMPARED:
        yield from _replaced(a, b, head - first, min(tail, _CONTEXT), first)
        return
    for group in difflib.SequenceMatcher(None, a, b, autojunk=False).get_grouped_opcodes(_CONTEXT):
        (_, a1, _, b1, _), (_, _, a2, _, b2) = group[0], group[-1]
        yield _heading(first + a1, a2 - a1, first + b1, b2 - b1)
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (f" {line}" for line in a[i1:i2])
            else:
                yield from (f"-{line}" for line in a[i1:i2])
                yield from (f"+{line}" for line in b[j1:j2])


def _replaced(a: list[str], b: list[str], head: int, tail: int, first: int) -> Iterator[str]:
    yield _heading(first, len(a), first, len(b))
    yield from (f" {line}" for line in a[:head])
    yield from (f"-{line}" for line in a[head : len(a) - tail])
    yield from (f"+{line}" for line in b[head : len(b) - tail])
    yield from (f" {line}" for line in a[len(a) - tail :])


def _heading(a: int, many_a: int, b: int, many_b: int) -> str:
    return f"@@ -{a + 1 if many_a else a},{many_a} +{b + 1 if many_b else b},{many_b} @@"
