"""What colours there are: for each theme one table of tokens, from which both a Textual `Theme` (for CSS) and a `Palette` are made.

A token says what something is (`error`, `added_word`), never how it looks. No meaning stands on colour alone: whoever draws puts a sign or
a word beside it. The `ansi-…` themes have the terminal's own 16 colours, and `no-color` has bold, reverse and underline only.
What this module does not do: ask the terminal for its background, or draw.
"""

import functools
from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec
from rich.style import Style
from textual.theme import Theme

from kimicode.tui.draw.values import Palette

Rgb: TypeAlias = tuple[int, int, int]

TOKENS: Final = (
    *("text", "muted", "faint", "strong", "accent", "user", "thinking", "tool", "ok", "warning", "error"),
    *("heading", "emphasis", "struck", "link", "code", "code_block", "quote", "bullet", "rule"),
    *("added", "removed", "added_word", "removed_word", "hunk", "line_number", "border", "badge"),
    *("cursor", "selection", "match", "match_current"),
    *("keyword", "string", "number", "comment", "function", "type", "operator", "constant", "builtin", "decorator", "tag", "attribute"),
)
"""Every token that a palette has. Those of the last line are for source text."""

_ATTRIBUTES: Final[Mapping[str, str]] = {
    "strong": "bold", "user": "bold", "heading": "bold", "emphasis": "italic", "struck": "strike", "link": "underline",
    "added_word": "bold", "removed_word": "bold", "error": "bold", "match_current": "bold underline", "badge": "bold",
}  # fmt: skip
"""What a token has besides its colour, in every theme."""

_DARK: Final[Mapping[str, str]] = {
    "background": "#16181d", "surface": "#1d2027", "panel": "#242832",
    "text": "#d8dce5", "muted": "#a2a9b8", "faint": "#858d9d", "strong": "#eef1f7", "accent": "#7cb7ff",
    "user": "#8fd0ff", "thinking": "#a99fc9", "tool": "#86c5c0", "ok": "#86cf8c", "warning": "#e8c268", "error": "#ff8e88",
    "heading": "#9cc4ff", "emphasis": "#d8dce5", "struck": "#a2a9b8", "link": "#7cb7ff", "code": "#e3b98a", "code_block": "#d0d5df",
    "quote": "#b3bac8", "bullet": "#7cb7ff", "rule": "#858d9d",
    "added": "#a6e3ab on #14291b", "removed": "#ffb0aa on #331a1c", "added_word": "#d3ffd6 on #1e5029",
    "removed_word": "#ffd9d6 on #6b2529", "hunk": "#8fb4e8", "line_number": "#8c94a4", "border": "#6b7384", "badge": "#16181d on #7cb7ff",
    "cursor": "#16181d on #d8dce5", "selection": "#eef1f7 on #2f4468", "match": "#16181d on #cfae5a", "match_current": "#16181d on #ffd866",
    "keyword": "#c9a2f0", "string": "#a3d39c", "number": "#e8a878", "comment": "#929bac", "function": "#82b8f5", "type": "#7fd1d6",
    "operator": "#b9c1d0", "constant": "#e8a878", "builtin": "#7fd1d6", "decorator": "#e3c27e", "tag": "#f29a94", "attribute": "#e3c27e",
}  # fmt: skip

