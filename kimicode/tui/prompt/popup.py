"""The list of completions: it floats above the prompt, its rows are reused, and only those that changed are drawn anew.

It never has the focus: the prompt's keys move its bar. What this module does not do: look for completions, or insert one.
"""

from collections.abc import Sequence
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from kimicode.interactive.prompt.complete import Item
from kimicode.text import Untrusted, render_safe

_DETAIL: Final = "dim"
_MATCHED: Final = "bold underline"
_LABEL_CHARS: Final = 300


class CompletionList(OptionList, can_focus=False):
    """The list. `items` are what it shows; where it is hidden, there are none."""

    DEFAULT_CSS = """
    CompletionList {
        display: none;
        overlay: screen;
        offset: 0 -100%;
        constrain: inside inside;
        width: auto;
        min-width: 30;
        max-width: 100%;
        height: auto;
        max-height: 12;
        padding: 0 1;
        border: round $border;
        & > .option-list--option { padding: 0; }
        & > .option-list--option-highlighted {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
            text-style: $block-cursor-text-style;
        }
        text-wrap: nowrap;
        text-overflow: ellipsis;
        scrollbar-size-vertical: 1;
    }
    """

    class Chosen(Message):
        """Somebody clicked on a row."""

        def __init__(self, item: Item) -> None:
            super().__init__()
            self.item = item

    def __init__(self) -> None:
        super().__init__(markup=False)
        self.items: tuple[Item, ...] = ()

    @property
    def is_open(self) -> bool:
        """True while it is shown."""
        return bool(self.items)

    @property
    def item(self) -> Item | None:
        """The row under the bar."""
        return self.items[self.highlighted] if self.highlighted is not None and self.highlighted < len(self.items) else None

    def present(self, items: Sequence[Item], title: str = "") -> None:
        """Show these rows, the bar on the first; or none, and hide. Rows that say the same stay untouched."""
        shown, self.items = self.items, tuple(items)
        if not items:
            self.display = False
            return
        self.border_title = Content(title)
        for index, item in enumerate(items):
            # Hidden rows are still there, and say what they said.
            if index >= self.option_count:
                break
            if index >= len(shown) or shown[index] != item:
                self.replace_option_prompt_at_index(index, drawn(item))
        self.add_options([Option(drawn(item)) for item in items[self.option_count :]])
        while self.option_count > len(items):
            self.remove_option_at_index(self.option_count - 1)
        self.highlighted = 0
        self.display = True

    def step(self, by: int) -> None:
        """Move the bar, around the ends."""
        if self.items:
            at = (0 if by < 0 else -1) if self.highlighted is None else self.highlighted
            self.highlighted = (at + by) % len(self.items)

    def render_line(self, y: int) -> Strip:
        """A row. Where a theme has no colours, its bar is reverse, which the base class leaves out."""
        strip = super().render_line(y)
        bar = self.get_component_styles("option-list--option-highlighted").text_style.reverse
        if not bar or y + self.scroll_offset.y != self.highlighted:
            return strip
        return Strip([Segment(each.text, (each.style or Style()) + Style(reverse=True), each.control) for each in strip], strip.cell_length)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click."""
        event.stop()
        if event.option_index < len(self.items):
            self.post_message(self.Chosen(self.items[event.option_index]))


def drawn(item: Item) -> Content:
    """A row: the label with what was matched marked, and more about it."""
    label = item.label[:_LABEL_CHARS]
    safe = render_safe(Untrusted(label.replace("\n", "⏎").replace("\t", " ")))
    row = Content(safe)
    if len(safe) == len(label):
        for place in item.matched:
            row = row.stylize(_MATCHED, place, place + 1)
    detail = render_safe(Untrusted(item.detail.replace("\n", " ")))
    return row + Content("  ") + Content.styled(detail, _DETAIL) if detail else row
