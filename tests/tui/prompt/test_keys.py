"""What each key does in the prompt editor."""

import pytest

from kimicode.tui.prompt import PromptEditor, Surroundings
from tests.tui.prompt.page import Page, Remembered, tried
from tests.tui.waiting import until


def test_enter_sends_and_empties():
    page = Page()

    async def work(pilot):
        await pilot.press(*"Fix it", "enter")
        await pilot.pause()
        assert page.sent == [("Fix it", False)]
        assert page.editor.text == ""
        await pilot.press("enter", "space", "enter")
        await pilot.pause()
        assert len(page.sent) == 1

    tried(page, work)


@pytest.mark.parametrize("key", ["shift+enter", "ctrl+j", "alt+enter"])
def test_other_enters_start_a_line(key):
    page = Page()

    async def work(pilot):
        await pilot.press("a", key, "b", "enter")
        await pilot.pause()
        assert page.sent == [("a\nb", False)]

    tried(page, work)


def test_a_backslash_before_enter_starts_a_line():
    page = Page()

    async def work(pilot):
        await pilot.press("a", "\\", "enter", "b", "enter")
        await pilot.pause()
        assert page.sent == [("a\nb", False)]

    tried(page, work)


def test_it_grows_with_its_text_up_to_a_third():
    page = Page()

    async def work(pilot):
        await pilot.press("a", "ctrl+j", "b")
        await until(pilot, lambda: page.editor.region.height == 4)
        assert page.editor.region.bottom == 24
        page.editor.set_text("line\n" * 14)
        await until(pilot, lambda: page.editor.region.height == 8)
        await pilot.press("ctrl+c")
        await until(pilot, lambda: page.editor.region.height == 3)

    tried(page, work)


def test_while_the_agent_works_enter_queues_and_ctrl_s_steers():
    page = Page()

    async def work(pilot):
        await pilot.press("a", "ctrl+s")
        page.editor.busy = True
        await pilot.pause()
        assert "queues" in str(page.editor.area.placeholder)
        await pilot.press("b", "enter", "c", "ctrl+s")
        await pilot.pause()
        assert page.sent == [("a", False), ("b", False), ("c", True)]

    tried(page, work)


def test_ctrl_c_takes_the_text_away_and_keeps_it():
    past = Remembered()
    page = Page(Surroundings(past=past))

    async def work(pilot):
        await pilot.press(*"draft", "ctrl+c")
        await pilot.pause()
        assert page.editor.text == ""
        assert [type(each) for each in page.heard] == [PromptEditor.Cleared]
        await until(pilot, lambda: past.prompts == ["draft"])
        await pilot.press("ctrl+z")
        assert page.editor.text == "draft"

    tried(page, work)


def test_keys_on_an_empty_prompt_are_told_to_the_app():
    page = Page()

    async def work(pilot):
        await pilot.press("ctrl+c", "escape", "ctrl+d")
        await pilot.pause()
        told = [each.key if isinstance(each, PromptEditor.Interrupt) else type(each).__name__ for each in page.heard]
        assert told == ["ctrl+c", "escape", "Leaving"]
        await pilot.press("a", "b", "left", "ctrl+d")
        assert page.editor.text == "a"

    tried(page, work)


def test_the_first_sign_is_seen_in_the_frame():
    page = Page()

    async def work(pilot):
        await pilot.press("!")
        await until(pilot, lambda: page.editor.area.border_title == "shell")
        await pilot.press("backspace", "/")
        await until(pilot, lambda: page.editor.area.border_title == "command")
        await pilot.press("backspace")
        await until(pilot, lambda: page.editor.area.border_title == "prompt")

    tried(page, work)


def test_the_keys_of_editors():
    page = Page()

    async def work(pilot):
        await pilot.press(*"one two", "home", "A", "end", "Z", "ctrl+left", "_", "ctrl+w", "ctrl+w")
        assert page.editor.text == "twoZ"
        await pilot.press("ctrl+z", "ctrl+z", "ctrl+y")
        assert page.editor.text != ""
        await pilot.press("ctrl+underscore")

    tried(page, work)
