"""Help for what is focused, as a page: the words of the nearest widget that has some (`HELP`), and the keys that do something here.

    help_page(app.screen)

What this module does not do: know any widget, or show the page (`Person.show` does).
"""

from inspect import cleandoc
from typing import Final

from textual.screen import Screen
from textual.widget import Widget

from kimicode.interactive.person import Page, Part, Prose, Rows, Words

_KEYS: Final = {
    "up": "↑", "down": "↓", "left": "←", "right": "→", "pageup": "PgUp", "pagedown": "PgDn", "escape": "Esc", "enter": "Enter",
    "slash": "/", "question_mark": "?", "full_stop": ".", "comma": ",", "minus": "-", "plus": "+", "at": "@", "space": "Space",
    "backspace": "Backspace", "delete": "Delete", "tab": "Tab", "home": "Home", "end": "End",
}  # fmt: skip


def help_page(screen: "Screen[object]") -> Page:
    """What there is to know where the focus is."""
    focused = screen.focused
    parts: list[Part] = []
    words = _words(focused if focused is not None else screen)
    if words:
        parts.append(Prose(words))
    here, everywhere = _keys(screen)
    if here:
        parts += [Words("Keys here"), Rows(here, ("key", "does"))]
    if everywhere:
        parts += [Words("Keys everywhere"), Rows(everywhere, ("key", "does"))]
    return Page("Help", tuple(parts) or (Words("No keys do anything here."),))


def key_name(key: str) -> str:
    """A key as people write it: `ctrl+shift+p` → `Ctrl+Shift+P`."""
    return "+".join(_KEYS.get(part, part.upper() if len(part) == 1 and "+" in key else part if len(part) == 1 else part.capitalize())
                    for part in key.split("+"))  # fmt: skip


def _words(node: Widget) -> str:
    for widget in node.ancestors_with_self:
        if isinstance(widget, Widget) and widget.HELP:
            return cleandoc(widget.HELP)
    return ""


def _keys(screen: "Screen[object]") -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Keys by what they do, of the widgets here and of the application."""
    here: dict[str, list[str]] = {}
    everywhere: dict[str, list[str]] = {}
    for key, active in screen.active_bindings.items():
        does = active.binding.description
        if does and active.enabled and not active.binding.system:
            (everywhere if active.node is screen.app else here).setdefault(does, []).append(key_name(key))
    return _rows(here), _rows(everywhere)


def _rows(keys: dict[str, list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((" ".join(names), does) for does, names in keys.items())
