"""Text that somebody else wrote (a model file's metadata, a hub's file names) on its way to a terminal: one line, no commands.

A model's name may hold escape sequences that move the cursor, set the title or write the clipboard. What this module does not do: wrap
or colour.
"""

from typing import Final

LONGEST: Final = 400
"""Characters; longer text is cut, so that no file can flood a terminal."""

_UNPRINTABLE: Final = "\N{REPLACEMENT CHARACTER}"


def plain(text: str, longest: int = LONGEST) -> str:
    """`text` on one line, with U+FFFD for each control, direction, invisible or unassigned character, cut to `longest` characters.

    A second pass changes nothing.
    """
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(character if character.isprintable() else _UNPRINTABLE for character in cut)


def size_of(count: float) -> str:
    """`count` bytes as people read it, in decimal units as the hub and disk makers count: "584 GB", "1.5 GB", "900 B"."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.1f} {unit}"
