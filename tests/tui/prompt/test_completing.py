"""Completing commands, arguments and files: what is offered, what a choice puts there, that no key waits."""

import threading

from kimicode.interactive.prompt.files import Listed, WorkspaceFiles
from kimicode.tui.prompt import Surroundings
from tests.tui.prompt.page import Page, tried
from tests.tui.waiting import until


def test_enter_on_a_command_that_takes_nothing_runs_it():
    page = Page()

    async def work(pilot):
        # As quick as a machine types: the list may not have been drawn yet.
        await pilot.press("/", "h", "e", "enter")
        await pilot.pause()
        assert page.sent == [("/help", False)]

    tried(page, work)


def test_tab_completes_a_command_and_offers_what_it_takes():
    page = Page(Surroundings(arguments=lambda name: ("kimi-k2.6", "kimi-nano") if name == "model" else ()))

    async def work(pilot):
        await pilot.press("/", "m", "tab")
        assert page.editor.text == "/model "
        await until(pilot, lambda: len(page.editor.popup.items) == 2)
        await pilot.press("down", "enter", "enter")
        await pilot.pause()
        assert page.sent == [("/model kimi-k2.6", False)]

    tried(page, work)


def test_a_command_whose_argument_may_be_left_out_runs_without():
    page = Page(Surroundings(arguments=lambda _: ("kimi-nano",)))

    async def work(pilot):
        await pilot.press(*"/model", "space")
        await until(pilot, lambda: page.editor.popup.is_open)
        await pilot.press("enter")
        await pilot.pause()
        assert page.sent == [("/model ", False)]

    tried(page, work)


def test_escape_closes_the_list_until_tab_or_another_text():
    page = Page()

    async def work(pilot):
        await pilot.press("/", "h")
        await until(pilot, lambda: page.editor.popup.is_open)
        await pilot.press("escape")
        assert not page.editor.popup.is_open
        assert page.heard == []
        await pilot.press("tab")
        assert page.editor.popup.is_open
        await pilot.press("escape", "e")
        await until(pilot, lambda: page.editor.popup.is_open)
        # The same text once more, after another one, is not the text that the list was closed for.
        await pilot.press("escape", "backspace")
        await until(pilot, lambda: page.editor.popup.is_open)
        await pilot.press("e")
        await until(pilot, lambda: page.editor.popup.is_open)

    tried(page, work)


def files(*names: str) -> WorkspaceFiles:
    return WorkspaceFiles(lambda: Listed(names))


def test_a_file_is_mentioned():
    page = Page(files=files("src/main.py", "src/my file.py", "docs/guide.md"))

    async def work(pilot):
        await pilot.press(*"see @main")
        await until(pilot, lambda: [each.label for each in page.editor.popup.items] == ["src/main.py"])
        assert page.editor.popup.region.bottom <= page.editor.area.region.y
        await pilot.press("tab", *"and @myf")
        await until(pilot, lambda: [each.label for each in page.editor.popup.items] == ["src/my file.py"])
        await pilot.press("enter", "enter")
        await pilot.pause()
        assert page.sent == [('see @src/main.py and @"src/my file.py" ', False)]

    tried(page, work)


def test_a_folder_stays_open():
    page = Page(files=files("source/main.py", "source/deep/x.py"))

    async def work(pilot):
        await pilot.press(*"@sour")
        await until(pilot, lambda: page.editor.popup.item is not None and page.editor.popup.item.label == "source/")
        await pilot.press("tab")
        assert page.editor.text == "@source/"
        await pilot.press("m")
        await until(pilot, lambda: page.editor.popup.item is not None and page.editor.popup.item.label == "source/main.py")
        await pilot.press("enter")
        assert page.editor.text == "@source/main.py "

    tried(page, work)


def test_a_completion_can_be_undone():
    page = Page(files=files("main.py"))

    async def work(pilot):
        await pilot.press(*"@ma")
        await until(pilot, lambda: page.editor.popup.is_open)
        await pilot.press("tab", "ctrl+z")
        assert page.editor.text == "@ma"

    tried(page, work)


class Slow(WorkspaceFiles):
    """Each search waits until it is let go, or overtaken."""

    def __init__(self, *names: str) -> None:
        super().__init__(lambda: Listed(names))
        self.refresh()
        self.go = threading.Event()
        self.asked: list[str] = []
        self.given_up: list[str] = []

    def search(self, query, limit=50, overtaken=lambda: False):
        self.asked.append(query)
        while not self.go.wait(0.001):
            if overtaken():
                self.given_up.append(query)
                return None
        return super().search(query, limit, overtaken)


def test_keys_are_echoed_while_files_are_searched_and_late_answers_are_dropped():
    slow = Slow(*(f"src/module_{number}.py" for number in range(50)))
    page = Page(files=slow)

    async def work(pilot):
        await pilot.press("@")
        await until(pilot, lambda: slow.asked == [""])
        await pilot.press(*"mod")
        assert page.editor.text == "@mod"
        assert not page.editor.popup.is_open
        await pilot.press(*"ule_7")
        slow.go.set()
        await until(pilot, lambda: page.editor.popup.is_open)
        assert page.editor.popup.items[0].label == "src/module_7.py"
        assert slow.asked[-1] == "module_7"
        # At most one search goes on at a time, so those between were never begun, or gave up.
        assert set(slow.asked[:-1]) == set(slow.given_up)

    tried(page, work)


def test_a_search_that_ends_after_its_mention_is_gone_shows_nothing():
    slow = Slow("main.py")
    page = Page(files=slow)

    async def work(pilot):
        await pilot.press("@", "m", "escape", "backspace", "backspace", "x")
        slow.go.set()
        await page.workers.wait_for_complete()
        await pilot.pause()
        assert not page.editor.popup.is_open

    tried(page, work)


class Watched(WorkspaceFiles):
    """Notes who searches."""

    def __init__(self, *names: str) -> None:
        super().__init__(lambda: Listed(names))
        self.refresh()
        self.searchers: list[threading.Thread] = []

    def search(self, query, limit=50, overtaken=lambda: False):
        self.searchers.append(threading.current_thread())
        assert limit <= 50
        return super().search(query, limit, overtaken)


def test_the_thread_that_answers_keys_never_searches_and_shows_few_rows():
    watched = Watched(*(f"src/part{number % 100}/module_{number}.py" for number in range(100_000)))
    page = Page(files=watched)

    async def work(pilot):
        await pilot.press(*"@mod")
        await until(pilot, lambda: page.editor.popup.is_open)
        await pilot.press(*"ule_99")
        await until(pilot, lambda: page.editor.popup.items and page.editor.popup.items[0].label.endswith("/module_99.py"))
        assert page.editor.popup.option_count <= 50
        assert threading.main_thread() not in watched.searchers
        assert len(watched.searchers) <= len("@module_99")

    tried(page, work)


def test_the_files_are_listed_once_and_again_when_they_are_stale():
    listings = [Listed(("old.py",)), Listed(("old.py", "new.py"))]
    stale = WorkspaceFiles(lambda: listings.pop(0))
    page = Page(files=stale)

    async def work(pilot):
        await pilot.press("@", "n")
        await pilot.press("backspace", "o")
        await until(pilot, lambda: [each.label for each in page.editor.popup.items] == ["old.py"])
        assert len(listings) == 1
        # The agent was at work: there may be other files.
        page.editor.busy = True
        page.editor.busy = False
        await pilot.press("backspace", "n")
        await until(pilot, lambda: [each.label for each in page.editor.popup.items] == ["new.py"])
        assert not listings

    tried(page, work)
