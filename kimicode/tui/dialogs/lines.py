"""Lines to read: one widget that scrolls over strips, however many, and finds words in them.

    LinesView(lambda width: strips)      drawn anew when the width changes
    folded(text, width)                  text → strips; nothing is lost, long lines go on below

What this module does not do: make text harmless, or colour it.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip


def folded(text: str, width: int, style: Style | None = None) -> list[Strip]:
    """Every character of `text`, on lines of at most `width` cells. Breaks at spaces where it can."""
    return [Strip([Segment(line, style)], cell_len(line)) for paragraph in text.split("\n") for line in _pieces(paragraph, max(4, width))]


def _pieces(line: str, width: int) -> list[str]:
    pieces: list[str] = []
    at = 0
    while at < len(line):
        # A slice, so that a line of megabytes is not measured again for each of its pieces.
        ahead = line[at : at + 4 * width]
        # There are no cells to chop where nothing has a width: a lone modifier of an emoji.
        piece = (chop_cells(ahead, width) or [ahead])[0] or ahead[:1]
        if at + len(piece) < len(line) and (cut := piece.rfind(" ") + 1) > len(piece) // 2:
            piece = piece[:cut]
        pieces.append(piece)
        at += len(piece)
    return pieces or [""]


class LinesView(ScrollView, can_focus=True):
    """Strips that `draw` makes for a width, scrolled. `Moved` tells that other lines are to be seen."""

    DEFAULT_CSS = """
    LinesView {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        background: $surface;
        color: $foreground;
        & > .lines-view--found { background: $warning 40%; }
        & > .lines-view--here { text-style: reverse; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"lines-view--found", "lines-view--here"}

    class Moved(Message):
        """Other lines are to be seen than before."""

    def __init__(self, draw: Callable[[int], Sequence[Strip]], *, id: str | None = None, focusable: bool = True) -> None:
        super().__init__(id=id)
        self.can_focus = focusable
        self._draw = draw
        self._strips: Sequence[Strip] = ()
        self._drawn_width = -1
        self._needle = ""
        self._found: list[tuple[int, int, int]] = []
        self._at = -1

    @property
    def line_count(self) -> int:
        """How many lines there are."""
        return len(self._strips)

    @property
    def seen(self) -> tuple[int, int]:
        """The first and the last line to be seen, from 1."""
        top = self.scroll_offset.y
        return min(top + 1, len(self._strips)), min(top + self.size.height, len(self._strips))

    @property
    def found(self) -> int:
        """In how many places stands what was searched."""
        return len(self._found)

    def show(self, draw: Callable[[int], Sequence[Strip]], *, top: bool = True) -> None:
        """Show something else."""
        self._draw = draw
        self.redraw()
        if top:
            self.scroll_home(animate=False)

    def redraw(self) -> None:
        """Draw once more."""
        width = self.scrollable_content_region.width
        if width <= 0:
            return
        self._drawn_width = width
        self._strips = self._draw(width)
        self.virtual_size = Size(width, len(self._strips))
        if self._needle:
            self.find(self._needle)
        self.refresh()
        self.post_message(self.Moved())

    def find(self, needle: str) -> int:
        """Mark every place where `needle` stands, capitals or not. How many there are."""
        self._needle = needle
        self._found = _places(self._strips, needle) if needle else []
        self._at = -1
        self.refresh()
        return len(self._found)

    def go(self, step: int = 1) -> int:
        """To the next place that was found, or the one before; its number from 1, or 0 where there is none."""
        if not self._found:
            return 0
        self._at = (self._at + step) % len(self._found) if self._at >= 0 else (0 if step > 0 else len(self._found) - 1)
        self.scroll_to(y=max(0, self._found[self._at][0] - self.size.height // 2), animate=False)
        self.refresh()
        return self._at + 1

    def on_resize(self, _: events.Resize) -> None:
        """Another width asks for other lines."""
        if self.scrollable_content_region.width != self._drawn_width:
            self.redraw()
        else:
            self.post_message(self.Moved())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Moved())

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """What was selected with the mouse."""
        return selection.extract("\n".join(strip.text for strip in self._strips)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:  # noqa: ARG002  Textual hands it over
        """Draw what is selected otherwise."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line."""
        width = self.size.width
        at = y + self.scroll_offset.y
        style = self.rich_style
        if not 0 <= at < len(self._strips):
            return Strip.blank(width, style)
        strip = self._strips[at].apply_style(style)
        for number, (line, start, end) in enumerate(self._found):
            if line == at:
                name = "lines-view--here" if number == self._at else "lines-view--found"
                strip = _marked(strip, start, end, self.get_component_rich_style(name, partial=True))
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(at)) is not None:
            start, end = span
            end = strip.cell_length if end == -1 else end
            strip = _marked(strip, start, end, self.screen.get_component_rich_style("screen--selection"))
        return strip.extend_cell_length(width, style).crop(0, width).apply_offsets(0, at)


def _marked(strip: Strip, start: int, end: int, style: Style) -> Strip:
    if end <= start:
        return strip
    middle = Strip([Segment(text, (own or Style()) + style, control) for text, own, control in strip.crop(start, end)])
    return Strip.join([strip.crop(0, start), middle, strip.crop(end, strip.cell_length)])


def _places(strips: Sequence[Strip], needle: str) -> list[tuple[int, int, int]]:
    wanted = needle.lower()
    found: list[tuple[int, int, int]] = []
    for number, strip in enumerate(strips):
        text = strip.text
        low = text.lower()
        at = low.find(wanted)
        while at >= 0:
            start = cell_len(text[:at])
            found.append((number, start, start + cell_len(text[at : at + len(wanted)])))
            at = low.find(wanted, at + len(wanted))
    return found
