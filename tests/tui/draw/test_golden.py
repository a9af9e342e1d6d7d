"""How each kind of block looks as text, at three widths. `KIMICODE_GOLDEN=write` writes the files anew: read what changed."""

import os
from pathlib import Path

import pytest

from kimicode.tui.draw.block import draw_block, plain
from kimicode.tui.draw.values import Look
from kimicode.tui.themes import theme_for
from tests.tui.draw.samples import SAMPLES

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("kind", SAMPLES)
def test_blocks_look_as_before(kind, width):
    look = Look(width, theme_for("dark").palette)
    shown = "\n\n".join(plain(draw_block(block, look, folded=folded)) for block, folded in SAMPLES[kind]) + "\n"
    path = GOLDEN / f"{kind}-{width}.txt"
    if os.environ.get("KIMICODE_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == shown


@pytest.mark.parametrize("kind", SAMPLES)
def test_themes_change_no_text(kind):
    for block, folded in SAMPLES[kind]:
        texts = {plain(draw_block(block, Look(80, theme_for(name).palette), folded=folded)) for name in ("dark", "light", "ansi-dark")}
        assert len(texts) == 1


@pytest.mark.parametrize("kind", SAMPLES)
def test_no_color_draws_no_color(kind):
    look = Look(80, theme_for("dark", no_color=True).palette)
    for block, folded in SAMPLES[kind]:
        for strip in draw_block(block, look, folded=folded).lines:
            assert all(segment.style is None or (segment.style.color is segment.style.bgcolor is None) for segment in strip)
