"""A page to read: scrolled, searched with `/`, copied with `c`, left with Escape.

What this module does not do: draw its parts (`Drawing` does).
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, assert_never

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Input, Static

from kimicode.interactive.person import Code, Diff, Page, Part, Prose, Rows, Share, Words
from kimicode.tui.dialogs.base import Dialog
from kimicode.tui.dialogs.drawing import Drawing
from kimicode.tui.dialogs.lines import LinesView
from kimicode.tui.dialogs.word import Line
from kimicode.tui.dialogs.words import label
from kimicode.tui.draw.values import Look

_BESIDES: Final = 4
"""Lines of the frame that are not the page: border, an empty one or the word that is searched, keys."""
_KEYS = "↑ ↓ PgUp PgDn scroll · / search · c copy · Esc close"


def draw_page(page: Page, look: Look, drawing: Drawing) -> Sequence[Strip]:
    """All parts of a page, an empty line between them; shares that follow each other make one list."""
    strips: list[Strip] = []
    before: Part | None = None
    for part in page.parts:
        if strips and not (isinstance(part, Share) and isinstance(before, Share)):
            strips.append(Strip.blank(0))
        strips += drawing.part(part, look)
        before = part
    return strips


def page_text(page: Page, look: Look, drawing: Drawing) -> str:
    """The page for a clipboard: texts as they are, diffs as they are drawn."""
    return "\n\n".join(_part_text(part, look, drawing) for part in page.parts) + "\n"


def _part_text(part: Part, look: Look, drawing: Drawing) -> str:
    match part:
        case Words(text=text) | Prose(markdown=text) | Code(text=text):
            return text.rstrip("\n")
        case Rows(rows=rows, header=header):
            return "\n".join("\t".join(row) for row in ((header, *rows) if header else rows))
        case Share() | Diff():
            return "\n".join(strip.text.rstrip() for strip in drawing.part(part, look))
        case _:
            assert_never(part)


class PageDialog(Dialog[None]):
    """Shows one page."""

    DEFAULT_CSS = """
    PageDialog > .frame { width: 95%; max-width: 140; height: 95%; }
    PageDialog Line { display: none; }
    PageDialog.-searching Line { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close", show=False),
        Binding("q", "withdraw", "Close", show=False),
        Binding("slash,ctrl+f", "search", "Search", show=False),
        Binding("n", "go(1)", "Next place", show=False),
        Binding("N,shift+n", "go(-1)", "Place before", show=False),
        Binding("c", "copy", "Copy the page", show=False),
    ]

    def __init__(self, page: Page, look: Callable[[], Look], drawing: Drawing) -> None:
        super().__init__(None)
        self._page = page
        self._look = look
        self._drawing = drawing

    def compose(self) -> ComposeResult:
        """Lines, the word that is searched, keys."""
        frame = Vertical(classes="frame")
        frame.border_title = label(self._page.title)
        with frame:
            yield LinesView(self._draw, id="lines")
            yield Line(placeholder="Search")
            yield Static(_KEYS, markup=False, classes="hint", id="keys")

    def on_mount(self) -> None:
        """The lines scroll at once."""
        self.query_one(LinesView).focus()

    def on_resize(self) -> None:
        """No room for keys on a low screen."""
        self.query_one("#keys").display = self.size.height > 12
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """No higher than what there is to read."""
        most = max(1, self.size.height * 95 // 100)
        self.query_one(".frame").styles.height = min(most, self.query_one(LinesView).line_count + _BESIDES)

    def action_search(self) -> None:
        """Ask what to search."""
        self.add_class("-searching")
        self.query_one(Line).focus()

    def action_leave(self) -> None:
        """End the search, or leave."""
        if self.has_class("-searching"):
            self._end_search()
        else:
            self.withdraw()

    def action_go(self, step: int) -> None:
        """Another place."""
        lines = self.query_one(LinesView)
        self._tell(lines.go(step), lines)

    def action_copy(self) -> None:
        """Everything, as text."""
        self.app.copy_to_clipboard(page_text(self._page, self._look(), self._drawing))
        self._say("Sent to the clipboard.")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Search, and go to the first place."""
        lines = self.query_one(LinesView)
        lines.find(event.value)
        self._tell(lines.go(), lines)
        self.remove_class("-searching")
        lines.focus()

    def _end_search(self) -> None:
        self.remove_class("-searching")
        lines = self.query_one(LinesView)
        lines.find("")
        lines.focus()
        self._say(_KEYS)

    def _tell(self, at: int, lines: LinesView) -> None:
        place = f"{at} of {lines.found} · n next · N before" if at else "Not found"
        self._say(f"{place} · / search again · Esc close")

    def _say(self, text: str) -> None:
        self.query_one("#keys", Static).update(Content(text))

    def _draw(self, width: int) -> Sequence[Strip]:
        return draw_page(self._page, msgspec.structs.replace(self._look(), width=width), self._drawing)
