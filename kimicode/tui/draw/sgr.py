"""Text with colours (ECMA-48, Select Graphic Rendition) → pieces with styles; every other escape is made visible and does nothing.

What this module does not do: move, erase, or anything else that a terminal can be told, but that a carriage return starts a line anew.
"""

import re
from collections.abc import Iterator
from typing import Final

from rich.color import Color
from rich.style import Style

from kimicode.tui.draw.lines import Line, clipped, safe

_SGR: Final = re.compile(r"(?:\x1b\[|\x9b)([0-9;:]*)m")
_ATTRIBUTES: Final = {
    1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike",
    22: "not bold not dim", 23: "not italic", 24: "not underline", 27: "not reverse", 29: "not strike",
}  # fmt: skip
_MOST_CHARS: Final = 20_000


def colored(text: str, base: Style, *, colors: bool = True) -> list[Line]:
    """The lines of `text` over `base`. Colours go on from line to line. `colors`: false leaves bold and the like only."""
    lines: list[Line] = []
    style = base
    source = text.split("\n")
    if len(source) > 1 and not source[-1]:
        source.pop()
    for raw in source:
        line: Line = []
        at = 0
        # A line without escapes is clipped before anybody looks at it.
        whole = final(raw) if "\x1b" in raw[:_MOST_CHARS] else clipped(final(raw))
        whole = clipped(whole, _MOST_CHARS)
        for found in _SGR.finditer(whole):
            if found.start() > at:
                line.append((whole[at : found.start()], style))
            style = _changed(style, base, found[1], colors)
            at = found.end()
        if at < len(whole):
            line.append((whole[at:], style))
        lines.append([(safe(part), own) for part, own in line])
    return lines


def final(line: str) -> str:
    """What is left of a line that was written over: what came after the last carriage return, as progress bars have them."""
    bare = line[:-1] if line.endswith("\r") else line
    return bare.rpartition("\r")[2] or bare.rstrip("\r").rpartition("\r")[2] if "\r" in bare else bare


def _changed(style: Style, base: Style, codes: str, colors: bool) -> Style:
    numbers = iter([int(code) if code and len(code) < 4 else 0 for code in re.split("[;:]", codes)])
    for number in numbers:
        if number == 0:
            style = base
        elif number in _ATTRIBUTES:
            style += Style.parse(_ATTRIBUTES[number])
        elif number in (38, 48):
            color = _extended(numbers)
            if color is not None and colors:
                style += Style(color=color) if number == 38 else Style(bgcolor=color)
        elif colors:
            style += _color(number, base)
    return style


def _color(number: int, base: Style) -> Style:
    if 30 <= number <= 37 or 90 <= number <= 97:
        return Style(color=Color.from_ansi(number - 30 if number < 90 else number - 82))
    if 40 <= number <= 47 or 100 <= number <= 107:
        return Style(bgcolor=Color.from_ansi(number - 40 if number < 100 else number - 92))
    if number == 39:
        return Style(color=base.color or Color.default())
    return Style(bgcolor=base.bgcolor or Color.default()) if number == 49 else Style.null()


def _extended(numbers: Iterator[int]) -> Color | None:
    match next(numbers, None):
        case 5:
            number = next(numbers, 0)
            return Color.from_ansi(min(number, 255))
        case 2:
            red, green, blue = (min(next(numbers, 0), 255) for _ in range(3))
            return Color.from_rgb(red, green, blue)
        case _:
            return None
