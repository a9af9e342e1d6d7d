"""Whatever text a block has: it is drawn, no line is too wide, and nothing in it can be obeyed by a terminal."""

import json
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from kimicode.events import FileChange, RunFinished, SessionStarted
from kimicode.files.state import FileState
from kimicode.interactive.person import Code, Diff, Prose, Rows, Share, Words
from kimicode.interactive.view.blocks import Answered, Called, Ended, Opened, Prompted, Ran, Thought, Told, WentBack
from kimicode.messages import ToolCall, Usage
from kimicode.sandbox.approval import FileText
from kimicode.tui.draw.block import draw_block
from kimicode.tui.draw.parts import draw_part
from kimicode.tui.draw.values import Look
from kimicode.tui.themes import theme_for

BIDI = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")
MEAN = [
    *("\x1b[31m", "\x1b]0;title\x07", "\x9b2J", "\r", "\r\n", "\t", "\u202e", "👩\u200d👩\u200d👧", "1\ufe0f\u20e3", "e\u0301"),
    *("日本語", "שלום", "\u200d", "\ufe0f", "`", "```", "**", "| a | b |\n|---|:-:|\n", "- ", "1. ", "> ", "# ", "&#x202E;"),
    *("&#27;", "[a](http://b)", "<b>", "\n\n", "\ud800", "    ", "~~~", "x" * 300, "[b]", "\\", "~~"),
]
TEXT = st.lists(st.sampled_from(MEAN) | st.text(max_size=20), max_size=25).map("".join)
ARGUMENTS = TEXT | st.fixed_dictionaries({"path": TEXT, "command": TEXT, "pattern": TEXT}).map(lambda value: json.dumps(value))
CALLS = st.builds(
    ToolCall, st.just("1"), st.sampled_from(["read", "edit", "patch", "grep", "shell", "todo", "git", "map", "other"]) | TEXT, ARGUMENTS
)
FILES = st.builds(FileText, TEXT, st.none() | TEXT, st.none() | TEXT, st.just("") | TEXT)
STATES = st.sampled_from(["running", "done", "failed", "refused", "stopped"])
CHANGES = st.lists(st.builds(FileChange, TEXT, st.just(FileState()), st.just(FileState("file"))), max_size=2).map(tuple)
BLOCKS = st.one_of(
    st.builds(Prompted, TEXT, st.lists(TEXT, max_size=2).map(tuple), st.booleans()),
    st.builds(Thought, TEXT, st.none() | st.floats(0, 1e6)),
    st.builds(Answered, TEXT, st.booleans()),
    st.builds(Called, CALLS, STATES, TEXT, TEXT, st.none() | st.floats(0, 100), CHANGES, st.none() | st.lists(FILES, max_size=2).map(tuple),
              st.booleans(), TEXT),
    st.builds(Told, TEXT, st.sampled_from(["info", "warning", "error"])),
    st.builds(Ran, TEXT, TEXT, st.booleans(), st.none() | st.integers(-5, 300), st.none() | st.floats(0, 9)),
    st.builds(WentBack, st.integers(0, 9), st.booleans(), st.integers(0, 9)),
    st.builds(Opened, st.builds(SessionStarted, TEXT, TEXT, TEXT, TEXT, TEXT, st.just(()))),
    st.builds(Ended, st.builds(RunFinished, st.sampled_from(["done", "failed", "budget"]), st.just(0), TEXT, st.just(1),
                               st.just(Usage(1, 1)), st.just(1.0), st.just(None), TEXT)),
)  # fmt: skip
PARTS = st.one_of(
    st.builds(Words, TEXT),
    st.builds(Prose, TEXT),
    st.builds(Rows, st.lists(st.lists(TEXT, max_size=4).map(tuple), max_size=4).map(tuple), st.lists(TEXT, max_size=4).map(tuple)),
    st.builds(Code, TEXT, st.sampled_from(["python", "", "json", "diff", "nothing"])),
    st.builds(Share, TEXT, st.floats(-1, 1e9), st.floats(-1, 1e9), TEXT),
    st.builds(Diff, st.lists(FILES, max_size=3).map(tuple)),
)
LOOKS = st.builds(
    Look,
    st.integers(10, 200),
    st.sampled_from(["dark", "ansi-light", "no-color"]).map(lambda name: theme_for(name).palette),
    st.sampled_from(["auto", "unified", "split"]),
    st.integers(1, 10),
    st.booleans(),
)


def check(strips, width):
    for strip in strips:
        assert strip.cell_length <= width
        assert sum(cell_len(segment.text) for segment in strip) == strip.cell_length
        assert cell_len(strip.text) <= width
        for char in strip.text:
            assert unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp"), (char, strip)
            assert char not in BIDI
        for segment in strip:
            assert segment.control is None
            link = segment.style.link if segment.style is not None else None
            assert link is None or (link.isascii() and link.isprintable())


@settings(max_examples=120, deadline=None)
@given(block=BLOCKS, look=LOOKS, folded=st.booleans())
def test_any_block(block, look, folded):
    drawn = draw_block(block, look, folded=folded)
    check(drawn.lines, look.width)


@settings(max_examples=150, deadline=None)
@given(block=BLOCKS, look=LOOKS)
def test_what_folds_says_so(block, look):
    folded, whole = draw_block(block, look), draw_block(block, look, folded=False)
    assert folded.foldable == whole.foldable
    assert folded.foldable or [strip.text for strip in folded.lines] == [strip.text for strip in whole.lines]


@settings(max_examples=120, deadline=None)
@given(part=PARTS, look=LOOKS)
def test_any_part(part, look):
    check(draw_part(part, look), look.width)
