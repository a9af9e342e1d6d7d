"""The side panel and the bars: what they say, that they fit, and that nothing from outside gets out of its place."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kimicode.events import EngineProgress
from kimicode.interactive.view.status import Engine, Git, PlanItem, Status, Touched
from kimicode.interactive.waiting import Prompt, Waiting
from kimicode.interactive.wording import count, duration, money, percent, size
from kimicode.messages import Usage
from kimicode.tui.bars import activity_text, header_text, keys_text
from kimicode.tui.panel import panel_text
from kimicode.tui.themes import theme_for
from kimicode.tui.wording import fill, phase

PALETTE = theme_for("dark").palette
FULL = Status(
    session_id="20261126-101500-abcd",
    title="bread",
    workspace="/home/ada/bakery",
    model="kimi-k2.6",
    endpoint="moonshot",
    permission="workspace",
    sandbox="bubblewrap",
    phase="working",
    step=3,
    usage=Usage(81_234, 4_321, 60_000),
    cost_usd=0.1234,
    context_used=98_765,
    context=262_144,
    cached=0.87,
    speed=41.7,
    plan=(PlanItem("Find the bug", "done"), PlanItem("Mend it", "in_progress"), PlanItem("Run the tests", "pending")),
    touched=(Touched("bakery.py", 1, 1), Touched("a/very/long/path/that/does/not/fit/in/here/test_bakery.py", 12, 0), Touched("new.bin")),
    git=Git("main", 2),
    engine=Engine("ok", "kimi-k2.6", "GPU 0: 9 GB attention; RAM: 500 GB routed experts, 3 GB cache", "in memory and on disk", 0.93),
    calls=(("1", "shell"),),
)


def test_the_panel_says_everything() -> None:
    text = panel_text(FULL, 35, PALETTE).plain
    for words in (
        "kimi-k2.6",
        "moonshot",
        "41.7 tokens/s",
        "$0.12",
        "98.8k of 262k (38 %)",
        "87 %",
        "93 % in memory",
        "GPU 0      9 GB attention",
        "RAM        500 GB routed",
        "✓ Find the bug",
        "▸ Mend it",
        "· Run the tests",
        "bakery.py",
        "+1 -1",
        "…",
        "main",
        "2 files",
        "bread",
        "workspace",
        "bubblewrap",
        "20261126-101500-abcd",
    ):
        assert words in text, words


def test_nothing_is_said_of_what_is_not_known() -> None:
    text = panel_text(Status(model="kimi-nano", endpoint="embedded"), 35, PALETTE).plain
    assert "in the box" in text
    for words in ("Plan", "Changed", "Git", "Engine", "cost", "speed", "None"):
        assert words not in text, words


@given(st.text(), st.text(), st.integers(12, 60))
def test_whatever_names_hold_the_panel_keeps_its_width_and_is_inert(name: str, other: str, width: int) -> None:
    status = Status(
        title=name, model=other, endpoint=name, plan=(PlanItem(name, other),), touched=(Touched(other, 1, 2),), git=Git(name, 1),
        engine=Engine(name, other, name, other), workspace=name, permission="full", sandbox="none", session_id=other,
    )  # fmt: skip
    for text in (panel_text(status, width, PALETTE), header_text(status, width, PALETTE)):
        for line in text.plain.split("\n"):
            assert cell_len(line) <= width or line in ("Model", "Context", "Engine", "Plan", "Changed", "Git", "Session")
            assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in line)


def test_the_header_drops_the_least_important_first() -> None:
    wide, narrow = header_text(FULL, 120, PALETTE).plain, header_text(FULL, 30, PALETTE).plain
    assert wide.startswith("bread")
    assert all(words in wide for words in ("kimi-k2.6", "workspace", "38 %", "$0.12", "main"))
    assert narrow.startswith("bread")
    assert "main" not in narrow


def test_the_activity_says_what_since_when_and_how_to_stop() -> None:
    text = activity_text(FULL, Waiting((Prompt("x"),)), 65.0, 100, PALETTE).plain
    assert text == "Running shell  ·  1 min 5 s  ·  Esc stops  ·  1 waiting  ·  2/3 Mend it"
    assert activity_text(Status(), Waiting(), 0.0, 80, PALETTE).plain == ""
    held = activity_text(Status(), Waiting((Prompt("x"),), paused=True), 0.0, 80, PALETTE).plain
    assert held == "1 held (Enter sends)"


def test_progress_has_a_bar_and_an_estimate() -> None:
    status = Status(phase="waiting", progress=EngineProgress("load", 250_000_000_000, 500_000_000_000, 95.0))
    text = activity_text(status, Waiting(), 3.0, 120, PALETTE).plain
    assert "Loading the model · 50 % of 500 GB · about 1 min 35 s left" in text
    assert "━━━━━━━━────────" in text
    reading = EngineProgress("prefill", 1_000, 8_000)
    assert phase(Status(progress=reading)) == "Reading the prompt · 12 % of 8.0k tokens"


def test_keys_are_left_out_whole() -> None:
    keys = (("Enter", "send"), ("/", "commands"))
    assert keys_text(keys, 80, PALETTE).plain == "Enter send  / commands"
    assert keys_text(keys, 15, PALETTE).plain == "Enter send"


def test_numbers() -> None:
    assert [count(n) for n in (0, 999, 1_000, 12_345, 99_960, 262_144, 1_234_567)] == ["0", "999", "1.0k", "12.3k", "100k", "262k", "1.2M"]
    assert [duration(s) for s in (0, 59.4, 60, 200, 3_600, 7_500)] == ["0 s", "59 s", "1 min", "3 min 20 s", "1 h", "2 h 5 min"]
    assert [money(c) for c in (None, 0.01234, 1.5)] == ["", "$0.0123", "$1.50"]
    assert [percent(p) for p in (0, 0.001, 0.5, 1)] == ["0 %", "<1 %", "50 %", "100 %"]
    assert [size(n) for n in (1, 999, 1_500, 14e6, 571e9, 2e12)] == ["1 B", "999 B", "1.5 kB", "14 MB", "571 GB", "2.0 TB"]
    assert fill(Status()) == "empty"
