"""What the full screen looks like: a picture of every scene, and of some in other sizes and themes.

`KIMICODE_PICTURES=write` writes them anew: look at what changed. Where one differs, the new one and a page that shows both lie in the
folder that `KIMICODE_PICTURES_DIR` names, or in a temporary one.
"""

import asyncio
import html
import os
from pathlib import Path

import pytest

from tests.tui.scenes import SCENES
from tests.tui.stage import picture, staged

pytestmark = pytest.mark.pictures

PICTURES = Path(__file__).parent / "pictures"
WIDE = (120, 36)
OTHERS = (
    *(("tools", (120, 36), theme) for theme in ("light", "high-contrast", "ansi-dark", "no-color")),
    *(("approve-diff", (120, 36), theme) for theme in ("light", "no-color")),
    ("tools", (80, 24), "dark"),
    ("tools", (60, 16), "dark"),
    ("tools", (200, 60), "dark"),
    ("approve-diff", (80, 24), "dark"),
    ("approve-diff", (60, 16), "dark"),
    ("approve-diff", (200, 60), "dark"),
    ("settings", (80, 24), "light"),
    ("models", (60, 16), "high-contrast"),
)
SHOWN = (*((name, WIDE, "dark") for name in SCENES), *OTHERS)

_PAGE = """<!doctype html><meta charset="utf-8"><title>{name}</title>
<style>body {{ font-family: sans-serif; background: #ddd }} img {{ width: 49% }}</style>
<h1>{name}</h1><p>Before, and now.</p><img src="{before}" alt="before"> <img src="{after}" alt="now">
"""


def name_of(scene: str, size: tuple[int, int], theme: str) -> str:
    return f"{scene}-{size[0]}x{size[1]}-{theme}.svg"


async def _drawn(scene: str, size: tuple[int, int], theme: str) -> str:
    async with staged(SCENES[scene], size=size, theme=theme) as (app, _):
        return picture(app)


@pytest.mark.parametrize(("scene", "size", "theme"), SHOWN, ids=[name_of(*shown).removesuffix(".svg") for shown in SHOWN])
def test_the_screen_looks_as_before(scene: str, size: tuple[int, int], theme: str, tmp_path: Path) -> None:
    drawn = asyncio.run(_drawn(scene, size, theme))
    kept = PICTURES / name_of(scene, size, theme)
    if os.environ.get("KIMICODE_PICTURES") == "write":
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(drawn, encoding="utf-8")
    before = kept.read_text(encoding="utf-8") if kept.exists() else ""
    if drawn != before:
        page = compared(kept, drawn, Path(os.environ.get("KIMICODE_PICTURES_DIR") or tmp_path))
        pytest.fail(f"{kept.name} is another picture. Look at {page}; KIMICODE_PICTURES=write keeps the new one.", pytrace=False)


def compared(kept: Path, drawn: str, folder: Path) -> Path:
    """A page that shows a picture as it was and as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    new, page = folder / kept.name, folder / f"{kept.stem}.html"
    new.write_text(drawn, encoding="utf-8")
    page.write_text(_PAGE.format(name=html.escape(kept.stem), before=kept.as_uri(), after=new.name), encoding="utf-8")
    return page


def test_no_picture_is_left_over() -> None:
    assert {path.name for path in PICTURES.iterdir()} == {name_of(*shown) for shown in SHOWN}


def test_pictures_are_small_and_name_no_machine() -> None:
    for path in PICTURES.iterdir():
        text = path.read_text(encoding="utf-8")
        assert len(text.encode()) < 60_000, path.name
        assert str(Path.home()) + "/" not in text or Path.home() == Path("/"), path.name


def test_a_difference_is_shown_side_by_side(tmp_path: Path) -> None:
    kept = tmp_path / "old.svg"
    kept.write_text("<svg/>", encoding="utf-8")
    page = compared(kept, "<svg>new</svg>", tmp_path / "new")
    assert kept.as_uri() in page.read_text(encoding="utf-8")
    assert (page.parent / "old.svg").read_text(encoding="utf-8") == "<svg>new</svg>"
