"""Pastes, pictures, and prompts that come from elsewhere."""

from pathlib import Path

from kimicode.errors import ToolError
from kimicode.interactive.waiting import Prompt
from kimicode.messages import Image
from kimicode.tui.prompt import Surroundings
from tests.tui.prompt.page import LONG, Page, paste, tried
from tests.tui.waiting import until


def test_a_long_paste_is_a_token_that_is_one_character():
    page = Page()

    async def work(pilot):
        await pilot.press("a")
        await paste(page, pilot, LONG)
        token = "[pasted 1: 30 lines]"
        assert page.editor.text == f"a{token}"
        await pilot.press("left", "b", "right", "c")
        assert page.editor.text == f"ab{token}c"
        await pilot.press("left", "backspace")
        assert page.editor.text == "abc"
        await pilot.press("ctrl+z")
        assert page.editor.text == f"ab{token}c"
        await pilot.press("enter")
        await pilot.pause()
        assert page.sent == [(f"ab{LONG}c", False)]

    tried(page, work)


def test_the_cursor_cannot_get_into_a_token():
    page = Page()

    async def work(pilot):
        await paste(page, pilot, LONG)
        for column in range(len(page.editor.text) + 1):
            page.editor.area.move_cursor((0, column))
            assert page.editor.area.cursor_location[1] in (0, len(page.editor.text))
        await pilot.press("home", "delete")
        assert page.editor.text == ""

    tried(page, work)


def test_a_short_paste_is_text_and_line_ends_are_newlines():
    page = Page()

    async def work(pilot):
        await paste(page, pilot, "a\r\nb\rc [bold]not markup[/] /x")
        assert page.editor.text == "a\nb\nc [bold]not markup[/] /x"

    tried(page, work)


def test_what_cannot_be_shown_is_a_token_however_short():
    page = Page()
    for_a_terminal = "\x1b[31mred\x1b]0;title\x07\u202e"

    async def work(pilot):
        await paste(page, pilot, for_a_terminal)
        assert page.editor.text == f"[pasted 1: {len(for_a_terminal)} characters]"
        await pilot.press("enter")
        await pilot.pause()
        assert page.sent == [(for_a_terminal, False)]

    tried(page, work)


def test_ten_megabytes_can_be_pasted():
    page = Page()
    paste_of = "x" * 10_000_000

    async def work(pilot):
        await paste(page, pilot, paste_of)
        assert page.editor.text == "[pasted 1: 10000000 characters]"
        await pilot.press("enter")
        await pilot.pause()
        assert page.sent[0][0] == paste_of

    tried(page, work)


def kept(source: Path | bytes, name: str) -> Image:
    if b"bad" in (source if isinstance(source, bytes) else bytes(source)):
        raise ToolError(f"{name} is no picture")
    return Image(f"/kept/{name}", "image/png", name)


def test_a_dropped_picture_is_a_token_and_goes_along():
    page = Page(Surroundings(keep=kept, is_file=lambda path: path.name in ("a shot.png", "bad.png")))

    async def work(pilot):
        await paste(page, pilot, "'/tmp/a shot.png'")
        await until(pilot, lambda: page.editor.text == "[picture 1: a shot.png] ")
        await paste(page, pilot, "/tmp/gone.png")
        await until(pilot, lambda: page.editor.text.endswith("/tmp/gone.png"))
        await paste(page, pilot, "/tmp/bad.png")
        await until(pilot, lambda: page.heard)
        assert "bad.png is no picture" in page.heard[0].words
        await pilot.press("enter")
        await until(pilot, lambda: page.sent)
        assert page.heard[-1].images == (Image("/kept/a shot.png", "image/png", "a shot.png"),)

    tried(page, work)


def test_ctrl_v_takes_a_picture_from_the_clipboard_or_says_that_there_is_none():
    clipboard: list[bytes | None] = [b"PNG", None]
    page = Page(Surroundings(keep=kept, picture=lambda: clipboard.pop(0)))

    async def work(pilot):
        await pilot.press("ctrl+v")
        await until(pilot, lambda: page.editor.text == "[picture 1: clipboard] ")
        await pilot.press("ctrl+v")
        await until(pilot, lambda: page.heard)
        assert "no picture" in page.heard[0].words

    tried(page, work)


def test_the_users_own_editor():
    def outside(text: str) -> str | None:
        if text == "fail":
            raise ToolError("there is no editor")
        return f"{text}, edited" if text == "draft" else None

    page = Page(Surroundings(outside=outside))

    async def work(pilot):
        await pilot.press(*"draft", "ctrl+g")
        assert page.editor.text == "draft, edited"
        await pilot.press("ctrl+z")
        assert page.editor.text == "draft"
        page.editor.set_text("same")
        await pilot.press("ctrl+g")
        assert page.editor.text == "same"
        page.editor.set_text("fail")
        await pilot.press("ctrl+g")
        await until(pilot, lambda: page.heard)
        assert page.editor.text == "fail"

    tried(page, work)


def test_a_queued_prompt_comes_back_with_its_pictures():
    shot = Image("/kept/1.png", "image/png", "shot.png")
    page = Page()

    async def work(pilot):
        page.editor.restore(Prompt("see [picture 1: shot.png]", (shot,)))
        await pilot.press("backspace", "!")
        assert page.editor.text == "see !"
        await pilot.press("ctrl+z", "ctrl+z", "enter")
        await until(pilot, lambda: page.sent)
        assert page.heard[-1].prompt == Prompt("see [picture 1: shot.png]", (shot,))

    tried(page, work)


def test_a_very_long_prompt_comes_back_as_a_token():
    page = Page()

    async def work(pilot):
        page.editor.restore(Prompt("x" * 50_000))
        assert page.editor.text == "[pasted 1: 50000 characters]"

    tried(page, work)
