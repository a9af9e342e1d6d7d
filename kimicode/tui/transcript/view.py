"""The transcript on the screen: blocks with a cursor, folds, a search and a selection, and what an application wants to hear of them.

What this module does not do: keep its place or paint (`viewport.py`), decide how a block looks, or what becomes of what it asks for
(`messages.py`).
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.selection import Selection

from kimicode.interactive.view.blocks import Block, Called
from kimicode.tui.draw.values import Drawn, Look
from kimicode.tui.transcript.anchor import Laid, Place
from kimicode.tui.transcript.cache import MOST_LINES
from kimicode.tui.transcript.messages import CopyRequested, Found, NewBelow, OpenRequested, QuoteRequested, WantDiffs
from kimicode.tui.transcript.picking import line_number, picked, whole
from kimicode.tui.transcript.rows import Mark, occurrences, pattern
from kimicode.tui.transcript.search import Match, Search
from kimicode.tui.transcript.sheet import DrawBlock, Sheet
from kimicode.tui.transcript.viewport import Row, Viewport

_SLICE_CHARS: Final = 200_000
"""So much is searched at a time: about a millisecond."""


class TranscriptView(Viewport, can_focus=True):
    """Shows blocks. `max_width` is how wide the column in the middle may be, 0 for all there is; `look`'s own width does not count."""

    ALLOW_SELECT = True

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("alt+up,ctrl+up", "cursor(-1)", "Previous block", show=False),
        Binding("alt+down,ctrl+down", "cursor(1)", "Next block", show=False),
    ]

    HELP: ClassVar[str | None] = (
        "What was said and done. Alt+Up and Alt+Down walk from block to block. Then Enter or Space unfolds the block or folds it,"
        " `c` copies it, `y` puts it into the prompt, `o` opens it, Escape leaves. A click on a block's first line unfolds it,"
        " a second click selects it."
    )

    def __init__(
        self,
        draw: DrawBlock,
        look: Look,
        *,
        max_width: int = 0,
        most_lines: int = MOST_LINES,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(Sheet(draw, look, most_lines), max_width=max_width, id=id, classes=classes)
        self._unseen: set[int] = set()
        self._told_below = 0
        self._asked: set[tuple[str, int]] = set()
        self._cursor: int | None = None
        self._search: Search | None = None
        self._wanted = pattern("")
        self._spots: tuple[Drawn, Sequence[tuple[int, int]]] | None = None

    # What there is to show

    def show(self, blocks: Sequence[Block]) -> None:
        """Show these blocks in place of all others, at the end. The list stays the caller's: `changed` says when it is another."""
        self.sheet.show(blocks)
        self._asked.clear()
        self._unseen.clear()
        self._cursor = None
        self._search = None
        self._wanted = None
        self.rows = ()
        self._unselect()
        self.settle(None)
        self.repaint_all()

    def changed(self, where: range) -> None:
        """Blocks at these indexes are new or other than before. The view moves only where it is at the end."""
        changes = self.sheet.changed(where)
        for index in changes.inserted:
            self._came_in(index)
        if not changes.touched:
            return
        if self._search is not None:
            self._recount(self._search, set(changes.touched) - set(changes.inserted))
        self._unseen.update(changes.touched)
        self.settle(None if self.following else self.place)

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self.sheet)

    @property
    def cached_lines(self) -> int:
        """How many drawn lines are kept at the moment."""
        return self.sheet.cached_lines

    def text_of(self, index: int) -> str:
        """A block's text, as somebody would copy it."""
        return self.sheet.text(index)

    # Folding

    def toggle(self, index: int) -> bool:
        """Fold a block, or unfold it; its first line stays where it is. False where there is nothing to fold."""
        if not self.sheet.drawn(index).foldable:
            return False
        self._fold(index, not self.sheet.folded(index))
        return True

    def fold_all(self, folded: bool) -> None:
        """Fold or unfold everything. The block at the top stays there."""
        top = self.place.block
        place = None if self.following else Place(top, self.sheet.gap(top) if folded else self.place.line)
        self.sheet.fold_all(folded)
        self.settle(place)

    def _fold(self, index: int, folded: bool) -> None:
        gap = self.sheet.gap(index)
        head = next((y for y, row in enumerate(self.rows) if row.block == index and row.line == gap), None)
        self.sheet.fold(index, folded)
        if head is not None:
            self.settle(Place(index, gap - head))
        else:
            self.settle(Place(index, gap) if index == self.place.block else self.place)

    # Searching

    def find(self, text: str) -> None:
        """Search for a text from what is at the top on; empty ends the search. `Found` tells how it goes."""
        self._wanted = pattern(text)
        self._spots = None
        if not text:
            self._search = None
            self.post_message(Found(0, 0, done=True))
        else:
            was = self._search.current if self._search else None
            self._search = Search(text, len(self.sheet), was.block if was else self.place.block)
            self._search_on(self._search)
        self.repaint_all()

    def find_next(self, step: int = 1) -> None:
        """Go to the next match, or to the one before for -1."""
        if self._search is not None and (match := self._search.go(step)) is not None:
            self._reveal(match)
            self._tell_found(self._search)

    def _search_on(self, search: Search) -> None:
        was = search.current
        search.advance(self.sheet.text, _SLICE_CHARS)
        if was is None and search.current is not None:
            self._reveal(search.current)
        self._tell_found(search)
        if not search.done:
            self.call_later(self._search_later, search)

    async def _search_later(self, search: Search) -> None:
        await asyncio.sleep(0)  # A widget's messages follow each other without a pause: this lets keys through.
        if search is self._search:
            self._search_on(search)

    def _recount(self, search: Search, touched: Iterable[int]) -> None:
        for index in sorted(touched):
            (search.changed if index < len(search) else search.inserted)(index, self.sheet.text(index))
        self._tell_found(search)

    def _tell_found(self, search: Search) -> None:
        self.post_message(Found(search.number, search.count, search.done))

    def _reveal(self, match: Match) -> None:
        """Unfold the block with the match and bring its line into view."""
        if self.sheet.folded(match.block) and self.sheet.drawn(match.block).foldable and self._spot_of(match) is None:
            self._fold(match.block, folded=False)
        spots = self._spots_in(match.block)
        line = spots[min(match.nth, len(spots) - 1)][0] if spots else self.sheet.gap(match.block)
        if not any(row.block == match.block and row.line == line for row in self.rows):
            self.settle(Place(match.block, line - self.size.height // 3))
        self.repaint_all()

    def _spot_of(self, match: Match) -> tuple[int, int] | None:
        """Where in its block's lines a match is: the line, and which in its line. None where it can't be seen."""
        spots = self._spots_in(match.block)
        return spots[match.nth] if match.nth < len(spots) else None

    def _spots_in(self, block: int) -> Sequence[tuple[int, int]]:
        drawn = self.sheet.drawn(block)
        if self._spots is None or self._spots[0] is not drawn:
            self._spots = (drawn, occurrences(self.sheet.lines(block), self._wanted) if self._wanted else [])
        return self._spots[1]

    # The cursor

    @property
    def cursor(self) -> int | None:
        """The block that keys act on."""
        return self._cursor

    def move_cursor(self, step: int) -> None:
        """On to the next block with something to see, or to the one before for -1; past the last one, to the end."""
        at = self._cursor
        if at is None:
            at = self.rows[-1].block + 1 if self.rows and step < 0 else self.place.block - 1
        at += step
        while 0 <= at < len(self.sheet) and self.sheet.exact(at) == 0:
            at += step
        if at >= len(self.sheet):
            self.follow_end()
        elif at >= 0:
            self.set_cursor(at)
            self._bring_into_view(at)

    def set_cursor(self, index: int | None) -> None:
        """Put the cursor on a block, or nowhere."""
        marked, self._cursor = {self._cursor, index}, index
        self.repaint(y for y, row in enumerate(self.rows) if row.block in marked)

    def _bring_into_view(self, index: int) -> None:
        height, room = self.sheet.exact(index), self.size.height
        seen = [y for y, row in enumerate(self.rows) if row.block == index]
        if len(seen) >= min(height, room):
            return
        above = index <= self.place.block
        self.settle(Place(index) if above else Place(index, min(height, room) - room))

    def on_focus(self, event: events.Focus) -> None:
        """Show the cursor."""
        del event
        self.set_cursor(self._cursor)

    def on_blur(self, event: events.Blur) -> None:
        """Hide the cursor, which stays where it is."""
        del event
        self.set_cursor(self._cursor)

    def takes(self, key: str) -> bool:
        """True for a letter that does something to the block under the cursor; all others are meant for somebody else."""
        return self._cursor is not None and key in ("space", "c", "y", "o")

    def on_key(self, event: events.Key) -> None:
        """Keys for the block under the cursor come before whoever takes all letters. Another letter ends the cursor, and is theirs."""
        if self._cursor is None:
            return
        match event.key:
            case "enter" | "space":
                self.toggle(self._cursor)
            case "c":
                self.post_message(CopyRequested(self.text_of(self._cursor)))
            case "y":
                self.post_message(QuoteRequested(self.text_of(self._cursor)))
            case "o":
                self.post_message(OpenRequested(self._cursor, self.sheet[self._cursor]))
            case "escape":
                self.set_cursor(None)
            case _:
                if event.is_printable:
                    self.set_cursor(None)
                return
        event.stop()
        event.prevent_default()

    def action_cursor(self, step: int) -> None:
        """Move the cursor."""
        self.move_cursor(step)

    def on_click(self, event: events.Click) -> None:
        """A click on the first line of a block folds or unfolds it. A second click selects it. The cursor comes along if there is one."""
        if event.chain > 1:
            event.prevent_default()  # Textual would select everything there is.
        offset = event.get_content_offset(self)
        if event.button != 1 or offset is None or self.text_selection is not None or not 0 <= offset.y < len(self.rows):
            return
        row = self.rows[offset.y]
        if self._cursor is not None:
            self.set_cursor(row.block)
        if row.line == self.sheet.gap(row.block):
            self.toggle(row.block)
        elif event.chain == 2:
            self.screen.selections = {self: whole(row.block)}

    # Selecting

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text under a selection, and what comes after it where others follow."""
        return picked(selection, len(self.sheet), self.sheet.lines, self.sheet.text), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Show another selection."""
        del selection
        self.repaint_all()

    def _unselect(self) -> None:
        """A selection goes by the numbers of blocks: it would lie on others now."""
        if self.is_mounted and self.text_selection is not None:
            self.screen.clear_selection()

    # What is told

    def settled(self, laid: Laid) -> None:
        """Tell what is below, and whose changes are to be looked up."""
        self._tell_below(laid)
        for span in laid.spans:
            block = self.sheet[span.block]
            if isinstance(block, Called) and (key := (block.call.id, len(block.changes))) not in self._asked:
                if not self.sheet.drawn(span.block).wants_diffs:
                    continue
                self._asked.add(key)
                self.post_message(WantDiffs(block.call.id))

    def _tell_below(self, laid: Laid) -> None:
        if laid.at_end or not laid.spans:
            self._unseen.clear()
        elif self._unseen:
            last = laid.spans[-1]
            first_unseen = last.block if last.first + last.count < self.sheet.exact(last.block) else last.block + 1
            self._unseen = {index for index in self._unseen if index >= first_unseen}
        if len(self._unseen) != self._told_below:
            self._told_below = len(self._unseen)
            self.post_message(NewBelow(self._told_below))

    def _came_in(self, index: int) -> None:
        """A block came in before this one: what is known by index is one further on."""
        if index <= self.place.block and not self.following:
            self._place = Place(self.place.block + 1, self.place.line)
        if self._cursor is not None and self._cursor >= index:
            self._cursor += 1
        self._unseen = {each + (each >= index) for each in self._unseen}
        if self._search is not None:
            self._search.inserted(index, self.sheet.text(index))
        self._unselect()

    # Painting

    def bar_of(self, row: Row) -> Style | None:
        """The bar of the cursor, while keys go to it."""
        if row.block != self._cursor or not self.has_focus or row.line < self.sheet.gap(row.block):
            return None
        return self.sheet.look.palette["accent"]

    def marks_of(self, row: Row) -> Sequence[Mark]:
        """What was found, and what is selected."""
        marks = list(self._found_in(row)) if self._wanted else []
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(line_number(row.block, row.line))) is not None:
            start, end = span
            marks.append(Mark(max(0, start), None if end == -1 else max(0, end), self.sheet.look.palette["selection"]))
        return marks

    def _found_in(self, row: Row) -> Iterable[Mark]:
        if self._wanted is None:
            return
        current = self._search.current if self._search else None
        spot = self._spot_of(current) if current and current.block == row.block else None
        for nth, found in enumerate(self._wanted.finditer(row.strip.text)):
            token = "match_current" if spot == (row.line, nth) else "match"
            yield Mark(found.start(), found.end(), self.sheet.look.palette[token])
