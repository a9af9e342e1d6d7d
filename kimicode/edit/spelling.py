"""Different spellings of the same characters: Unicode normal forms, and typographic characters beside their ASCII ones.

`fold` makes texts comparable; `Habit` is what a file's lines tell, beside a model's copy of them, about how new lines must be spelled.
What this module does not do: compare letters that only look alike, or change the length of anything but by normal form (no `…` for `...`).
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from kimicode.edit.lines import BLANKS

_QUOTES: Final = {**dict.fromkeys("‘’‚‛ʼ", "'"), **dict.fromkeys("“”„‟", '"')}
_DASHES: Final = dict.fromkeys("‐‑‒–—―−", "-")
_SPACES: Final = dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " ")
_WIDE: Final = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
"""Full-width forms, as Chinese and Japanese punctuation is typed; each has its ASCII character 0xFEE0 below."""

_CLASSES: Final = (_QUOTES, _DASHES, _SPACES, _WIDE)
_ASCII: Final = {char: plain for each in _CLASSES for char, plain in each.items()}
_TYPOGRAPHIC: Final = re.compile("[" + "".join(map(re.escape, _ASCII)) + "]")

Form = Literal["NFC", "NFD"]
_FORMS: Final[tuple[Form, ...]] = ("NFC", "NFD")


def composed(text: str) -> str:
    """`text` in normal form C."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """`text` in normal form C with ASCII quotes, hyphens, blanks and punctuation for the typographic and full-width ones."""
    return text if text.isascii() else _TYPOGRAPHIC.sub(_plain, composed(text))


def _plain(match: re.Match[str]) -> str:
    return _ASCII[match.group()]


def clusters(text: str) -> list[str]:
    """`text` by characters, each with the combining marks that follow it."""
    if text.isascii():
        return list(text)
    parts: list[str] = []
    for char in text:
        if parts and unicodedata.combining(char):
            parts[-1] += char
        else:
            parts.append(char)
    return parts


class Habit(msgspec.Struct, frozen=True):
    """How the file spells where the model spells otherwise: what to change in lines that the model wrote new.

    `bare`: the model puts blanks at line ends and the file has none there. `form`: the file's normal form, where the model's is another.
    `plain`: typographic characters that the model uses where the file has ASCII.
    """

    bare: bool = False
    form: Form | None = None
    plain: frozenset[str] = frozenset()

    def spell(self, line: str) -> str:
        """A new line, spelled as the file would."""
        if self.form is not None:
            line = unicodedata.normalize(self.form, line)
        if self.plain and not line.isascii():
            line = "".join(_ASCII[char] if char in self.plain else char for char in line)
        return line.rstrip(BLANKS) if self.bare else line


def habit_of(file: Sequence[str], sent: Sequence[str]) -> Habit:
    """What the `file`'s lines say beside the model's copies of them, line for line."""
    different = [(line, copy) for line, copy in zip(file, sent, strict=True) if line != copy]
    ends = [(line != line.rstrip(BLANKS), copy != copy.rstrip(BLANKS)) for line, copy in different]
    bare = (False, True) in ends and (True, False) not in ends and (True, True) not in ends
    if all(line.isascii() and copy.isascii() for line, copy in different):
        return Habit(bare)
    whole, copied = "\n".join(file), "\n".join(sent)
    form = next((form for form in _FORMS if _is(form, whole) and not _is(form, copied)), None)
    return Habit(bare, form, frozenset(char for kind in _CLASSES for char in _plain_of(kind, whole, copied)))


def _plain_of(kind: dict[str, str], whole: str, copied: str) -> set[str]:
    """The characters of a class that are ASCII in the file: all of them, where the file has none; else those that only the model uses."""
    used = {char for char in kind if char in copied and char not in whole}
    return set(kind) if used and not any(char in whole for char in kind) else used


def _is(form: Form, text: str) -> bool:
    return unicodedata.is_normalized(form, text)


def keep_spelling(file: str, sent: str, new: str, habit: Habit) -> str:
    """`new`, which replaces the line `file` that the model copied as `sent`: what it shares with the copy at both ends stays the file's."""
    spelled = habit.spell(new)
    if file == sent:
        return spelled
    have, copy, want = clusters(file), clusters(sent), clusters(new.rstrip(BLANKS) if habit.bare else new)
    if len(have) != len(copy):
        return spelled
    head = _shared(copy, want)
    tail = _shared(copy[head:][::-1], want[head:][::-1])
    middle = "".join(want[head : len(want) - tail])
    return "".join(have[:head]) + habit.spell(middle + "x")[:-1] + "".join(have[len(have) - tail :])


def _shared(a: Sequence[str], b: Sequence[str]) -> int:
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
