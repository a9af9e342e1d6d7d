"""Themes: every token everywhere, readable, and no colour where there must be none."""

import asyncio

import pytest
from rich.style import Style
from textual.app import App, ComposeResult
from textual.theme import BUILTIN_THEMES, Theme
from textual.widgets import Footer, Input, OptionList, Static, TextArea

from kimicode.tui.themes import TOKENS, Rgb, is_light, luminance, theme_for, themes

NAMES = [skin.name for skin in themes()]
COLORED = [name for name in NAMES if not theme_for(name).palette.ansi]
NOT_TEXT = {"border"}


def contrast(one: Rgb, other: Rgb) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def rgb(style: Style, ground: Rgb) -> tuple[Rgb, Rgb]:
    assert style.color is not None
    assert style.color.triplet is not None
    behind = style.bgcolor.triplet if style.bgcolor is not None else None
    return tuple(style.color.triplet), ground if behind is None else tuple(behind)


def background(theme: Theme) -> Rgb:
    assert theme.background is not None
    return tuple(bytes.fromhex(theme.background[1:]))


@pytest.mark.parametrize("name", NAMES)
def test_every_theme_has_every_token_and_makes_css(name):
    skin = theme_for(name)
    assert set(skin.palette.styles) == set(TOKENS)
    assert (skin.palette.name, skin.theme.name) == (name, f"kimi-{name}")
    assert skin.theme.name not in BUILTIN_THEMES
    assert {**skin.theme.to_color_system().generate(), **skin.theme.variables}["kimi-added-word"]


@pytest.mark.parametrize("token", [token for token in TOKENS if token not in NOT_TEXT])
@pytest.mark.parametrize("name", COLORED)
def test_text_is_readable(name, token):
    skin = theme_for(name)
    assert contrast(*rgb(skin.palette[token], background(skin.theme))) >= 4.5


@pytest.mark.parametrize("name", COLORED)
def test_source_text_is_readable_on_changed_lines(name):
    skin = theme_for(name)
    for ground in ("added", "removed"):
        behind = skin.palette[ground].bgcolor
        assert behind is not None
        assert behind.triplet is not None
        for token in ("keyword", "string", "number", "comment", "function", "type", "operator", "tag", "line_number"):
            assert contrast(rgb(skin.palette[token], (0, 0, 0))[0], tuple(behind.triplet)) >= 4.5, (ground, token)


def test_high_contrast_is_higher():
    skin = theme_for("high-contrast")
    assert all(contrast(*rgb(skin.palette[token], background(skin.theme))) >= 7 for token in TOKENS if token not in NOT_TEXT)


@pytest.mark.parametrize("name", ["ansi-dark", "ansi-light"])
def test_ansi_themes_follow_the_terminals_palette(name):
    for style in theme_for(name).palette.styles.values():
        assert style.color is None or style.color.number is None or style.color.number < 16
        assert style.color is None or style.color.triplet is None


def test_no_color_has_none_and_still_tells_things_apart():
    palette = theme_for("dark", no_color=True).palette
    assert all(style.color is None and style.bgcolor is None for style in palette.styles.values())
    for one, other in (("added_word", "added"), ("match", "text"), ("match_current", "match"), ("error", "text"), ("cursor", "text")):
        assert palette[one] != palette[other], (one, other)


def test_auto_follows_the_background():
    assert theme_for("auto").palette.name == "dark"
    assert theme_for("auto", terminal_background=(0, 0, 0)).palette.name == "dark"
    assert theme_for("auto", terminal_background=(255, 255, 255)).palette.name == "light"
    assert theme_for("light", terminal_background=(0, 0, 0)).palette.name == "light"
    assert is_light((253, 246, 227))
    assert not is_light((0, 43, 54))


def test_a_theme_that_does_not_exist():
    with pytest.raises(KeyError):
        theme_for("mauve")


class Gallery(App[None]):
    """Some of Textual's widgets, and ours of every token."""

    CSS = "\n".join(f".{token} {{ color: $kimi-{token.replace('_', '-')}; border: round $border; }}" for token in TOKENS)

    def __init__(self) -> None:
        super().__init__()
        for skin in themes():
            self.register_theme(skin.theme)
        self.theme = "kimi-dark"

    def compose(self) -> ComposeResult:
        yield Input("abc")
        yield OptionList("one", "two")
        yield TextArea("text")
        yield Static("token", classes=" ".join(TOKENS))
        yield Footer()


def test_textual_takes_every_theme():
    """A theme of terminal colours lacked two variables of Textual's style sheets, and the application ended."""

    async def look() -> None:
        app = Gallery()
        async with app.run_test(size=(60, 20)) as pilot:
            for skin in themes():
                app.theme = skin.theme.name
                await pilot.pause()
                ground = app.screen.styles.background
                assert (ground.ansi is not None) == skin.palette.ansi, (skin.name, ground)

    asyncio.run(look())
