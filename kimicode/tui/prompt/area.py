"""The text of a prompt on the screen: tokens are one character, so are clusters such as a flag or an accented letter; a little colour.

Every key goes to `first` before anything is done with it. What this module does not do: decide what a key means for the prompt
(`editor.py` does), or hold text that can't be shown (`editor.py` makes tokens of it).
"""

import re
from collections.abc import Callable
from typing import ClassVar, Final

from rich.cells import split_graphemes
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.document._document import Location, Selection
from textual.widgets import TextArea

from kimicode.interactive.prompt.meaning import mentions
from kimicode.interactive.prompt.tokens import Tokens

_MARKED: Final = re.compile(r"^#{1,6} .*|^\s*```.*|`[^`\n]+`", re.MULTILINE)
_FLAG_LETTERS: Final = ("\U0001f1e6", "\U0001f1ff")
_COLOURED: Final = 2_000
"""Longer lines are shown plain: colour is not worth a slow key."""


class PromptArea(TextArea):
    """The text area. `tokens` are those of the prompt; `first` may take a key by returning true, `pasted` gets what is pasted."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"prompt--token", "prompt--mention", "prompt--markup"}
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+underscore", "undo", "Undo", show=False)]
    DEFAULT_CSS = """
    PromptArea {
        border: round $border-blurred;
        padding: 0 1;
        height: auto;
        min-height: 3;
        max-height: 36vh;
        background: transparent;
        scrollbar-size-vertical: 1;
        &:focus { border: round $border; }
        &.-shell { border: round $warning; }
        &.-command { border: round $accent; }
        & .text-area--placeholder { color: $text-disabled; }
        & .prompt--token { color: $text-accent; text-style: bold; }
        & .prompt--mention { color: $text-primary; }
        & .prompt--markup { text-style: bold; }
    }
    """

    def __init__(self, first: Callable[[str], bool], pasted: Callable[[str], None]) -> None:
        self.tokens = Tokens()
        super().__init__(soft_wrap=True, tab_behavior="focus", show_line_numbers=False, highlight_cursor_line=False)
        self.match_cursor_bracket = False
        self._first = first
        self._pasted = pasted

    @property
    def offset_of_cursor(self) -> int:
        """Where the cursor is, in characters."""
        return self.offset_at(self.cursor_location)

    @property
    def cursor_at_first_line_on_screen(self) -> bool:
        """True in the first line as it is wrapped."""
        return self.navigator.is_first_wrapped_line(self.cursor_location)

    @property
    def cursor_at_last_line_on_screen(self) -> bool:
        """True in the last line as it is wrapped."""
        return self.navigator.is_last_wrapped_line(self.cursor_location)

    def set_cursor(self, offset: int) -> None:
        """Put the cursor before the character at `offset`."""
        self.move_cursor(self.place_at(offset))

    def offset_at(self, place: Location) -> int:
        """A row and column as a number of characters from the start."""
        row, column = place
        return sum(len(line) + 1 for line in self.document.lines[:row]) + column

    def place_at(self, offset: int) -> Location:
        """The other way round; behind the end is the end."""
        for row, line in enumerate(self.document.lines):
            if offset <= len(line):
                return row, offset
            offset -= len(line) + 1
        return self.document.end

    def put(self, text: str, start: int, end: int) -> None:
        """Replace `[start:end]`; the cursor is behind it. Can be undone by itself."""
        self.history.checkpoint()
        self.replace(text, self.place_at(start), self.place_at(end), maintain_selection_offset=False)
        self.history.checkpoint()

    def get_line(self, line_index: int) -> Text:
        """A line, with tokens, mentions and some Markdown in colour."""
        text = super().get_line(line_index)
        line = text.plain
        if len(line) > _COLOURED:
            return text
        for match in _MARKED.finditer(line):
            text.stylize(self.get_component_rich_style("prompt--markup", partial=True), *match.span())
        for each in mentions(line) if "@" in line else ():
            text.stylize(self.get_component_rich_style("prompt--mention", partial=True), each.start, each.end)
        for span in self.tokens.spans(line):
            text.stylize(self.get_component_rich_style("prompt--token", partial=True), span.start, span.end)
        return text

    def get_cursor_left_location(self) -> Location:
        """One character, cluster or token to the left."""
        row, column = self.cursor_location
        return (row, self._edge(row, column - 1, forwards=False)) if column else super().get_cursor_left_location()

    def get_cursor_right_location(self) -> Location:
        """One character, cluster or token to the right."""
        row, column = self.cursor_location
        inside = column < len(self.document.get_line(row))
        return (row, self._edge(row, column + 1, forwards=True)) if inside else super().get_cursor_right_location()

    def get_cursor_word_left_location(self) -> Location:
        """A word to the left; a token is a word."""
        row, column = super().get_cursor_word_left_location()
        return row, self._edge(row, column, forwards=False)

    def get_cursor_word_right_location(self) -> Location:
        """A word to the right; a token is a word."""
        row, column = super().get_cursor_word_right_location()
        return row, self._edge(row, column, forwards=True)

    def _validate_selection(self, selection: Selection) -> Selection:
        """However the cursor gets somewhere, it is never inside a token or a cluster."""
        start, end = super()._validate_selection(selection)
        return Selection(self._nearest(start), self._nearest(end))

    def _nearest(self, place: Location) -> Location:
        row, column = place
        before, after = self._edge(row, column, forwards=False), self._edge(row, column, forwards=True)
        return row, before if column - before <= after - column else after

    def _edge(self, row: int, column: int, *, forwards: bool) -> int:
        """`column`, or an edge of what it lies inside of."""
        line = self.document.get_line(row)
        for span in self.tokens.spans(line):
            if span.start < column < span.end:
                return span.end if forwards else span.start
        if column <= 0 or column >= len(line) or (line[column].isascii() and line[column - 1].isascii()):
            return column
        if _half_flag(line, column):
            return column + 1 if forwards else column - 1
        # A cluster is short; what is far away does not matter.
        first = max(0, column - 32)
        for start, end, _ in split_graphemes(line[first : column + 32])[0]:
            if first + start < column < first + end:
                return first + (end if forwards else start)
        return column

    async def _on_key(self, event: events.Key) -> None:
        if self._first(event.key):
            event.stop()
            event.prevent_default()
            return
        await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self._pasted(event.text)


def _half_flag(line: str, column: int) -> bool:
    """True between the two letters that make a flag, which the tables of clusters don't know."""
    before = column
    while before > 0 and _FLAG_LETTERS[0] <= line[before - 1] <= _FLAG_LETTERS[1]:
        before -= 1
    return (column - before) % 2 == 1 and _FLAG_LETTERS[0] <= line[column] <= _FLAG_LETTERS[1]
