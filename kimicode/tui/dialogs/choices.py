"""Options on lines of their own, any number of them: one widget that draws the lines that are seen.

A line is `1 ● label … detail`: the letter or number that chooses it, a mark where it is in force, its detail at the right edge. What does
not fit is shortened with `…`; whoever shows the list shows the whole of the line that has the cursor. A key redraws two lines, no more.
What this module does not do: filter (`matching`), or read keys but those that move.
"""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kimicode.interactive.person import Option
from kimicode.tui.dialogs.words import one_line


class Choices(ScrollView, can_focus=True):
    """`options`, of which `shown` (indices) are listed. `Moved` and `Chosen` tell what happens, by index of the option."""

    DEFAULT_CSS = """
    Choices {
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        background: $surface;
        color: $foreground;
        & > .choices--here { background: $block-cursor-background; color: $block-cursor-foreground; text-style: $block-cursor-text-style; }
        & > .choices--detail { color: $text-muted; }
        & > .choices--current { color: $text-success; text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"choices--here", "choices--detail", "choices--current"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", "Up", show=False),
        Binding("down", "step(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "A page up", show=False),
        Binding("pagedown", "page(1)", "A page down", show=False),
        Binding("home", "edge(0)", "First", show=False),
        Binding("end", "edge(-1)", "Last", show=False),
        Binding("enter", "choose", "Choose", show=False),
    ]

    class Moved(Message):
        """The cursor is on another option; None where there is none."""

        def __init__(self, index: int | None) -> None:
            super().__init__()
            self.index = index

    class Chosen(Message):
        """An option was chosen, with the mouse if it was `clicked`."""

        def __init__(self, index: int, *, clicked: bool = False) -> None:
            super().__init__()
            self.index = index
            self.clicked = clicked

    def __init__(self, options: Sequence[Option], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.options = options
        self._words = [(one_line(option.label), one_line(option.detail)) for option in options]
        self._longest = max((cell_len(name) for name, _ in self._words), default=0)
        self.shown: Sequence[int] = range(len(options))
        self.row = next((at for at, option in enumerate(options) if option.current), 0)
        self.numbered = True

    @property
    def index(self) -> int | None:
        """The option that has the cursor."""
        return self.shown[self.row] if self.row < len(self.shown) else None

    def narrow(self, shown: Sequence[int], *, numbered: bool) -> None:
        """List these, with the cursor on the option that had it if nothing is filtered, on the first one otherwise."""
        before = self.index
        self.shown = shown
        self.numbered = numbered
        self.row = shown.index(before) if numbered and before is not None and before in shown else 0
        self._measure()
        self._show_row()
        self.refresh()
        self.post_message(self.Moved(self.index))

    def cut(self, index: int) -> bool:
        """True where not all of an option is on its line."""
        name, detail = self._words[index]
        room = self.scrollable_content_region.width - 6
        before = self._longest if self._in_columns(room) else cell_len(name)
        return before + (cell_len(detail) + 2 if detail else 0) > room

    def whole(self, index: int) -> str:
        """All that an option says."""
        return "  ".join(filter(None, self._words[index]))

    def on_mount(self) -> None:
        """The cursor's option is seen."""
        self._measure()

    def on_resize(self) -> None:
        """Other widths."""
        self._measure()
        self._show_row()
        self.refresh()
        self.post_message(self.Moved(self.index))

    def on_click(self, event: events.Click) -> None:
        """A click chooses."""
        row = event.y + self.scroll_offset.y
        if row < len(self.shown):
            self._go(row)
            self.post_message(self.Chosen(self.shown[row], clicked=True))

    def action_step(self, by: int) -> None:
        """One further; from the last to the first."""
        if self.shown:
            self._go((self.row + by) % len(self.shown))

    def action_page(self, by: int) -> None:
        """As far as is seen."""
        if self.shown:
            self._go(max(0, min(self.row + by * max(1, self.size.height - 1), len(self.shown) - 1)))

    def action_edge(self, at: int) -> None:
        """The first or the last."""
        if self.shown:
            self._go(at % len(self.shown))

    def action_choose(self) -> None:
        """The one with the cursor."""
        if self.index is not None:
            self.post_message(self.Chosen(self.index))

    def render_line(self, y: int) -> Strip:
        """One option."""
        row = y + self.scroll_offset.y
        width = self.size.width
        base = self.rich_style
        if row >= len(self.shown):
            return Strip.blank(width, base)
        index = self.shown[row]
        option = self.options[index]
        here = row == self.row
        style = self.get_component_rich_style("choices--here") if here else base
        number = (option.key[:1] or (str(row + 1) if row < 9 else "")) if self.numbered else ""
        name, detail = self._fitted(index, width - 6)
        pieces = [
            (f"{'›' if here else ' '}{one_line(number) or ' '} ", self._over(style, "detail", here)),
            ("● " if option.current else "  ", self._over(style, "current", here)),
            (name, style),
            (" " * max(0, width - 6 - cell_len(name) - cell_len(detail)), style),
            (detail, self._over(style, "detail", here)),
            (" ", style),
        ]
        return Strip([Segment(text, own) for text, own in pieces if text]).adjust_cell_length(width, style)

    def _fitted(self, index: int, room: int) -> tuple[str, str]:
        """Label and detail, both as they are shown. Where labels are short, details stand in a column; otherwise at the right."""
        name, detail = self._words[index]
        if not self._in_columns(room):
            return _fit(name, detail, room)
        wide = room - self._longest - 2
        detail = _short(detail, wide)
        return name, detail + " " * (wide - cell_len(detail))

    def _in_columns(self, room: int) -> bool:
        return self._longest <= room // 2

    def _over(self, style: Style, name: str, here: bool) -> Style:
        return style if here else style + self.get_component_rich_style(f"choices--{name}", partial=True)

    def _go(self, row: int) -> None:
        before, self.row = self.row, row
        self.refresh_lines(before)
        self.refresh_lines(row)
        self._show_row()
        self.post_message(self.Moved(self.index))

    def _measure(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self.shown))

    def _show_row(self) -> None:
        self.scroll_to_region(Region(0, self.row, 1, 1), animate=False, immediate=True, force=True)


def _fit(name: str, detail: str, width: int) -> tuple[str, str]:
    """Both on a line of `width` cells: the detail gives way first, down to a third."""
    if cell_len(name) + cell_len(detail) + 2 > width:
        detail = _short(detail, max(width // 3, width - cell_len(name) - 2))
        name = _short(name, width - (cell_len(detail) + 2 if detail else 0))
    return name, detail


def _short(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    return set_cell_size(text[: 2 * width], width - 1).rstrip() + "…" if width > 1 else ""
