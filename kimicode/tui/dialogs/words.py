"""Text from outside → what a widget may have: never markup, never a control, one line where there is room for one.

Textual reads a `str` as markup in many places (labels, titles, prompts, tooltips), so no widget in this package gets one from outside.
What this module does not do: lines of a width (`lines`).
"""

from textual.content import Content

from kimicode.text import Untrusted, render_safe


def harmless(text: str) -> str:
    """Inert text, with its line breaks; tabs become spaces."""
    return render_safe(Untrusted(text)).expandtabs(4)


def one_line(text: str) -> str:
    """The same on one line: line breaks are shown as `⏎`."""
    return harmless(text).replace("\n", " ⏎ ")


def said(text: str) -> Content:
    """For a widget that may have several lines."""
    return Content(harmless(text))


def label(text: str, style: str = "") -> Content:
    """For a widget, a title or a button that has one line. `style` is ours."""
    content = Content(one_line(text))
    return content.stylize(style) if style else content
