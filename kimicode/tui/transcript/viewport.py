"""A view of a sheet of blocks: a widget of Textual's Line API that keeps its place and paints what has changed.

Where the view is, is a place (`anchor.py`); Textual's scroll position follows from it. Everything that moves or changes something ends in
`settle`, which finds out what is to be seen, draws what of it is not drawn, and has the lines repainted that differ. Nothing happens
between two such calls: there are no timers. What this module does not do: keys for blocks, search, folding (`view.py`).
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final, NamedTuple

import msgspec
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollDown, ScrollTo, ScrollUp
from textual.strip import Strip
from textual.widget import Widget

from kimicode.tui.draw.values import Look
from kimicode.tui.transcript.anchor import Laid, Place, lay_out
from kimicode.tui.transcript.picking import line_number
from kimicode.tui.transcript.rows import Mark, column, compose, with_offsets
from kimicode.tui.transcript.sheet import Sheet

_NEAR: Final = 3
"""So many screens away is scrolling, in exact lines; further away is a jump to where that is by the heights known so far."""


class Row(NamedTuple):
    """A line of the screen: which line of which block it is."""

    strip: Strip
    block: int
    line: int

    def same(self, other: "Row") -> bool:
        """True where it looks the same and belongs to the same."""
        return self.strip is other.strip and self.block == other.block and self.line == other.line


class Viewport(ScrollView, can_focus=True):
    """Shows the blocks of a sheet in a column in the middle, `max_width` cells wide at most, or all there is for 0."""

    DEFAULT_CSS: ClassVar[str] = """
    Viewport {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
    }
    """

    def __init__(self, sheet: Sheet, *, max_width: int = 0, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.sheet = sheet
        self.rows: Sequence[Row] = ()
        self._max_width = max_width
        self._column = column(sheet.look.width, max_width)
        self._place = Place(0)
        self._share = 0.0
        self._follow = True
        self._laid_size = Size(0, 0)
        self._resizing = False
        self._base: Style | None = None

    # Where it is

    @property
    def place(self) -> Place:
        """The line at the top."""
        return self._place

    @property
    def following(self) -> bool:
        """True where the view is at the end, and moves on with it."""
        return self._follow

    def follow_end(self) -> None:
        """Go to the end and stay there."""
        self.settle(None)

    def scroll_to_block(self, index: int, line: int = 0) -> None:
        """Bring a line of a block to the top, 0 for its first one that isn't empty."""
        self.settle(Place(index, line + self.sheet.gap(index) if 0 <= index < len(self.sheet) else 0))

    def move(self, lines: int) -> None:
        """Scroll so many lines down, or up where that is negative."""
        self.settle(self._place.moved(lines))

    # What a subclass adds

    def marks_of(self, row: Row) -> Sequence[Mark]:
        """What looks otherwise in a line than it was drawn."""
        del row
        return ()

    def bar_of(self, row: Row) -> Style | None:
        """The style of the bar beside a line that has one."""
        del row
        return None

    def settled(self, laid: Laid) -> None:
        """Called when it is known what is to be seen."""

    # What is to be seen

    def settle(self, place: Place | None) -> None:
        """Be at a place from now on, or at the end for None."""
        self._settle(place)
        if self.size == self._laid_size and len(self.sheet):
            gap, height = self.sheet.gap(self._place.block), self.sheet.known(self._place.block)
            self._share = (self._place.line - gap) / max(1, height - gap)

    def _settle(self, place: Place | None) -> None:
        self._follow = place is None
        self._place = place or self._place
        if not self.size or self.size != self._laid_size:
            return  # There will be a `Resize`.
        sheet = self.sheet
        laid = lay_out(place, self.size.height, len(sheet), sheet.exact, sheet.known)
        self._place, self._follow = laid.place, laid.at_end
        rows: list[Row] = []
        for span in laid.spans:
            lines = sheet.lines(span.block)
            rows.extend(Row(lines[line], span.block, line) for line in range(span.first, span.first + span.count))
        self._put_scroll_position()
        self._put_rows(rows)
        self.settled(laid)
        sheet.trim()

    def _put_scroll_position(self) -> None:
        """Tell Textual how far down this is. Its own setters would lay out the whole screen each time the height changes."""
        heights = self.sheet.heights
        size = Size(self.size.width, heights.total)
        bar = self.vertical_scrollbar
        if size != self.virtual_size:
            self.set_reactive(Widget.virtual_size, size)
            bar.window_virtual_size = size.height
        top = float(heights.top_of(self._place.block) + self._place.line)
        self.set_reactive(Widget.scroll_y, top)
        self.set_reactive(Widget.scroll_target_y, top)
        bar.position = top

    def _put_rows(self, rows: Sequence[Row]) -> None:
        was, self.rows = self.rows, rows
        both = min(len(was), len(rows))
        self.repaint(y for y in range(max(len(was), len(rows))) if y >= both or not was[y].same(rows[y]))

    def repaint(self, lines: Iterable[int]) -> None:
        """Have these lines of the view painted again."""
        regions: list[Region] = []
        for y in lines:
            if regions and regions[-1].bottom == y:
                regions[-1] = regions[-1].grow((0, 0, 1, 0))
            else:
                regions.append(Region(0, y, self.size.width, 1))
        if regions:
            self.refresh(*regions)

    def repaint_all(self) -> None:
        """Have all lines painted again."""
        self.repaint(range(self.size.height))

    # How wide it is, and how it looks

    def set_look(self, look: Look) -> None:
        """Draw everything another way: another theme, other diffs. What is at the top stays there. The look's width does not count."""
        self._relook(msgspec.structs.replace(look, width=self._column.width))

    def set_max_width(self, cells: int) -> None:
        """How wide the column may be; 0 for all there is."""
        self._max_width = cells
        if self._laid_size:
            self._fit()

    def on_resize(self, event: events.Resize) -> None:
        """Lay out anew, once for all changes of size that have come by then."""
        del event
        if not self._resizing:
            self._resizing = True
            self.call_later(self._resized)

    def _resized(self) -> None:
        self._resizing = False
        if self.size:
            self._laid_size = self.size
            self._fit()

    def _fit(self) -> None:
        self._column = column(self.size.width - self.styles.scrollbar_size_vertical, self._max_width)
        look = self.sheet.look
        if look.width == self._column.width:
            self._settle(None if self._follow else self._place)
        else:
            self._relook(msgspec.structs.replace(look, width=self._column.width))
        self.repaint_all()

    def _relook(self, look: Look) -> None:
        """Draw anew, with the same part of the block at the top. That part is kept as it was before the first of a row of changes."""
        if look == self.sheet.look:
            return
        self.sheet.relook(look)
        if self._follow or not self._laid_size:
            self._settle(None if self._follow else self._place)
        else:
            block = self._place.block
            gap = self.sheet.gap(block)
            self._settle(Place(block, gap + int(self._share * (self.sheet.exact(block) - gap)) if self._share >= 0 else 0))

    # Scrolling: by keys, by the wheel, and by Textual (its bars, a selection that is dragged out of the view)

    def action_scroll_up(self) -> None:
        """A line up."""
        self.move(-1)

    def action_scroll_down(self) -> None:
        """A line down."""
        self.move(1)

    def action_page_up(self) -> None:
        """A screen up; a line of it stays."""
        self.move(-max(1, self.size.height - 1))

    def action_page_down(self) -> None:
        """A screen down; a line of it stays."""
        self.move(max(1, self.size.height - 1))

    def action_scroll_home(self) -> None:
        """To the start."""
        self.settle(Place(0))

    def action_scroll_end(self) -> None:
        """To the end."""
        self.follow_end()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Up by as much as the wheel is set to."""
        self._wheel(event, -1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Down by as much as the wheel is set to."""
        self._wheel(event, 1)

    def _wheel(self, event: events.MouseEvent, way: int) -> None:
        event.stop()
        event.prevent_default()
        self.move(way * max(1, round(self.app.scroll_sensitivity_y)))

    def on_scroll_up(self, message: ScrollUp) -> None:
        """A click above the scroll bar's handle."""
        message.prevent_default()
        self.action_page_up()

    def on_scroll_down(self, message: ScrollDown) -> None:
        """A click below the scroll bar's handle."""
        message.prevent_default()
        self.action_page_down()

    def on_scroll_to(self, message: ScrollTo) -> None:
        """The scroll bar's handle was dragged. Never animated: what is a line's number now may be another one's on the way."""
        message.prevent_default()
        if message.y is not None:
            self.scroll_y = message.y

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Somebody has scrolled by Textual's own means."""
        lines = round(new_value) - round(old_value)
        if not lines or self.size != self._laid_size:
            return  # Parts of a line add up. And a new size cuts the old position before it is laid out.
        if abs(lines) <= _NEAR * self.size.height:
            self.settle(self._place.moved(lines))
            self.set_reactive(Widget.scroll_y, self.scroll_y + new_value - round(new_value))
        elif new_value >= self.max_scroll_y:
            self.settle(None)
        else:
            self.settle(Place(*self.sheet.heights.block_at(max(0, round(new_value)))))

    # Painting

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of a part of the view. The style below them all is looked up once."""
        self._base = self.rich_style
        try:
            return super().render_lines(crop)
        finally:
            self._base = None

    def render_line(self, y: int) -> Strip:
        """A line of the view.

        Textual asks for it to paint it, and also to find out what is under the mouse: only then are positions written on it.
        """
        base = self._base
        if base is not None:
            return self._line(y, base)
        row = self.rows[y] if y < len(self.rows) else None
        number = line_number(row.block, row.line) if row else line_number(len(self.sheet), 0)
        return with_offsets(self._line(y, self.rich_style), self._column, number)

    def _line(self, y: int, base: Style) -> Strip:
        if y >= len(self.rows):
            return Strip.blank(self._column.screen, base)
        row = self.rows[y]
        return compose(row.strip, self._column, base, self.bar_of(row), self.marks_of(row))
