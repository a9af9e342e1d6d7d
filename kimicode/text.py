"""Text from outside on its way to a terminal: `Untrusted` goes in, harmless text comes out.

Model output, tool results, file names and servers' error messages can hold terminal commands: move the cursor, recolour, set the
title, write the clipboard, reverse the reading direction, hide letters. `render_safe` is the one way from such text to a screen.
Nothing printable is ever dropped, so what is shown is what there is. What this module does not do: shorten, wrap, or decide what
is shown.
"""

import re
from typing import Final

import msgspec

_COLOUR: Final = re.compile(r"(?:\x1b\[|\x9b)[0-9;:<=>?]{0,64}[@-~]")
"""Control sequences (ECMA-48, 5.4) without intermediate bytes: colours and cursor moves. Their parameters are no text either."""

_UNSAFE: Final = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, delete, C1 (which some terminals obey as 8-bit escapes)
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction marks, embeddings, overrides and isolates
    "\u200b\u2028\u2029\u2060-\u2064\ufeff\ufff9-\ufffb"  # invisible, or a line end to some and nothing to others
    "\U000e0000-\U000e007f"  # tags: ASCII nobody sees
    "]+"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Untrusted(msgspec.Struct, frozen=True):
    """Text that somebody else wrote. Not a `str`, so that it can't reach a screen by mistake."""

    text: str


def well_formed(text: str) -> str:
    """`text` without lone surrogates, which file names and JSON escapes can carry and no log or request can."""
    return text.encode("utf-8", "replace").decode()


def render_safe(untrusted: Untrusted) -> str:
    """The text with newlines and tabs but no other control, direction or invisible character; U+FFFD for a lone surrogate.

    A second pass changes nothing.
    """
    return _SURROGATE.sub("\ufffd", _UNSAFE.sub("", _COLOUR.sub("", untrusted.text)))
