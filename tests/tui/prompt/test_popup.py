"""The list of completions: its rows are reused, what they say is text, and its bar can be seen."""

from kimicode.interactive.prompt.files import Listed, WorkspaceFiles
from kimicode.tui.themes import theme_for
from tests.tui.prompt.page import Page, tried
from tests.tui.waiting import until


def of(*names: str) -> WorkspaceFiles:
    return WorkspaceFiles(lambda: Listed(names))


def test_rows_are_reused():
    page = Page(files=of(*(f"m{number}.py" for number in range(8))))

    async def work(pilot):
        popup = page.editor.popup
        await pilot.press("@")
        await until(pilot, lambda: popup.option_count == 8)
        rows = list(popup.options)
        await pilot.press("m")
        await until(pilot, lambda: popup.items[0].matched == (0,))
        assert all(now is before for now, before in zip(popup.options, rows, strict=True))
        await pilot.press("3")
        await until(pilot, lambda: popup.option_count == 1)
        assert popup.options[0] is rows[0]
        popup.present(popup.items)
        prompt = popup.options[0].prompt
        popup.present(popup.items)
        assert popup.options[0].prompt is prompt

    tried(page, work)


def test_labels_are_text_and_never_markup():
    page = Page(files=of("[bold]x.py", "[b]"))

    async def work(pilot):
        await pilot.press("@")
        await until(pilot, lambda: page.editor.popup.option_count == 2)
        assert {str(row.prompt) for row in page.editor.popup.options} == {"[bold]x.py", "[b]"}

    tried(page, work)


def test_a_click_chooses():
    page = Page(files=of("a.py", "b.py"))

    async def work(pilot):
        await pilot.press("@")
        await until(pilot, lambda: page.editor.popup.option_count == 2 and page.editor.popup.region.height == 4)
        await pilot.click(page.editor.popup, offset=(3, 2))
        await until(pilot, lambda: page.editor.text == "@b.py ")
        assert page.editor.area.has_focus

    tried(page, work)


def test_the_bar_is_seen_without_colours():
    page = Page(files=of("a.py", "b.py"))

    async def work(pilot):
        theme = theme_for("no-color").theme
        page.register_theme(theme)
        page.theme = theme.name
        await pilot.press("@")
        await until(pilot, lambda: page.editor.popup.option_count == 2)
        await pilot.press("down")
        reversed_rows = [any(part.style and part.style.reverse for part in page.editor.popup.render_line(row)) for row in range(2)]
        assert reversed_rows == [False, True]

    tried(page, work)
