"""What the screen is looked at with: a session of every kind, and every dialog, as data. No clock, no random name, no place on a real disk.

`SCENES` has them by name; `MAIN` names those that need to be looked at in every size. What this module does not do: put one on a screen
(`stage.py` does).
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Final, Literal

import msgspec
from textual.command import CommandPalette

from kimicode.events import (
    Decided,
    EngineProgress,
    Event,
    FileChange,
    FilesChanged,
    MessageAdded,
    Notice,
    Rewound,
    RunFinished,
    SessionStarted,
    ShellRan,
    StepFinished,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallReady,
    ToolFinished,
    ToolOutput,
)
from kimicode.files.state import FileState
from kimicode.interactive.commands import COMMANDS
from kimicode.interactive.person import (
    Code,
    Diff,
    Field,
    Menu,
    Option,
    Page,
    Rows,
    Share,
    Step,
    Words,
)
from kimicode.interactive.prompt.files import Listed, WorkspaceFiles
from kimicode.interactive.settings_form import form_of
from kimicode.interactive.view.status import Engine, Git, PlanItem, Status, Touched
from kimicode.interactive.waiting import Prompt, Waiting
from kimicode.interactive.wizard import first_run
from kimicode.messages import Assistant, Image, ToolCall, ToolResult, Usage, User
from kimicode.sandbox.approval import FileText, Question
from kimicode.settings import Settings
from kimicode.tui.app import KimicodeApp
from kimicode.tui.dialogs.help import help_page
from kimicode.tui.dialogs.palette import provider_of
from kimicode.tui.dialogs.person import TuiPerson
from tests.tui.stage import ENVIRON, Scene

Over = Callable[[KimicodeApp, TuiPerson], Coroutine[None, None, object]]

BEFORE = '''"""Prices of what the bakery sells."""

from decimal import Decimal


def total(prices: list[Decimal], tax: Decimal) -> Decimal:
    """What a customer pays."""
    result = Decimal(0)
    for price in prices[1:]:
        result += price
    return result * (1 + tax)


def shown(amount: Decimal) -> str:
    return f"{amount} EUR"
'''
AFTER = BEFORE.replace("prices[1:]", "prices").replace('f"{amount} EUR"', 'f"{amount:.2f} EUR"')
MENDED = FileText("bakery/prices.py", BEFORE, AFTER)
TEST = FileText(
    "tests/test_prices.py",
    None,
    "from decimal import Decimal\n\nfrom bakery.prices import total\n\n\ndef test_nothing_is_left_out():\n"
    "    assert total([Decimal(1), Decimal(2)], Decimal(0)) == 3\n",
)

MARKDOWN = """# What went wrong

