"""A long transcript and a long answer on the screen, beside the usual way: a widget of Textual a block, its own Markdown stream.

One process, headless, 120×40. Times are from an action to the screen that shows it (what a terminal then does is not in them), by the
clock, where Textual waits to write 60 screens a second at most, and of work, which is what the ratios are of:

- open: 10,000 mixed blocks, from nothing to the first screen; memory is what the process has grown by, blocks themselves not counted;
- scroll: 200 pages and lines up from the end, then pages from the start;
- stream: a Markdown answer of 2,000 lines in batches of what comes in 50 ms; the last tenth of the batches by the first tenth.

The peer has a `Markdown` widget for an answer and a `Static` for all else in a `VerticalScroll`, and fewer blocks, for with 10,000 it would
take minutes; its answer streams in by `Markdown.append`, which is what `Markdown.get_stream` calls. It is given so many seconds and
compared by what it did in them. Prints a line a figure and, last, one JSON object. `--quick` has fewer batches and a smaller peer.
"""

import argparse
import asyncio
import gc
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import psutil
from rich.text import Text
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Markdown, Static

from kimicode.interactive.view.blocks import Answered, Block, Called, Prompted, Thought, Told
from kimicode.messages import ToolCall
from kimicode.tui.draw.block import draw_block
from kimicode.tui.draw.values import Look
from kimicode.tui.themes import theme_for
from kimicode.tui.transcript.texts import text_of
from kimicode.tui.transcript.view import TranscriptView

SIZE = (120, 40)
BLOCKS = 10_000
ANSWER_LINES = 2_000
A = TypeVar("A", bound="Shown")


class Took(NamedTuple):
    """Milliseconds: by the clock, where Textual writes 60 screens a second at most, and of work."""

    clock: float
    work: float