_LIGHT: Final[Mapping[str, str]] = {
    "background": "#fbfbf9", "surface": "#f2f2ef", "panel": "#e9e9e5",
    "text": "#24282f", "muted": "#565d69", "faint": "#686f7b", "strong": "#0d0f12", "accent": "#1a5fb4",
    "user": "#0f5a8a", "thinking": "#6a5a94", "tool": "#176a66", "ok": "#1f6f2b", "warning": "#7d5a00", "error": "#b3261e",
    "heading": "#1a4f96", "emphasis": "#24282f", "struck": "#565d69", "link": "#1a5fb4", "code": "#8a4510", "code_block": "#2d323b",
    "quote": "#4f5663", "bullet": "#1a5fb4", "rule": "#686f7b",
    "added": "#0f4a1c on #e3f4e4", "removed": "#7d1712 on #fbe6e4", "added_word": "#06340f on #b3e3b8",
    "removed_word": "#5c0a07 on #f5bcb7", "hunk": "#2f5f9e", "line_number": "#5f6671", "border": "#8a909c", "badge": "#ffffff on #1a5fb4",
    "cursor": "#fbfbf9 on #24282f", "selection": "#0d0f12 on #c6dcf7", "match": "#24282f on #f3dc8d", "match_current": "#0d0f12 on #ffc533",
    "keyword": "#7b2fa8", "string": "#2b6b25", "number": "#9a4a0f", "comment": "#5c636e", "function": "#1f5aa8", "type": "#12696e",
    "operator": "#444b57", "constant": "#9a4a0f", "builtin": "#12696e", "decorator": "#7a5b00", "tag": "#a8322b", "attribute": "#7a5b00",
}  # fmt: skip

_CONTRAST: Final[Mapping[str, str]] = {
    "background": "#000000", "surface": "#000000", "panel": "#101010",
    "text": "#ffffff", "muted": "#dddddd", "faint": "#c8c8c8", "strong": "#ffffff", "accent": "#66d9ff",
    "user": "#66d9ff", "thinking": "#d9c8ff", "tool": "#7ff0e4", "ok": "#7dff8a", "warning": "#ffe14d", "error": "#ff9f99",
    "heading": "#ffffff", "emphasis": "#ffffff", "struck": "#dddddd", "link": "#66d9ff", "code": "#ffd29a", "code_block": "#ffffff",
    "quote": "#dddddd", "bullet": "#66d9ff", "rule": "#c8c8c8",
    "added": "#b6ffbd on #00260a", "removed": "#ffc4c0 on #330508", "added_word": "#000000 on #7dff8a",
    "removed_word": "#000000 on #ff9f99", "hunk": "#99ccff", "line_number": "#c8c8c8", "border": "#ffffff", "badge": "#000000 on #66d9ff",
    "cursor": "#000000 on #ffffff", "selection": "#000000 on #66d9ff", "match": "#000000 on #ffe14d", "match_current": "#000000 on #ffffff",
    "keyword": "#e0b3ff", "string": "#a8ff9e", "number": "#ffc08a", "comment": "#c8c8c8", "function": "#8cc8ff", "type": "#8af3ff",
    "operator": "#ffffff", "constant": "#ffc08a", "builtin": "#8af3ff", "decorator": "#ffe08a", "tag": "#ffaaa4", "attribute": "#ffe08a",
}  # fmt: skip

_BLUE_ORANGE_DARK: Final[Mapping[str, str]] = {
    "ok": "#7cb7ff", "error": "#ffab66", "warning": "#f0e08a",
    "added": "#b5d7ff on #10243d", "removed": "#ffcf9f on #38220b", "added_word": "#e3f0ff on #1f4f87",
    "removed_word": "#fff0de on #7a4610",
}  # fmt: skip
_BLUE_ORANGE_LIGHT: Final[Mapping[str, str]] = {
    "ok": "#1a5fb4", "error": "#964300", "warning": "#6b5a00",
    "added": "#0b3f7a on #e1eefc", "removed": "#6e3400 on #fdecd8", "added_word": "#06284f on #b3d3f7",
    "removed_word": "#4a2300 on #f8cd96",
}  # fmt: skip
"""Blue and orange are told apart by whoever cannot tell green from red."""