The loop in `total` began at the **second** price: `prices[1:]` leaves the first one out. See [Python's slices](https://example.org/slices).

1. `total` takes all prices now.
2. `shown` prints two places, *always*.
   - `3` became `3.00 EUR`

| Order        | Before | After |
|:-------------|-------:|------:|
| one bread    |   0.00 |  3.20 |
| two breads   |   3.20 |  6.40 |

```python
for price in prices:  # all of them
    result += price
```

> Every customer paid one item too little.

Nothing else uses these functions.
"""

STARTED = SessionStarted(
    "20260102-030405-bread", "/nowhere/bakery", "kimi-k2.6", "moonshot", "workspace", ("read", "edit"), sandbox="bubblewrap"
)
PLAN = (PlanItem("Find the fault", "done"), PlanItem("Mend total()", "in_progress"), PlanItem("Run the tests", "pending"))
USAGE = Usage(18_200, 640, 15_900, 210)


def said(text: str, *images: str) -> MessageAdded:
    return MessageAdded(User(text, tuple(Image(f"/nowhere/{name}", "image/png", name) for name in images)), "2026-01-02T03:04:05Z")


def called(
    name: str, arguments: str, result: str | None = None, *, ok: bool = True, call_id: str = "", seconds: float = 0.2
) -> tuple[Event, ...]:
    """A call, and its result where there is one."""
    call = ToolCall(call_id or f"{name}-1", name, arguments)
    done = () if result is None else (ToolFinished(ToolResult(call.id, name, result, ok), seconds),)
    return ToolCallReady(call), *done


def answered(step: int, text: str = "", thought: str = "", seconds: float = 6.0) -> tuple[Event, ...]:
    """A step with thoughts and words."""
    events: list[Event] = [StepStarted(step)]
    events += [ThinkingDelta(thought)] if thought else []
    events += [TextDelta(text)] if text else []
    return *events, StepFinished(step, Assistant(text, thought or None), USAGE, "stop", seconds, 0.0117)


def ended(status: Literal["done", "interrupted", "unavailable", "budget"] = "done", error: str = "") -> RunFinished:
    return RunFinished(status, 0 if status == "done" else 1, "", 3, Usage(54_600, 1_920, 47_700), 74.0, 0.0351, error)


def known(status: Status) -> Status:
    """What nobody's events tell: git, files, the engine's state."""
    return msgspec.structs.replace(
        status,
        context=262_144,
        speed=41.7 if status.step else None,
        git=Git("main", 2),
        touched=(Touched("bakery/prices.py", 2, 2), Touched("tests/test_prices.py", 7, 0)) if status.step else (),
        plan=status.plan or (PLAN if status.step else ()),
    )


def local(status: Status) -> Status:
    """With the engine on this machine."""
    engine = Engine(
        "loading" if status.progress is not None and status.progress.what == "load" else "ok",
        "kimi-k2.6",
        "GPU 0: 9 GB attention; RAM: 61 GB routed experts, 3 GB embeddings and rest; Disk: 480 GB routed experts",
        "in memory and on disk",
        0.87,
    )
    return msgspec.structs.replace(status, context=131_072, git=Git("main"), engine=engine, speed=6.4)


FAILED = "\n".join(
    (
        "============================= test session starts ==============================",
        "collected 12 items",
        "",
        *(f"tests/test_oven.py::test_heat[{at}] PASSED" for at in range(9)),
        "tests/test_prices.py::test_nothing_is_left_out FAILED",
        "",
        "    assert total([Decimal(1), Decimal(2)], Decimal(0)) == 3",
        "E   AssertionError: assert Decimal('2') == 3",
        "=========================== 1 failed, 11 passed in 0.31s =======================",
        "[exit 1]",
    )
)

QUESTION = "The sum of an order is wrong: the first item costs nothing. Here is a receipt. Find out why, and mend it."

THOUGHT = "The first item costs nothing, so something skips it. I look for what sums prices."

TOOLS: Final[tuple[Event, ...]] = (
    STARTED,
    said(QUESTION, "receipt.png"),
    StepStarted(1),
    ThinkingDelta(THOUGHT),
    StepFinished(1, Assistant("", THOUGHT), USAGE, "tool_calls", 4.0),
    *called("todo", '{"items": [{"text": "Find the fault", "status": "done"}, {"text": "Mend total()", "status": "in_progress"}, '
            '{"text": "Run the tests", "status": "pending"}]}', "ok"),
    *called("grep", '{"pattern": "def total", "path": "bakery"}',
            "bakery/prices.py:6:def total(prices: list[Decimal], tax: Decimal) -> Decimal:"),
    *called("read", '{"path": "bakery/prices.py"}', BEFORE),
    *called("shell", '{"command": "python -m pytest -q"}', FAILED, call_id="pytest-1", seconds=1.4),
    ToolCallReady(ToolCall("edit-1", "edit", '{"path": "bakery/prices.py", "old_string": "prices[1:]", "new_string": "prices"}')),
    FilesChanged("edit-1", (FileChange("bakery/prices.py", FileState("file", size=380), FileState("file", size=380)),)),
    ToolFinished(ToolResult("edit-1", "edit", "ok"), 0.1),
    *called("shell", '{"command": "python -m pytest -q"}', "12 passed in 0.29s\n[exit 0]", call_id="pytest-2", seconds=1.2),
)  # fmt: skip

ENDS: Final[tuple[Event, ...]] = (
    STARTED,
    ShellRan("git status --short", " M bakery/prices.py\n?? tests/test_prices.py\n", 0, 0.1),
    said("Clean up the old reports"),
    Notice("The provider is busy; asking again in 2 s.", "warning"),
    Decided("shell", "rm -rf reports/2025", "no", "keep the ones of December"),
    *called("shell", '{"command": "rm -rf reports/2025"}', "Refused: the user said no: keep the ones of December", ok=False),
    *answered(1, "Then I leave them alone. Which ones may go?"),
    ended(),
    said("All but December"),
    *called("shell", "{\"command\": \"find reports -name '*.txt' ! -path '*12*' -delete\"}", call_id="find-1"),
    ended("interrupted"),
    Rewound(2, True, True, (FileChange("reports/1.txt", FileState(), FileState("file")),)),
    said("What is in reports now?"),
    StepStarted(2),
    Notice("Context was made smaller: 41 old results were left out."),
    ended("unavailable", "moonshot does not answer (503). Ask again in a minute, or choose another endpoint with /endpoint."),
)

STREAM = MARKDOWN[: MARKDOWN.index("    result += price")] + "    resu"
LIVE = "\n".join(f"tests/test_oven.py::test_heat[{at}] PASSED" for at in range(40)) + "\ntests/test_prices.py::test_"

HOSTILE = (
    "한국어 日本語 中文 in a line, 👩‍👩‍👧 a family, e\u0301 with an accent, 🇩🇪 a flag\n\n"
    "עברית and العربية run from right to left, \u202eand this would turn the line\u202c around\n\n"
    "[bold red]no markup[/], [@click=app.quit]no link[/], \x1b[2J\x1b[31mno colour\x1b[0m, \x07no bell, zero\u200bwidth\n\n"
    "| 名前 | price |\n|---|---:|\n| パン | 3 |\n| bread 🍞 | 12 |\n"
)

TALK: Final[tuple[Event, ...]] = (
    STARTED,
    *(
        event
        for turn in range(1, 13)
        for event in (
            said(f"Question {turn}: which bread is baked on day {turn}?"),
            *answered(turn, f"On day {turn} the oven bakes **{turn * 12} loaves** of rye, and a few rolls.\n\nDay {turn} is a busy one."),
            ended(),
        )
    ),
)


def shown(page: Page) -> Over:
    return lambda app, person: person.show(page)


async def _preview(pages: tuple[Page, ...], index: int) -> Page:
    return pages[index % len(pages)]


MODELS = Menu(
    "Which model?",
    (
        Option("kimi-k2.6 at moonshot", "$0.95 in, $4.00 out for a million tokens", current=True),
        Option("kimi-k2.6 at openrouter", "$0.60 in, $2.80 out for a million tokens"),
        Option("kimi-nano in the box", "free: it runs here"),
        Option("/nowhere/models/kimi-k2.6-q3.gguf", "free: it runs here"),
    ),
    partial(
        _preview,
        (
            Page(
                "kimi-k2.6 at moonshot",
                (
                    Rows(
                        (
                            ("model", "kimi-k2.6"),
                            ("where", "moonshot"),
                            ("context", "262,144 tokens"),
                            ("thinking", "can be kept"),
                            ("pictures", "yes"),
                        )
                    ),
                    Words("It answers in 0.4 s, and the key is known there."),
                ),
            ),
        ),
    ),
    "Others: /model NAME or FILE, /endpoint for a server of your own, /setup for a key.",
)
TURNS = Menu(
    "Go back to before which turn?",
    (
        Option("3. And print two places, always", "today 03:12 · 1 file"),
        Option(f"2. {QUESTION}", "today 03:04 · 2 files"),
        Option("1. What is in this folder?", "today 03:01 · 0 files"),
    ),
    partial(
        _preview, (Page("Before turn 3", (Words("1 file would be changed back."), Diff((FileText("bakery/prices.py", AFTER, BEFORE),)))),)
    ),
)
CONTEXT = Page(
    "What fills the window",
    (
        Words("98,765 of 262,144 tokens (38 %). The sum is the server's own count; the parts are ours, scaled to it."),
        Share("system prompt", 3_210, 262_144, "tokens"),
        Share("tools", 5_432, 262_144, "tokens"),
        Share("what you said", 1_234, 262_144, "tokens"),
        Share("answers", 8_889, 262_144, "tokens"),
        Share("results of tools", 80_000, 262_144, "tokens"),
        Share("free", 163_379, 262_144, "tokens"),
        Words("The last prompts: how much of each the server had already."),
        Rows((("97,100", "91,200", "94 %"), ("98,125", "97,000", "99 %")), ("tokens", "cached", "")),
        Code("def total(prices):\n    return sum(prices)", "python"),
    ),
)
COMMAND = Question(
    "shell",
    'set -eu\nfor folder in reports/2025-*; do\n    tar czf "$folder.tar.gz" "$folder" && rm -rf "$folder"\ndone\n'
    + "".join(f"curl -fsS https://example.org/upload/{at} --data-binary @reports/{at}.tar.gz\n" for at in range(1, 15)),
    "it removes folders and speaks to a host that no rule allows",
    parts=('rm -rf "$folder"', "curl (example.org)"),
)
CHANGE = Question("edit", "bakery/prices.py, .github/workflows/test.yml", "it changes what other programs run", files=(MENDED, TEST),
                  executable_config=(".github/workflows/test.yml",), behind=1)  # fmt: skip
RULE = Question(
    "shell", "git push origin main", "it speaks to a host that no rule allows", parts=("git push (github.com)",), rule="shell(git push *)"
)


async def _work(step: Step) -> None:
    step.tell("Summing up what was said, with kimi-k2.6 at moonshot", 0.4)
    await asyncio.Event().wait()


async def _palette(app: KimicodeApp, person: TuiPerson) -> None:
    del person
    provider = provider_of(lambda: COMMANDS, lambda _: None)
    app.push_screen(CommandPalette(providers=[provider], placeholder="Search commands", id="--command-palette"))
    await asyncio.Event().wait()


def _with_commands(app: KimicodeApp) -> None:
    app.main.prompt.commands = COMMANDS


def _with_files(app: KimicodeApp) -> None:
    names = (
        "bakery/__init__.py",
        "bakery/oven.py",
        "bakery/prices.py",
        "docs/prices.md",
        "tests/test_oven.py",
        "tests/test_prices.py",
        "名前.txt",
    )
    app.main.prompt.files = WorkspaceFiles(lambda: Listed(names, ("bakery/prices.py",)))


TALKED = (STARTED, said(QUESTION), *answered(1, MARKDOWN, "Short."), ended())
BACKDROP = TOOLS[:9]

SCENES: Final[dict[str, Scene]] = {
    "new": Scene("Ask, or type", (STARTED,), known),
    "tools": Scene("12 passed", TOOLS, known, diffs={"edit-1": (MENDED,)}),
    "answer": Scene("Nothing else uses", TALKED, known),
    "ends": Scene("does not answer", ENDS, known),
    "streaming": Scene("resu", (STARTED, said(QUESTION), StepStarted(1), TextDelta(STREAM)), known),
    "running": Scene("test_prices.py::test_", (*TOOLS[:5], *called("shell", '{"command": "python -m pytest -v"}', call_id="live"),
                                               ToolOutput("live", LIVE)), known),
    "loading": Scene("Loading the model", (msgspec.structs.replace(STARTED, endpoint="embedded"), said(QUESTION), StepStarted(1),
                                           EngineProgress("load", 214_000_000_000, 571_000_000_000, 95.0)), local),
    "prefill": Scene("Reading the prompt", (msgspec.structs.replace(STARTED, endpoint="embedded"), said(QUESTION), StepStarted(1),
                                            EngineProgress("prefill", 8_192, 18_200, 31.0)), local),
    "queue": Scene("Why would it", (*TOOLS[:5], StepStarted(2),
                                        ThinkingDelta("So `total` starts at the second price.\nWhy would it?")), known,
                   Waiting((Prompt("And print two places"), Prompt("Then commit")))),
    "held": Scene("1 held", TALKED, known, Waiting((Prompt("And print two places"),), paused=True)),
    "below": Scene("new below", TALK, known, before=("pageup", "pageup"),
                   later=(said("One more question"), *answered(13, "Rye again."), ended())),
    "find": Scene("of 12", TALK, known, before=("ctrl+f",), keys=tuple("loaves")),
    "unfolded": Scene("a customer pays", TOOLS[:11], known, keys=("alt+up", "enter")),
    "hostile": Scene("名前 🍞", (STARTED, said("日本語 [bold]x[/] \x1b[31mred\u202e"), *answered(1, HOSTILE),
                              *called("shell",
                                      '{"command": "printf \'\\u001b[2J\\u202e日本\'"}',
                                      "\x1b[31mred\x1b[0m \x1b[2J名前 🍞\n[exit 0]")), known),
    "approve-diff": Scene("Does not run.", BACKDROP, known, over=lambda app, person: person.approve(CHANGE)),
    "approve-command": Scene("Does not run.", BACKDROP, known, over=lambda app, person: person.approve(COMMAND)),
    "approve-always": Scene("writes to your settings", BACKDROP, known, over=lambda app, person: person.approve(RULE),
                            keys=("left", "left")),
    "approve-quiet": Scene("Wait: keys", BACKDROP, known, over=lambda app, person: person.approve(RULE), early=True),
    "approve-reason": Scene("the answer is no", BACKDROP, known, over=lambda app, person: person.approve(RULE),
                            keys=("r", *"push to a branch")),
    "models": Scene("Which model?", (STARTED,), known, over=lambda app, person: person.choose(MODELS)),
    "rewind": Scene("before which turn", TALKED, known, over=lambda app, person: person.choose(TURNS)),
    "settings": Scene("Settings", (STARTED,), known, over=lambda app, person: person.fill(form_of(Settings()))),
    "secret": Scene("••••", (STARTED,), known, over=lambda app, person: person.word(
        Field("key", "API key for Moonshot", help="It is tried, then kept where you say.", secret=True)), keys=tuple("sk-1234567890")),
    "confirm": Scene("Go back", TALKED, known, over=lambda app, person: person.confirm(
        "Go back to before turn 2?", detail="The conversation, and 2 files changed back. A rewind can be rewound.")),
    "context": Scene("What fills", TALKED, known, over=shown(CONTEXT)),
    "help": Scene("Help", (STARTED,), known, over=lambda app, person: person.show(help_page(app.main))),
    "palette": Scene("/help", (STARTED,), known, over=_palette),
    "commands": Scene("/rewind", (STARTED,), known, prepare=_with_commands, keys=("slash", "r", "e")),
    "files": Scene("prices.md", (STARTED,), known, prepare=_with_files, keys=("@", *"pric")),
    "wizard": Scene("Which model shall", (), over=lambda app, person: first_run(
        person, Settings(), environ=ENVIRON, workspace=Path("/nowhere"))),
    "work": Scene("40%", TALKED, known, over=lambda app, person: person.work("Making the context smaller", _work)),
}  # fmt: skip
"""Every scene by its name."""

MAIN: Final = (
    "new",
    "tools",
    "answer",
    "ends",
    "running",
    "queue",
    "hostile",
    "approve-diff",
    "approve-command",
    "models",
    "settings",
    "context",
)
"""Those that are looked at in every size."""
