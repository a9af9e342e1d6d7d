"""Where a replacement meets what stays: mistakes that an exact match can't show, because the text matched is only half of what was meant.

A text that stops short of what its replacement repeats (the rest of a line, the line before) would stand there twice; a newline that only
the old text has would join lines; a first line without its indentation leaves that of the others open. Each doubt is a refusal with a way
out: send more of the text around it. What this module does not do: look at anything but the lines at both ends.
"""

import re
from typing import Final

from kimicode.edit.ladder import Place
from kimicode.edit.lines import Page, indentation, lf, line_at

_WORD: Final = re.compile(r"\w")
_OPENS: Final = re.compile(
    r"[:{(\[,=\\+|&]$|[-=]>$|\b(?:do|then|begin|else)$|^(?:def|class|module|if|unless|elsif|while|until|for|case|begin|function|fn|impl)\b"
)
"""A line after which the next one is indented deeper, in most languages."""

_ALIKE: Final = 3
"""So many characters must old and new text share where a text of several lines starts or ends within a line."""

_SHOWN: Final = 120


def doubt(text: str, place: Place, old: str, new: str) -> str | None:
    """What is doubtful about putting `new` for `old`, which stands at `place`: one sentence for the model, or None."""
    head, tail = _before(text, place.start), _after(text, place.end)
    sent, wanted = lf(old).split("\n"), lf(new).split("\n")
    if not new:
        return _half_deleted(text, place, head, tail, sent)
    return (
        _joined(text, place, head, sent, wanted)
        or _open_indentation(text, place, head, sent, wanted)
        or _twice_at_start(text, place, head, sent, wanted)
        or _twice_at_end(text, place, tail, sent, wanted)
        or _cut_line(text, place, head, tail, sent, wanted)
    )


def _before(text: str, place: int) -> str:
    return text[max(text.rfind("\n", 0, place), text.rfind("\r", 0, place)) + 1 : place]


def _after(text: str, place: int) -> str:
    ends = [end for end in (text.find("\n", place), text.find("\r", place)) if end >= 0]
    return text[place : min(ends, default=len(text))]


def _half_deleted(text: str, place: Place, head: str, tail: str, sent: list[str]) -> str | None:
    """Deleting from within a line to a line's end, or the other way round, leaves a stump; only from within to within it may be meant."""
    starts_within, ends_within = bool(head) and sent[0] != "", bool(tail) and sent[-1] != ""
    if len(sent) > 1 and starts_within != ends_within and (head.strip() or tail.strip()):
        number = line_at(text, place.start if starts_within else place.end)
        return f"a part of line {number} would stay and be joined to what follows. Send whole lines."
    return None


def _joined(text: str, place: Place, head: str, sent: list[str], wanted: list[str]) -> str | None:
    old, new = "\n".join(sent), "\n".join(wanted)
    if len(sent) > 1 and sent[-1] == "" != wanted[-1] and place.end < len(text) and old.rstrip("\n") != new.rstrip("\n"):
        return (
            f"old_string ends with a newline and new_string does not, so line {line_at(text, place.end)} would be joined to its last line. "
            "End both with a newline, or neither."
        )
    if len(sent) > 1 and sent[0] == "" != wanted[0] and head and old.lstrip("\n") != new.lstrip("\n"):
        return (
            "old_string starts with a newline and new_string does not, so its first line would be joined to "
            f"line {line_at(text, place.start)}. Start both with a newline, or neither."
        )
    return None


def inside_indentation(text: str, place: Place, old: str, new: str) -> bool:
    """True for a text that starts within the indentation of its line, where taking it literally would indent other lines wrongly."""
    head = _before(text, place.start)
    if not head or head.strip():
        return False
    alone, several = "\n" not in old.rstrip("\r\n"), "\n" in new.rstrip("\r\n")
    return (old[:1] in " \t" and alone and several) or (not new.strip() and (old.endswith("\n") or not _after(text, place.end)))


def _open_indentation(text: str, place: Place, head: str, sent: list[str], wanted: list[str]) -> str | None:
    if not head or head.strip() or any(line.strip() for line in sent[1:]):
        return None
    others = [line for line in wanted[1:] if line.strip()]
    flat = bool(others) and indentation(others[0]) == head and _OPENS.search(wanted[0].strip()) is not None
    if flat or any(not line.startswith(head) for line in others):
        return (
            f"old_string leaves out the indentation of line {line_at(text, place.start)}, so how far the lines of new_string are meant "
            "to be indented is not certain. Send whole lines, with their indentation."
        )
    return None