class Shown(App[None]):
    """Says when the screen has been written."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self) -> None:
        super().__init__()
        self.displayed = asyncio.Event()

    def post_display_hook(self) -> None:
        """See `App`."""
        self.displayed.set()

    async def timed(self, action: Callable[[], Awaitable[object] | None]) -> Took:
        """From the action to the screen that shows it."""
        self.displayed.clear()
        started, worked = time.perf_counter(), time.process_time()
        if (waiting := action()) is not None:
            await waiting
        await asyncio.wait_for(self.displayed.wait(), 120)
        return Took(1000 * (time.perf_counter() - started), 1000 * (time.process_time() - worked))


class Ours(Shown):
    """The transcript."""

    def __init__(self) -> None:
        super().__init__()
        self.view = TranscriptView(draw_block, Look(80, theme_for("dark").palette), max_width=100)

    def compose(self) -> ComposeResult:
        """Nothing else."""
        yield self.view


class Peer(Shown):
    """A widget a block."""

    def __init__(self) -> None:
        super().__init__()
        self.scroll = VerticalScroll()

    def compose(self) -> ComposeResult:
        """Nothing else."""
        yield self.scroll


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer batches, and a smaller peer")
    quick = parser.parse_args().quick
    figures: dict[str, float] = {}
    ours_batches, peer_seconds, peer_blocks = (200, 8.0, 150) if quick else (400, 60.0, 1_000)
    asyncio.run(run(Ours(), lambda app: ours_long(app, figures)))
    asyncio.run(run(Peer(), lambda app: peer_long(app, peer_blocks, figures)))
    asyncio.run(run(Ours(), lambda app: ours_stream(app, ours_batches, figures)))
    asyncio.run(run(Peer(), lambda app: peer_stream(app, ours_batches, peer_seconds, figures)))
    figures["peer_open_a_block_to_ours"] = figures["peer_open_ms"] / peer_blocks / (figures["open_ms"] / BLOCKS)
    figures["peer_page_work_to_ours"] = figures["peer_page_work_ms"] / figures["page_work_ms"]
    figures["peer_memory_a_block_to_ours"] = figures["peer_grown_mb"] / peer_blocks / (figures["grown_mb"] / BLOCKS)
    figures["peer_flush_work_to_ours"] = figures["peer_flush_last_work_ms"] / figures["flush_last_work_ms"]
    for name, value in figures.items():
        print(f"{name:<28} {value:10.3f}")
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


async def run(app: A, job: Callable[[A], Awaitable[None]]) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await job(app)


async def ours_long(app: Ours, figures: dict[str, float]) -> None:
    made = mixed(BLOCKS)
    before = memory()
    figures["open_ms"] = (await app.timed(lambda: app.view.show(made))).clock
    figures["opened_mb"] = memory() - before
    pages = [await app.timed(app.view.action_page_up) for _ in range(100)]
    single = [await app.timed(app.view.action_scroll_up) for _ in range(100)]
    await app.timed(app.view.action_scroll_home)
    pages += [await app.timed(app.view.action_page_down) for _ in range(100)]
    figures["page_ms"], figures["page_work_ms"] = middle(pages), work(pages)
    figures["page_p95_ms"] = statistics.quantiles([each.clock for each in pages], n=20)[-1]
    figures["line_ms"], figures["line_work_ms"] = middle(single), work(single)
    figures["frames_a_second"] = 1000 * len(pages) / sum(each.clock for each in pages)
    for _ in range(2):
        app.view.follow_end()
        while app.view.place.block or app.view.place.line:
            app.view.action_page_up()
    figures["grown_mb"] = memory() - before
    figures["cached_lines"] = app.view.cached_lines


async def peer_long(app: Peer, count: int, figures: dict[str, float]) -> None:
    blocks = mixed(count)
    before = memory()
    started = time.perf_counter()
    await app.scroll.mount_all([usual(block) for block in blocks])
    await app.timed(lambda: app.scroll.scroll_end(animate=False))
    await settled(app)
    figures["peer_blocks"] = count
    figures["peer_open_ms"] = 1000 * (time.perf_counter() - started)
    pages = [await app.timed(lambda: app.scroll.scroll_page_up(animate=False)) for _ in range(20)]
    figures["peer_page_ms"], figures["peer_page_work_ms"] = middle(pages), work(pages)
    figures["peer_grown_mb"] = memory() - before


async def ours_stream(app: Ours, batches: int, figures: dict[str, float]) -> None:
    blocks: list[Block] = [Prompted("Explain."), Answered("", done=False)]
    app.view.show(blocks)
    taken: list[Took] = []
    text = ""
    for piece in pieces(answer(ANSWER_LINES), batches):
        text += piece
        blocks[1] = Answered(text, done=False)
        taken.append(await app.timed(lambda: app.view.changed(range(1, 2))))
    tell(taken, batches, "", figures)


async def peer_stream(app: Peer, batches: int, seconds: float, figures: dict[str, float]) -> None:
    widget = Markdown()
    await app.scroll.mount(widget)
    app.scroll.anchor()
    taken: list[Took] = []
    started = time.perf_counter()
    for piece in pieces(answer(ANSWER_LINES), batches):
        taken.append(await app.timed(lambda piece=piece: widget.append(piece)))
        if time.perf_counter() - started > seconds:
            break
    figures["peer_batches_done"] = len(taken)
    tell(taken, batches, "peer_", figures)


async def settled(app: Shown) -> None:
    """Wait until the screen is not written any more."""
    while True:
        app.displayed.clear()
        try:
            await asyncio.wait_for(app.displayed.wait(), 0.2)
        except TimeoutError:
            return


def tell(taken: list[Took], batches: int, prefix: str, figures: dict[str, float]) -> None:
    tenth = max(1, min(len(taken) // 2, batches // 10))
    first, last = taken[:tenth], taken[-tenth:]
    figures[f"{prefix}flush_first_ms"], figures[f"{prefix}flush_last_ms"] = middle(first), middle(last)
    figures[f"{prefix}flush_first_work_ms"], figures[f"{prefix}flush_last_work_ms"] = work(first), work(last)
    figures[f"{prefix}flush_last_to_first"] = work(last) / work(first)


def middle(taken: list[Took]) -> float:
    return statistics.median(each.clock for each in taken)


def work(taken: list[Took]) -> float:
    return statistics.median(each.work for each in taken)


def memory() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 2**20


def usual(block: Block) -> Widget:
    return Markdown(block.text) if isinstance(block, Answered) else Static(Text(text_of(block)))


def pieces(text: str, count: int) -> list[str]:
    size = -(-len(text) // count)
    return [text[at : at + size] for at in range(0, len(text), size)]


def mixed(count: int) -> list[Block]:
    """What a session is made of, by the look of recorded ones: a prompt, and calls between thoughts and answers."""
    blocks: list[Block] = []
    for index in range(count):
        match index % 10:
            case 0:
                blocks.append(Prompted(f"Why is request {index} slow?\nLook at the logs first."))
            case 1 | 5:
                blocks.append(Thought("The user wants to know about this, so I should look at the code. " * 12, 3.2))
            case 2 | 3 | 6 | 7:
                listing = "\n".join(f"{line:4} def handler_{index}_{line}(request): return cache.get(request.key)" for line in range(30))
                blocks.append(
                    Called(ToolCall(f"call{index}", "read_file", json.dumps({"path": f"src/module_{index}.py"})), "done", "", listing)
                )
            case 4 | 8:
                blocks.append(Answered(answer(24)))
            case _:
                blocks.append(Told(f"checkpoint {index}"))
    return blocks


def answer(lines: int) -> str:
    """Markdown of so many lines, about: headings, paragraphs, lists, fences, tables."""
    parts: list[str] = []
    length = 0
    while length < lines:
        number = len(parts)
        part = (
            f"## Step {number}\n\nThe cache of `handler_{number}` is **cold**, so that each request goes to the *database*; that"
            f" costs about {number} ms a request, as the [profile](https://example.com/{number}) shows.\n\n"
            "- read the key\n- look it up\n- write it back\n\n"
            f"```python\ndef handler_{number}(request):\n    if request.key in cache:\n        return cache[request.key]\n"
            f"    value = database.read(request.key)\n    return value\n```\n\n| before | after |\n|---|---|\n| {number} ms | 1 ms |\n\n"
        )
        parts.append(part)
        length += part.count("\n")
    return "".join(parts)


if __name__ == "__main__":
    main()
