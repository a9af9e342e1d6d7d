"""A small application around the transcript, blocks, and a drawing that says how often it was asked."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Size
from textual.message import Message
from textual.pilot import Pilot
from textual.strip import Strip

from kimicode.interactive.view.blocks import Answered, Block, Called, Prompted, Thought, Told
from kimicode.messages import ToolCall
from kimicode.tui.draw.values import Drawn, Look, Palette
from kimicode.tui.transcript.texts import text_of
from kimicode.tui.transcript.view import TranscriptView
from tests.tui.waiting import until

SIZE = (60, 16)
_TOKENS = {"accent": "red", "selection": "on blue", "match": "on green", "match_current": "on yellow"}
LOOK = Look(width=80, palette=Palette("plain", {token: Style.parse(style) for token, style in _TOKENS.items()}))


class Drawing:
    """Lines of text, cut to the width, with a gutter. A folded call or thought is one line. No words, and `<nothing>`, draw to no lines."""

    def __init__(self) -> None:
        self.drawn: Counter[str] = Counter()
        self.on: list[tuple[Drawn | None, Block]] = []

    @property
    def times(self) -> int:
        return self.drawn.total()

    def __call__(self, block: Block, look: Look, *, folded: bool, before: Drawn | None) -> Drawn:
        text = text_of(block)
        self.drawn[text[:40]] += 1
        self.on.append((before, block))
        if text == "<nothing>" or not text.strip():
            return Drawn(())
        lines = wrapped(text, max(1, look.width - 2))
        foldable = isinstance(block, Called | Thought)
        if folded and foldable:
            lines = lines[:1]
        kept = before.lines[:-1] if before else ()
        strips = (*kept, *(Strip([Segment("▌ "), Segment(line)]) for line in lines[len(kept) :]))
        return Drawn(strips, foldable=foldable, wants_diffs=isinstance(block, Called) and block.diffs is None and bool(block.changes))


def wrapped(text: str, width: int) -> list[str]:
    return [line[at : at + width] for line in text.split("\n") for at in range(0, max(1, len(line)), width)]


class Host(App[None]):
    """Nothing but the transcript. `told` is what it said, `keys` what it left."""

    def __init__(self, blocks: list[Block], *, max_width: int = 0, most_lines: int = 20_000) -> None:
        super().__init__()
        self.blocks = blocks
        self.drawing = Drawing()
        self.told: list[Message] = []
        self.keys: list[str] = []
        self.view = TranscriptView(self.drawing, LOOK, max_width=max_width, most_lines=most_lines)

    def compose(self) -> ComposeResult:
        yield self.view

    def on_mount(self) -> None:
        self.view.show(self.blocks)
        self.view.focus()

    def on_key(self, event: events.Key) -> None:
        self.keys.append(event.key)

    def shown(self) -> list[str]:
        """What is on the screen of the transcript, without its margins and what is empty at the end of a line."""
        return [self.view.render_line(y).text.strip("▌ ") for y in range(self.view.size.height)]

    def last(self, kind: type[Message]) -> Message | None:
        return next((message for message in reversed(self.told) if isinstance(message, kind)), None)

    def on_event_told(self, message: Message) -> None:
        self.told.append(message)

    on_new_below = on_want_diffs = on_copy_requested = on_quote_requested = on_open_requested = on_found = on_event_told


def lines(name: str, count: int) -> str:
    return "\n".join(f"{name}.{index}" for index in range(count))


def talk(count: int) -> list[Block]:
    """Blocks of one to nine lines: what was said, and calls with a long inside."""
    made: list[Block] = []
    for index in range(count):
        text = lines(f"b{index}", 1 + index * 7 % 9)
        match index % 4:
            case 0:
                made.append(Prompted(text))
            case 1:
                made.append(Answered(text))
            case 2:
                made.append(call(index, lines(f"inside{index}", 12)))
            case _:
                made.append(Told(text))
    return made


def call(number: int, result: str) -> Called:
    return Called(ToolCall(f"call{number}", f"tool{number}", "{}"), state="done", result=result)


def run(host: Host, body: Callable[[Pilot[None]], Awaitable[None]], size: tuple[int, int] = SIZE) -> None:
    async def whole() -> None:
        async with host.run_test(size=size) as pilot:
            await until(pilot, lambda: host.view._laid_size == Size(*size))
            await pilot.pause()
            await body(pilot)

    asyncio.run(whole())