def _twice_at_start(text: str, place: Place, head: str, sent: list[str], wanted: list[str]) -> str | None:
    number = line_at(text, place.start)
    if not head:
        line = _before(text, max(place.start - 1 - (text[place.start - 2 : place.start] == "\r\n"), 0)) if place.start else ""
        if line.strip() and _run(wanted, line) > _run(sent, line) and len(wanted) > 1:
            return _again(f"line {number - 1}, `{line.strip()}`,", "first", "before")
        return None
    if not head.strip():
        if wanted[0].strip() and sent[0].strip() and indentation(wanted[0]) != indentation(sent[0]):
            return (
                f"old_string leaves out indentation of line {number}, and new_string starts with another. Send whole lines, with all of it."
            )
        return None
    body = head.lstrip()
    if wanted[0] in (head + sent[0], body + sent[0]) or (_telling(body) and wanted[0].lstrip().startswith(body)):
        return _again(f"the start of line {number}, `{body}`,", "first", "before")
    return None


def _twice_at_end(text: str, place: Place, tail: str, sent: list[str], wanted: list[str]) -> str | None:
    number = line_at(text, place.end)
    if sent[-1] == "" and len(sent) > 1:
        # The place ends where a line starts.
        if tail.strip() and len(wanted) > 2 and wanted[-1] == "" and _run(wanted[-2::-1], tail) > _run(sent[-2::-1], tail):
            return _again(f"line {number}, `{tail.strip()}`,", "last", "after")
        return None
    if not tail:
        start = place.end + (2 if text[place.end : place.end + 2] == "\r\n" else 1)
        line = _after(text, start)
        if line.strip() and len(wanted) > 1 and _run(wanted[::-1], line) > _run(sent[::-1], line):
            return _again(f"line {number + 1}, `{line.strip()}`,", "last", "after")
        return None
    whole = sent[-1] + tail
    if tail.strip() and (wanted[-1] == whole or (_telling(tail) and wanted[-1].endswith(tail))):
        return _again(f"the rest of line {number}, `{tail.strip()}`,", "last", "after")
    return None


def _run(lines: list[str], line: str) -> int:
    """How many of the first lines are `line`: a place may lie between equal lines, and then one more of them is one too many."""
    return next((n for n, each in enumerate(lines) if each != line), len(lines))


def _telling(stump: str) -> bool:
    """True for more than the brackets and commas that two texts end with by chance."""
    return len(stump.strip()) >= (2 if _WORD.search(stump) else _ALIKE)


def _again(what: str, which: str, side: str) -> str:
    shown = what if len(what) <= _SHOWN else what[:_SHOWN] + "…"
    return (
        f"new_string's {which} line repeats what stands {side} the place that old_string matches: {shown} would be there twice. "
        "Put it into old_string too; or if that is meant, send more of the lines around it in both."
    )


def _cut_line(text: str, place: Place, head: str, tail: str, sent: list[str], wanted: list[str]) -> str | None:
    """Several lines that start or end within one, and a new text that does not start or end alike: what stays of the line won't fit it.

    A text that starts and ends between words within lines was cut out on purpose.
    """
    if len(sent) < 2:
        return None
    within = head.strip() and sent[0] and tail.strip() and sent[-1]
    if within and not (_within_word(head, sent[0]) or _within_word(sent[-1], tail)):
        return None
    if head.strip() and sent[0] and (_within_word(head, sent[0]) or not _alike(sent[0], wanted[0])):
        return (
            f"old_string starts in the middle of line {line_at(text, place.start)}, and new_string does not start alike. Send whole lines."
        )
    if tail.strip() and sent[-1] and (_within_word(sent[-1], tail) or not _alike(sent[-1][::-1], wanted[-1][::-1])):
        return f"old_string ends in the middle of line {line_at(text, place.end)}, and new_string does not end alike. Send whole lines."
    return None


def _within_word(before: str, after: str) -> bool:
    """True between two characters of a word, and within a rule drawn under a title."""
    if before[-1:] == after[:1] and after[:1] in "-=~*#_^+":
        return True
    return _WORD.match(before[-1:]) is not None and _WORD.match(after) is not None


def _alike(sent: str, wanted: str) -> bool:
    return wanted.startswith(sent) or (len(sent) >= _ALIKE and wanted[:_ALIKE] == sent[:_ALIKE])


def twice_indented(page: Page, place: Place, old: str, new: str) -> str | None:
    """For a place that has another indentation than `old`: whether `new` already has the file's, so that shifting it would add it again."""
    here = indentation(page.text[place.start : place.end])
    if indentation(new) == here != indentation(old):
        return (
            "new_string has the indentation of the file and old_string has not, so whether to shift it is not certain. Send both with it."
        )
    return None


def stands_elsewhere(page: Page, place: Place, old: str) -> str | None:
    """For a place that has another indentation than `old`: whether all lines of `old` are in the file as sent, if not in a row."""
    sent = {line for line in lf(old).split("\n") if line.strip()}
    if len(sent) < 2 or not sent <= set(page.lines):
        return None
    return (
        f"old_string fits line {line_at(page.text, place.start)} with another indentation, but each of its lines is also in the file "
        "as sent, only not in a row. Send the text of the place that is meant exactly."
    )
