"""One of many: a list that narrows while somebody types, with a preview beside it where there is room.

Digits and an option's own letter choose at once as long as nothing has been typed; after `/` they are text. Escape leaves. From 100 columns
the preview stands beside the list and follows the cursor: the one before is cancelled, nothing waits for a clock. On smaller screens `→`
opens it as a page.
What this module does not do: rank (`matching`) or draw options (`choices`).
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

import msgspec
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Static

from kimicode.errors import KimicodeError
from kimicode.interactive.person import Menu, Page, Words
from kimicode.tui.dialogs.base import Dialog
from kimicode.tui.dialogs.choices import Choices
from kimicode.tui.dialogs.drawing import Drawing
from kimicode.tui.dialogs.lines import LinesView, folded
from kimicode.tui.dialogs.matching import folded_case, matching
from kimicode.tui.dialogs.page import PageDialog, draw_page
from kimicode.tui.dialogs.words import harmless, label, one_line, said
from kimicode.tui.draw.values import Look

PREVIEW_FROM: Final = 100
"""Columns from which a preview stands beside the list."""


_TITLE: Final = 50
"""A longer title is shown above the list as well: the model's questions are titles."""


class Picker(Dialog["int | None"]):
    """Lets somebody choose from a menu."""

    DEFAULT_CSS = """
    Picker > .frame { width: 90%; max-width: 100; }
    Picker.-wide > .frame { width: 96%; max-width: 180; height: 90%; }
    Picker .words { height: auto; color: $text-muted; scrollbar-size-vertical: 1; }
    Picker .words Static { height: auto; }
    Picker #filter { height: 1; background: $panel; padding: 0 1; }
    Picker #both { height: 1fr; min-height: 2; }
    Picker Choices { width: 1fr; }
    Picker #preview { display: none; width: 1fr; border-left: vkey $foreground 30%; padding-left: 1; }
    Picker.-wide #preview { display: block; }
    Picker #whole { height: auto; max-height: 4; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "withdraw", "Leave", show=False),
        Binding("shift+up", "read(-1)", "Scroll what is asked up", show=False),
        Binding("shift+down", "read(1)", "Scroll what is asked down", show=False),
        Binding("right", "preview", "Preview as a page", show=False),
        Binding("ctrl+u", "clear", "Clear the filter", show=False),
    ]
    HELP = "Type to narrow the list, Enter chooses. Digits choose the first nine at once."

    def __init__(self, menu: Menu, look: Callable[[], Look], drawing: Drawing) -> None:
        super().__init__(None)
        self._menu = menu
        self._look = look
        self._drawing = drawing
        self._searched = [folded_case(option.label, option.detail) for option in menu.options]
        self._wanted = ""
        self._narrows = False
        self._previewed: int | None = None
        self._page: Page | None = None

    def compose(self) -> ComposeResult:
        """What is asked, the filter, the list, the preview."""
        frame = Vertical(classes="frame")
        frame.border_title = label(self._menu.title)
        with frame:
            # A title has one line, and a question of a model may be longer.
            if self._words():
                with VerticalScroll(classes="words", can_focus=False):
                    yield Static(said(self._words()))
            yield Static("", markup=False, id="filter")
            with Horizontal(id="both"):
                yield Choices(self._menu.options, id="choices")
                yield LinesView(self._draw_preview, id="preview", focusable=False)
            yield Static("", markup=False, id="whole")
            yield Static(self._keys(), markup=False, classes="hint")

    def on_mount(self) -> None:
        """Type or move at once."""
        self.query_one(Choices).focus()
        self._tell_filter()

    def on_resize(self) -> None:
        """Beside the list, or not."""
        wide = self._menu.preview is not None and self.size.width >= PREVIEW_FROM
        self.set_class(wide, "-wide")
        # Whatever there is to read, some of the list and the keys are always to be seen.
        for words in self.query(".words"):
            words.styles.max_height = max(1, self.size.height // 3)
        self.query_one(".frame").styles.height = self._height(wide)
        if wide:
            self._look_at(self.query_one(Choices).index)

    def on_key(self, event: events.Key) -> None:
        """Narrow the list, or choose by number or letter."""
        if event.key == "backspace":
            event.stop()
            self._narrow(self._wanted[:-1])
        elif event.character is not None and event.is_printable:
            event.stop()
            self._typed(event.character)

    def on_paste(self, event: events.Paste) -> None:
        """Narrow the list."""
        event.stop()
        self._narrow(self._wanted + one_line(event.text))

    def action_read(self, by: int) -> None:
        """What is asked may be longer than its place."""
        for words in self.query(".words"):
            words.scroll_relative(y=by, animate=False)

    def action_clear(self) -> None:
        """List all of them."""
        self._narrow("")

    def action_preview(self) -> None:
        """The preview as a page, where it is not beside the list."""
        index = self.query_one(Choices).index
        if index is not None and self._menu.preview is not None and not self.has_class("-wide"):
            self.run_worker(self._open_preview(index), group="preview", exclusive=True, exit_on_error=False)

    def on_choices_chosen(self, event: Choices.Chosen) -> None:
        """That one."""
        self.finish(event.index)

    def on_choices_moved(self, event: Choices.Moved) -> None:
        """All of the option that has the cursor, and its preview."""
        choices = self.query_one(Choices)
        whole = "" if event.index is None or not choices.cut(event.index) else choices.whole(event.index)
        note = self.query_one("#whole", Static)
        note.update(Content(whole))
        note.display = bool(whole)
        if self.has_class("-wide"):
            self._look_at(event.index)

    def _words(self) -> str:
        return "\n".join(filter(None, (self._menu.title if len(self._menu.title) > _TITLE else "", self._menu.words)))

    def _height(self, wide: bool) -> int:
        most = self.size.height if self.size.height < 20 else self.size.height * 9 // 10
        if wide:
            return most
        inner = min(100, self.size.width * 9 // 10) - 4
        words = min(len(folded(harmless(self._words()), inner)), self.size.height // 3) if self._words() else 0
        keys = len(folded(self._keys(), inner))
        options = self._menu.options
        longest = max((len(option.label) + len(option.detail) for option in options), default=0)
        whole = min(4, longest // inner + 1) if longest > inner - 8 else 0
        return min(most, max(2, len(options)) + words + (1 if len(options) > 9 else 0) + whole + keys + 2)

    def _typed(self, character: str) -> None:
        if not self._wanted and not self._narrows:
            options = self._menu.options
            if character == " ":
                self.action_preview()
                return
            if character.isdecimal() and 1 <= int(character) <= min(9, len(options)):
                self.finish(int(character) - 1)
                return
            chosen = next((at for at, option in enumerate(options) if option.key and option.key == character), None)
            if chosen is not None:
                self.finish(chosen)
                return
            if character == "/":
                self._narrows = True
                self._tell_filter()
                return
        self._narrow(self._wanted + character)

    def _narrow(self, wanted: str) -> None:
        self._wanted = wanted
        self.note_typing()
        self.query_one(Choices).narrow(matching(wanted, self._searched), numbered=not wanted)
        self._tell_filter()

    def _tell_filter(self) -> None:
        found, options = len(self.query_one(Choices).shown), len(self._menu.options)
        narrows = bool(self._wanted) or self._narrows
        text = f"{self._wanted}▏ {found} of {options}" if narrows else f"Type to narrow · {options}"
        note = self.query_one("#filter", Static)
        note.update(label(text))
        note.display = narrows or options > 9

    def _keys(self) -> str:
        preview = " · → preview" if self._menu.preview is not None else ""
        return f"↑ ↓ · Enter or 1–9 · / narrow{preview} · Esc leave"

    def _look_at(self, index: int | None) -> None:
        if index == self._previewed:
            return
        self._previewed = index
        if index is not None and self._menu.preview is not None:
            self.run_worker(self._preview(index), group="preview", exclusive=True, exit_on_error=False)

    async def _preview(self, index: int) -> None:
        self._page = await self._ask_preview(index)
        self.query_one("#preview", LinesView).show(self._draw_preview)

    async def _open_preview(self, index: int) -> None:
        self.app.push_screen(PageDialog(await self._ask_preview(index), self._look, self._drawing))

    async def _ask_preview(self, index: int) -> Page:
        assert self._menu.preview is not None
        try:
            return await self._menu.preview(index)
        except KimicodeError as error:
            return Page("", (Words(str(error)),))
        except Exception as error:  # noqa: BLE001  the boundary to whoever made the menu: the list stays usable, and the pane says it
            return Page("", (Words(f"There is no preview: {type(error).__name__}: {error}"),))

    def _draw_preview(self, width: int) -> Sequence[Strip]:
        if self._page is None:
            return folded("…", width)
        return draw_page(self._page, msgspec.structs.replace(self._look(), width=width, diff="unified"), self._drawing)
