"""The text on the screen: any text is inert and in its place, wide characters and clusters of them included."""

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from kimicode.interactive.prompt.tokens import expand
from kimicode.text import Untrusted, render_safe
from tests.tui.prompt.page import Page, paste, tried
from tests.tui.waiting import until

FAMILY = "👨‍👩‍👧"


def test_a_cluster_is_one_step():
    page = Page()

    async def work(pilot):
        await paste(page, pilot, f"a{FAMILY}e\u0301🇪🇸日")
        area = page.editor.area
        columns = []
        for _ in range(5):
            await pilot.press("left")
            columns.append(area.cursor_location[1])
        assert columns == [10, 8, 6, 1, 0]
        await pilot.press("end", "backspace", "backspace", "backspace", "backspace")
        assert page.editor.text == "a"

    tried(page, work)


def test_the_cursor_is_where_the_text_is():
    page = Page()

    async def work(pilot):
        await paste(page, pilot, "日本語")
        area = page.editor.area
        await until(pilot, lambda: area.cursor_screen_offset.x == area.content_region.x + 6)
        await pilot.press("left")
        await until(pilot, lambda: area.cursor_screen_offset.x == area.content_region.x + 4)
        assert page.cursor_position == area.cursor_screen_offset

    tried(page, work)


def test_tokens_and_mentions_are_coloured_and_markup_is_text():
    page = Page()

    async def work(pilot):
        await paste(page, pilot, "see @a.py [red]x[/red] `code` ")
        await paste(page, pilot, "x\n" * 20)
        line = page.editor.area.get_line(0)
        assert line.plain == "see @a.py [red]x[/red] `code` [pasted 1: 20 lines]"
        assert {line.plain[span.start : span.end] for span in line.spans} == {"@a.py", "`code`", "[pasted 1: 20 lines]"}

    tried(page, work)


HARD = st.text(st.sampled_from('a b[/]\\@"`#日本é👨‍👩‍👧🇪🇸\t\n\x1b\x07\u202e\u200b\u2028\x85\x0c\ud800e\u0301שלום')) | st.text()


@settings(max_examples=12, deadline=None)
@given(st.lists(HARD, min_size=5, max_size=15))
def test_any_text_is_inert_and_sent_as_it_was(texts):
    page = Page()

    async def work(pilot):
        editor = page.editor
        for text in texts:
            editor.set_text(text)
            assert expand(editor.text, editor.area.tokens).text == text.encode("utf-8", "replace").decode()
            for row in range(8):
                strip = editor.area.render_line(row)
                assert cell_len(strip.text) == strip.cell_length <= editor.area.size.width
                assert render_safe(Untrusted(strip.text)) == strip.text
            for move in (editor.area.action_cursor_left, editor.area.action_cursor_up, editor.area.action_cursor_right):
                move()
                row, column = editor.area.cursor_location
                assert column <= len(editor.area.document.get_line(row))

    tried(page, work, size=(40, 12))
