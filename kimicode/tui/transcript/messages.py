"""What the transcript tells the application. What this module does not do: decide anything."""

from textual.message import Message

from kimicode.interactive.view.blocks import Block


class NewBelow(Message):
    """`count` blocks below the view are new, or have more than somebody has seen; 0 when the view is at the end again."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count


class WantDiffs(Message):
    """A call is on the screen whose changes nobody has looked up."""

    def __init__(self, call_id: str) -> None:
        super().__init__()
        self.call_id = call_id


class CopyRequested(Message):
    """Somebody wants `text` in the clipboard."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class QuoteRequested(Message):
    """Somebody wants `text` in the prompt."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class OpenRequested(Message):
    """Somebody wants a block to itself: larger, or in an editor."""

    def __init__(self, index: int, block: Block) -> None:
        super().__init__()
        self.index = index
        self.block = block


class Found(Message):
    """How far a search is: `number` is the current match from 1, of `count`; `done` when all blocks have been looked at."""

    def __init__(self, number: int, count: int, done: bool) -> None:
        super().__init__()
        self.number = number
        self.count = count
        self.done = done
