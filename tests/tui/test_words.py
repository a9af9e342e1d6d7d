"""What the full screen says, in every size, whatever it looks like: no theme changes a word. `KIMICODE_PICTURES=write` writes it anew."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.tui.scenes import MAIN, SCENES
from tests.tui.stage import staged, words

WORDS = Path(__file__).parent / "words"
SIZES = ((60, 16), (80, 24), (120, 36), (160, 50))
THEMES = ("light", "ansi-dark", "no-color")


async def _said(scene: str, size: tuple[int, int], theme: str) -> str:
    async with staged(SCENES[scene], size=size, theme=theme) as (app, _):
        return words(app)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("scene", MAIN)
def test_the_screen_says_what_it_said(scene: str, size: tuple[int, int]) -> None:
    said = asyncio.run(_said(scene, size, "dark"))
    path = WORDS / f"{scene}-{size[0]}x{size[1]}.txt"
    if os.environ.get("KIMICODE_PICTURES") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(said, encoding="utf-8")
    assert said == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("scene", MAIN)
def test_no_theme_changes_a_word(scene: str, theme: str) -> None:
    assert asyncio.run(_said(scene, (80, 24), theme)) == (WORDS / f"{scene}-80x24.txt").read_text(encoding="utf-8")


def test_no_text_is_left_over() -> None:
    assert {path.name for path in WORDS.iterdir()} == {f"{scene}-{width}x{height}.txt" for scene in MAIN for width, height in SIZES}
