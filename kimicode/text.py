"""Text from outside on its way to a terminal: `Untrusted` goes in, harmless text comes out.

Model output, tool results, file names and servers' error messages can hold terminal commands: move the cursor, recolour, set the
title, write the clipboard, reverse the reading direction, hide letters. `render_safe` is the one way from such text to a screen: only
colours vanish, everything else that a terminal would obey or hide is shown as a stand-in. `render_exact` is stricter, for what a person
is asked to approve: two texts that differ are never shown alike. What this module does not do: shorten, wrap, or decide what is shown.
"""

import re
import unicodedata
from typing import Final

import msgspec

_DROPPED: Final = re.compile(r"(?:\x1b\[|\x9b)[0-9;:]*+m|\r(?=\n)")
"""Select Graphic Rendition (ECMA-48, 8.3.117): colours and the like, no content. And the first half of a Windows line end."""

_HIDDEN: Final = (
    (0x80, 0x9F),  # C1, which some terminals obey as 8-bit escapes
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180E, 0x180E),  # hyphens, joiners, fillers
    (0x200B, 0x200B), (0x200E, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F),  # no width, line ends, directions, isolates
    (0x3164, 0x3164), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0xFFFE, 0xFFFF),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),  # tags (ASCII nobody sees) and selectors of variants that no font has
)  # fmt: skip
"""What is invisible or steers the reading direction. The joiners U+200C and U+200D stay: Persian and emoji are written with them."""

_SURROGATES: Final = (0xD800, 0xDFFF)


def _named(code: int) -> str:
    return f"⟨U+{code:04X}⟩"


_CONTROLS: Final = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "\u2421"}
"""The Unicode picture of each C0 control, and of delete."""

_SHOWN: Final[dict[int, str]] = {
    **{code: picture for code, picture in _CONTROLS.items() if chr(code) not in "\n\t"},
    **{code: _named(code) for first, last in _HIDDEN for code in range(first, last + 1)},
    **dict.fromkeys(range(_SURROGATES[0], _SURROGATES[1] + 1), "\ufffd"),
}
_UNSAFE: Final = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in (*_HIDDEN, _SURROGATES)) + "]"
)


class Untrusted(msgspec.Struct, frozen=True):
    """Text that somebody else wrote. Not a `str`, so that it can't reach a screen by mistake."""

    text: str


def well_formed(text: str) -> str:
    """`text` without lone surrogates, which file names and JSON escapes can carry and no log or request can."""
    return text.encode("utf-8", "replace").decode()


def render_safe(untrusted: Untrusted) -> str:
    """The text, inert: controls as their pictures (`␛`), hidden characters by number (`⟨U+202E⟩`), U+FFFD for a lone surrogate.

    Newlines and tabs stay, `\\r\\n` becomes a newline, colours are removed. A second pass changes nothing.
    """
    text = _DROPPED.sub("", untrusted.text)
    return text.translate(_SHOWN) if _UNSAFE.search(text) else text


_PLAIN: Final = re.compile("[ -~]+")
_WORD: Final = re.compile(r"[^\W_]+")

_LOOKALIKES: Final = frozenset(
    "асԁеһіјӏорԛѕυѵѡхуᴦАВСԌЕНІЈКМОРЅТХҮԚԜЗ"  # Cyrillic
    "αγικνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"  # Greek
    "օոսհցԼՍՕ"  # Armenian
)
"""Letters of other alphabets that most fonts draw like Latin ones."""

_LIKE_ASCII: Final = frozenset("‐‑‒–—―−‘’‚‛“”„‟′″ʹʺʻʼˈ⁄∕⧸╱⁎∗∣∶∼꞉։׃․‚⟨⟩〈〉‹›ǀ\u2800")
"""Dashes, quotes, slashes and the like that pass for ASCII in a command; a blank Braille cell; and our own brackets."""


def render_exact(text: str) -> str:
    """The text such that nobody can mistake it: what is approved is what runs.

    As `render_safe`, and also: colours, tabs and line ends are shown (`␉`, `␊` before the line break), and so is every space but the
    ordinary one, every mark that melts into its letter, every character that passes for an ASCII one, letters of another alphabet
    in a Latin word or in a word that looks Latin, and the stand-ins themselves. Different texts are shown differently.
    """
    mistakable = {at for word in _WORD.finditer(text) for at in _foreign(word)}
    shown = (
        char if _PLAIN.match(char) or (at not in mistakable and _stands_alone(char, text[at - 1 : at])) else _spelt(char)
        for at, char in enumerate(text)
    )
    return "".join(shown)


def _spelt(char: str) -> str:
    code = ord(char)
    return "\u240a\n" if char == "\n" else _CONTROLS.get(code) or _named(code)


def _stands_alone(char: str, before: str) -> bool:
    """True for a character that a person sees, and takes for no other one."""
    code = ord(char)
    if code in _SHOWN or char in _LIKE_ASCII or 0x2400 <= code <= 0x2426 or 0xFE00 <= code <= 0xFE0F or 0x180B <= code <= 0x180F:
        return False
    kind = unicodedata.category(char)
    if kind[0] == "M":
        ours = unicodedata.name(char, "COMBINING").startswith("COMBINING")
        return not ours and before != "" and unicodedata.category(before)[0] in "LM" and unicodedata.is_normalized("NFC", before + char)
    return kind[0] in "LNPS" and not unicodedata.normalize("NFKC", char).isascii() and unicodedata.is_normalized("NFC", char)


def _foreign(word: re.Match[str]) -> list[int]:
    """Where letters that are not Latin stand in a word that is, or looks so."""
    others = [at for at in range(*word.span()) if (char := word.string[at]).isalpha() and not _latin(char)]
    latin = any(char.isalpha() and _latin(char) for char in word[0])
    disguised = all(word.string[at] in _LOOKALIKES for at in others)
    cased = [at for at in others if word.string[at].lower() != word.string[at].upper()]
    # Chinese or Thai beside Latin letters misleads nobody: only alphabets with capitals, as ours, have letters that look like ours.
    return others if others and disguised else cased if latin else []


def _latin(char: str) -> bool:
    return char.isascii() or unicodedata.name(char, "").startswith("LATIN ")
