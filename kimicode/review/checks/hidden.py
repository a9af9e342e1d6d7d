"""Text that does not show what it is: reading order turned round, characters nobody sees, letters of another alphabet in a name.

Code can be made to look like other code (Trojan Source, CVE-2021-42574; homoglyphs, CVE-2021-42694). Prose and translations need some of
these characters and are left alone. What this module does not do: judge whether it was meant.
"""

import re
from collections.abc import Iterator
from typing import Final

from kimicode.languages import grammar_of
from kimicode.review.checks.rule import Rule
from kimicode.review.checks.subject import Subject
from kimicode.review.finding import Finding, Severity

BIDI: Final = Rule(
    id="hidden/bidi",
    severity=Severity.HIGH,
    category="security",
    title="A character turns the reading order round",
    scenario="What a reviewer sees is not what the compiler reads: text that looks like a comment can be code, and the reverse.",
    suggestion="Delete the character, or write it as an escape in a string.",
    example="U+202E (right-to-left override) in a comment",
    confidence=0.95,
)
INVISIBLE: Final = Rule(
    id="hidden/invisible",
    severity=Severity.HIGH,
    category="security",
    title="Code holds characters that nobody sees",
    scenario="Two names or texts that look alike differ, or a text carries words that no reader sees and a program obeys.",
    suggestion="Delete the characters, or write them as escapes in a string.",
    example="U+200B (zero-width space) in a name",
    confidence=0.9,
)
CONTROL: Final = Rule(
    id="hidden/control",
    severity=Severity.MEDIUM,
    category="security",
    title="Code holds control characters",
    scenario="A terminal obeys them: what `git diff` or `cat` shows is not what stands in the file.",
    suggestion="Write them as escapes (\\x1b, \\b).",
    example="an escape (U+001B) or a backspace (U+0008) as such",
    confidence=0.9,
)
MIXED: Final = Rule(
    id="hidden/mixed-alphabets",
    severity=Severity.MEDIUM,
    category="security",
    title="A name has letters of another alphabet that look like ours",
    scenario="The name looks like another one and is not it: a call goes elsewhere, or a comparison never holds.",
    suggestion="Type the name again.",
    example="a Cyrillic letter in `аdmin`",
    confidence=0.85,
)
RULES: Final = (BIDI, INVISIBLE, CONTROL, MIXED)

_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_INVISIBLE: Final = re.compile(
    "[\u115f\u1160\u3164\uffa0\U000e0001-\U000e007f]|(?<=\\w)[\u034f\u17b4\u17b5\u180e\u200b\u200e\u200f\u2060-\u2064\u206a-\u206f\ufeff]+(?=\\w)"
)
"""Letters without a shape and tags anywhere; what has no width only inside a word, since prose that was copied is full of it."""

_CONTROL: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f\x80-\x84\x86-\x9f]")
_LOOKALIKES: Final = "асԁеһіјӏорԛѕуѵѡхАВСԌЕНІЈКМОРЅТХҮԚԜοΟΑΒΕΖΗΙΚΜΝΡΤΥΧօոսհցԼՍՕ"
_MIXED: Final = re.compile(rf"(?<!\w)(?=[\w]*[{_LOOKALIKES}])(?=[\w]*[A-Za-z])[A-Za-z0-9_{_LOOKALIKES}]+(?!\w)")
_TRANSLATED: Final = re.compile(
    r"(?:^|/)(?:locales?|i18n|l10n|lang(?:uages?)?|translations?|intl|cldr|messages|unicode|encodings?|emoji)(?:[/._-]|$)", re.IGNORECASE
)
_EMOJI_TAGS: Final = re.compile("\U0001f3f4[\U000e0020-\U000e007f]+")
"""Flags of regions are written with tags behind a black flag."""


def hidden(subject: Subject) -> Iterator[Finding]:
    """What hides in the added lines of code, one finding for each rule and line."""
    text = subject.added_text
    if (text.isascii() and not _CONTROL.search(text)) or grammar_of(subject.path) is None or _TRANSLATED.search(subject.path):
        return
    if subject.kind.foreign or subject.kind.lock:
        return
    controls = not (subject.kind.made_up or subject.path.endswith((".sh", ".bash")))
    for number, line in subject.fresh:
        if line.isascii() and not _CONTROL.search(line):
            continue
        text = _EMOJI_TAGS.sub("", line.removeprefix("\ufeff") if number == 1 else line)
        yield from (each for each in _in_line(subject, number, text) if controls or each.rule != CONTROL.id)


def _in_line(subject: Subject, number: int, line: str) -> Iterator[Finding]:
    for rule, pattern in ((BIDI, _BIDI), (INVISIBLE, _INVISIBLE), (CONTROL, _CONTROL), (MIXED, _MIXED)):
        found = pattern.search(line)
        if found is None:
            continue
        at = found.start()
        named = f"U+{ord(found[0][0]):04X}" if rule is not MIXED else shown(found[0])
        yield rule.at(subject.path, number, quote=shown(line.strip()), title=f"{rule.title}: {named} at column {at + 1}")


def shown(line: str) -> str:
    """The line with everything that is not ASCII, and every control, spelt by number: a quote must not mislead in turn."""
    return "".join(each if each.isascii() and each.isprintable() else f"<U+{ord(each):04X}>" for each in line)