_ANSI: Final[Mapping[str, str]] = {
    "background": "default", "surface": "default", "panel": "default",
    "text": "default", "muted": "default dim", "faint": "default dim", "strong": "default", "accent": "cyan",
    "user": "cyan", "thinking": "magenta", "tool": "cyan", "ok": "green", "warning": "yellow", "error": "red",
    "heading": "blue", "emphasis": "default", "struck": "default", "link": "blue", "code": "magenta", "code_block": "default",
    "quote": "default dim", "bullet": "cyan", "rule": "default dim",
    "added": "green", "removed": "red", "added_word": "green reverse", "removed_word": "red reverse", "hunk": "cyan",
    "line_number": "default dim", "border": "default dim", "badge": "cyan reverse",
    "cursor": "default reverse", "selection": "default reverse", "match": "yellow reverse", "match_current": "green reverse",
    "keyword": "magenta", "string": "green", "number": "yellow", "comment": "default dim", "function": "blue", "type": "cyan",
    "operator": "default", "constant": "yellow", "builtin": "cyan", "decorator": "yellow", "tag": "red", "attribute": "yellow",
}  # fmt: skip
_BRIGHT: Final = ("blue", "magenta", "red")
"""What is too dark on black in most palettes of terminals; its bright sister is not."""

_NO_COLOR: Final[Mapping[str, str]] = {
    **dict.fromkeys(TOKENS, ""),
    "accent": "bold", "tool": "bold", "warning": "bold", "heading": "bold underline", "thinking": "italic", "quote": "italic",
    "code": "bold", "added": "bold", "added_word": "reverse", "removed_word": "reverse", "badge": "reverse",
    "cursor": "reverse", "selection": "reverse", "match": "reverse", "match_current": "reverse underline", "keyword": "bold",
}  # fmt: skip


class Skin(msgspec.Struct, frozen=True):
    """A theme in both its forms: `theme` for Textual's CSS, `palette` for drawing."""

    theme: Theme
    palette: Palette

    @property
    def name(self) -> str:
        """What the settings call it. Textual's name for it has a prefix, because Textual has themes of its own with such names."""
        return self.palette.name


class _Colors(msgspec.Struct, frozen=True):
    """One table."""

    table: Mapping[str, str]
    dark: bool = True
    ansi: bool = False


def _tables() -> Mapping[str, _Colors]:
    bright = {token: _brightened(look) for token, look in _ANSI.items()}
    return {
        "dark": _Colors(_DARK),
        "light": _Colors(_LIGHT, dark=False),
        "high-contrast": _Colors(_CONTRAST),
        "dark-blue-orange": _Colors({**_DARK, **_BLUE_ORANGE_DARK}),
        "light-blue-orange": _Colors({**_LIGHT, **_BLUE_ORANGE_LIGHT}, dark=False),
        "ansi-dark": _Colors(bright, ansi=True),
        "ansi-light": _Colors(_ANSI, dark=False, ansi=True),
        "no-color": _Colors(_NO_COLOR, ansi=True),
    }


def _brightened(look: str) -> str:
    return " ".join(f"bright_{word}" if word in _BRIGHT else word for word in look.split())


def themes() -> tuple[Skin, ...]:
    """Every theme that there is."""
    return tuple(map(_skin, _tables()))


def theme_for(name: str, *, terminal_background: Rgb | None = None, no_color: bool = False) -> Skin:
    """The theme of that name; `auto` is light on a light terminal and dark otherwise. `no_color` beats the name.

    Raises `KeyError` for a name that does not exist (`themes` has those that do).
    """
    if no_color:
        return _skin("no-color")
    if name == "auto":
        return _skin("light" if terminal_background is not None and is_light(terminal_background) else "dark")
    return _skin(name)


def is_light(background: Rgb) -> bool:
    """True where black text reads better than white on it (WCAG 2: relative luminance above 0.179)."""
    return luminance(background) > 0.179


