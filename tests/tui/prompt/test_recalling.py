"""Up, Down and Ctrl+R: what was sent before, and the draft that is kept."""

from kimicode.tui.prompt import Surroundings
from tests.tui.prompt.page import Page, Remembered, tried
from tests.tui.waiting import until


def test_up_and_down_walk_through_what_was_sent_and_keep_the_draft():
    page = Page(Surroundings(past=Remembered("two\nlines", "one")))

    async def work(pilot):
        await pilot.pause()
        await pilot.press(*"draft")
        seen = []
        for key in ("up", "up", "up", "down", "down", "down"):
            await pilot.press(key)
            seen.append(page.editor.text)
        assert seen == ["two\nlines", "one", "one", "two\nlines", "draft", "draft"]

    tried(page, work)


def test_up_moves_within_a_text_before_it_walks():
    page = Page(Surroundings(past=Remembered("before")))

    async def work(pilot):
        await pilot.pause()
        await pilot.press("a", "ctrl+j", "b", "up")
        assert page.editor.text == "a\nb"
        await pilot.press("up")
        assert page.editor.text == "before"
        await pilot.press("down")
        assert page.editor.text == "a\nb"

    tried(page, work)


def test_what_was_changed_after_recall_is_the_new_draft():
    page = Page(Surroundings(past=Remembered("two", "one")))

    async def work(pilot):
        await pilot.pause()
        await pilot.press("up", "up", "x", "up")
        assert page.editor.text == "two"
        await pilot.press("down")
        assert page.editor.text == "onex"

    tried(page, work)


def test_what_is_sent_can_be_recalled_at_once():
    page = Page()

    async def work(pilot):
        await pilot.press("a", "enter", "b", "enter", "up", "up")
        assert page.editor.text == "a"

    tried(page, work)


def test_ctrl_r_searches_what_was_sent():
    page = Page(Surroundings(past=Remembered("run the tests", "fix the parser", "test the fix")))

    async def work(pilot):
        await pilot.pause()
        await pilot.press("ctrl+r")
        assert len(page.editor.popup.items) == 3
        await pilot.press(*"fix")
        await until(pilot, lambda: [each.label for each in page.editor.popup.items] == ["fix the parser", "test the fix"])
        await pilot.press("ctrl+r", "enter")
        assert page.editor.text == "test the fix"
        await pilot.pause()
        assert not page.editor.popup.is_open
        assert page.sent == []

    tried(page, work)


def test_escape_leaves_the_search_and_the_text():
    page = Page(Surroundings(past=Remembered("fix the parser")))

    async def work(pilot):
        await pilot.pause()
        await pilot.press(*"fix", "ctrl+r", "escape")
        await pilot.pause()
        assert page.editor.text == "fix"
        assert not page.editor.popup.is_open
        assert page.heard == []

    tried(page, work)