def luminance(color: Rgb) -> float:
    """Relative luminance from 0 to 1 of 8-bit sRGB (WCAG 2.2)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (value / 255 for value in color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@functools.cache
def _skin(name: str) -> Skin:
    colors = _tables()[name]
    styles = {token: _style(token, colors.table[token]) for token in TOKENS}
    return Skin(_ansi_theme(name, colors) if colors.ansi else _theme(name, colors), Palette(name, styles, colors.dark, colors.ansi))


def _style(token: str, look: str) -> Style:
    return Style.parse(" ".join(part for part in (_ATTRIBUTES.get(token, ""), look) if part) or "none")


def _theme(name: str, colors: _Colors) -> Theme:
    plain = {token: look.split(" on ")[0] for token, look in colors.table.items()}
    behind = {token: look.split(" on ")[1] for token, look in colors.table.items() if " on " in look}
    variables = {
        "text-muted": plain["muted"],
        "text-disabled": plain["faint"],
        "border": plain["accent"],
        "border-blurred": plain["border"],
        "footer-key-foreground": plain["accent"],
        "input-selection-background": behind["selection"],
        "screen-selection-background": behind["selection"],
        "block-cursor-background": behind["badge"],
        "block-cursor-foreground": plain["badge"],
        "link-color": plain["link"],
        **_scroll_bar(plain["border"], plain["accent"], plain["background"]),
        **{f"kimi-{token.replace('_', '-')}": look for token, look in plain.items()},
    }
    return Theme(
        name=f"kimi-{name}",
        primary=plain["accent"],
        secondary=plain["tool"],
        warning=plain["warning"],
        error=plain["error"],
        success=plain["ok"],
        accent=plain["accent"],
        foreground=plain["text"],
        background=plain["background"],
        surface=plain["surface"],
        panel=plain["panel"],
        dark=colors.dark,
        variables=variables,
    )


def _ansi_theme(name: str, colors: _Colors) -> Theme:
    plain = {token: _ansi(colors.table.get(token, "")) for token in (*TOKENS, "background", "surface", "panel")}
    dark, light = ("ansi_black", "ansi_bright_white") if colors.dark else ("ansi_bright_white", "ansi_black")
    cursor = "ansi_default" if name == "no-color" else plain["accent"]
    return Theme(
        name=f"kimi-{name}",
        ansi=True,
        primary=plain["accent"],
        secondary=plain["tool"],
        warning=plain["warning"],
        error=plain["error"],
        success=plain["ok"],
        accent=plain["accent"],
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        dark=colors.dark,
        variables={
            # Textual's own style sheets ask for these two, and only its own themes with terminal colours have them.
            "ansi-background": "ansi_default",
            "ansi-foreground": "ansi_default",
            **_scroll_bar("ansi_default" if name == "no-color" else "ansi_bright_black", plain["accent"], "ansi_default"),
            "border": plain["accent"],
            "border-blurred": "ansi_bright_black" if name != "no-color" else "ansi_default",
            "block-cursor-foreground": dark if cursor != "ansi_default" else "ansi_default",
            "block-cursor-background": cursor,
            "block-cursor-text-style": "bold" if cursor != "ansi_default" else "bold reverse",
            "input-selection-background": light if cursor != "ansi_default" else "ansi_default",
            "input-selection-foreground": dark if cursor != "ansi_default" else "ansi_default",
            "screen-selection-background": light if cursor != "ansi_default" else "ansi_default",
            "screen-selection-foreground": dark if cursor != "ansi_default" else "ansi_default",
            **{f"kimi-{token.replace('_', '-')}": look for token, look in plain.items()},
        },
    )


def _scroll_bar(bar: str, held: str, track: str) -> dict[str, str]:
    """A bar on a track that is not to be seen: most of the time there is nothing to scroll."""
    tracks = ("scrollbar-background", "scrollbar-background-hover", "scrollbar-background-active", "scrollbar-corner-color")
    return {"scrollbar": bar, "scrollbar-hover": held, "scrollbar-active": held, **dict.fromkeys(tracks, track)}


def _ansi(look: str) -> str:
    words = [word for word in look.split() if word not in ("dim", "reverse", "bold", "italic", "underline", "strike", "default")]
    return f"ansi_{words[0]}" if words else "ansi_default"
