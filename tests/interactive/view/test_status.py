"""What is so at the moment, event by event."""

from kimicode.events import (
    EngineProgress,
    Event,
    MessageAdded,
    Rewound,
    RunFinished,
    SessionStarted,
    StepFinished,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    Titled,
    ToolCallReady,
    ToolFinished,
)
from kimicode.interactive.view.status import PlanItem, Status, advance
from kimicode.messages import Assistant, ToolCall, ToolResult, Usage, User


def after(*events: Event, status: Status | None = None, step: float = 1.0) -> Status:
    found = status or Status()
    for number, event in enumerate(events):
        found = advance(found, event, number * step)
    return found


def test_phases_follow_the_run() -> None:
    call = ToolCall("functions.shell:0", "shell", "{}")
    events = [
        MessageAdded(User("Go.")),
        StepStarted(1),
        ThinkingDelta("h"),
        TextDelta("t"),
        StepFinished(1, Assistant("t", "h", (call,)), Usage(10, 2), "tool_calls", 1.0),
        ToolCallReady(call),
        ToolFinished(ToolResult(call.id, "shell", ""), 1.0),
        RunFinished("done", 0, "", 1, Usage(), 1.0),
    ]
    found = [after(*events[: count + 1]).phase for count in range(len(events))]
    assert found == ["waiting", "waiting", "thinking", "answering", "answering", "working", "working", "idle"]
    assert after(*events[:6]).calls == ((call.id, "shell"),)
    assert after(*events[:7]).calls == ()
    assert after(*events[:4]).since == 3.0


def test_tokens_money_and_the_context_add_up() -> None:
    one = StepFinished(1, Assistant("a"), Usage(100, 20, cached=60), "stop", 2.0, cost_usd=0.01)
    two = StepFinished(2, Assistant("b"), Usage(200, 10, cached=100), "stop", 2.0, cost_usd=0.02)
    found = after(StepStarted(1), one, StepStarted(2), two)
    assert (found.usage, found.cost_usd) == (Usage(300, 30, cached=160), 0.03)
    assert (found.context_used, found.cached, found.step) == (210, 0.5, 2)


def test_speed_is_counted_from_the_first_word_and_guessed_before_the_end() -> None:
    live = after(StepStarted(1), TextDelta("x" * 37), TextDelta("x" * 37), TextDelta("x" * 37))
    assert live.speed is not None
    assert 10 < live.speed < 20
    whole = advance(live, StepFinished(1, Assistant("x"), Usage(10, 90), "stop", 99.0), 10.0)
    assert whole.speed == 10.0


def test_a_speed_that_can_not_be_told_is_left_as_it_was() -> None:
    assert after(StepStarted(1), StepFinished(1, Assistant("x"), Usage(10, 1), "stop", 0.0)).speed is None


def test_the_plan_is_the_last_one_that_was_sent() -> None:
    good = ToolCall("1", "todo", '{"items": [{"text": "a", "status": "done"}, {"text": "b", "status": "in_progress"}]}')
    bad = ToolCall("2", "todo", '{"items": "many"}')
    assert after(ToolCallReady(good), ToolCallReady(bad)).plan == (PlanItem("a", "done"), PlanItem("b", "in_progress"))


def test_progress_goes_with_the_next_thing_that_happens() -> None:
    loading = EngineProgress("load", 1, 2, 3.0)
    assert after(StepStarted(1), loading).progress == loading
    assert after(StepStarted(1), loading, EngineProgress("load", 2, 2)).progress is None
    assert after(StepStarted(1), loading, TextDelta("x")).progress is None


def test_who_and_where() -> None:
    found = after(SessionStarted("id", "/w", "kimi-k2.6", "moonshot", "workspace", (), sandbox="bubblewrap"), Titled("bread"))
    assert (found.session_id, found.workspace, found.model, found.endpoint, found.permission, found.sandbox, found.title) == (
        "id", "/w", "kimi-k2.6", "moonshot", "workspace", "bubblewrap", "bread",
    )  # fmt: skip


def test_a_rewind_of_the_conversation_empties_the_context() -> None:
    used = after(StepFinished(1, Assistant("a"), Usage(100, 20), "stop", 2.0))
    assert advance(used, Rewound(1, True, True), 1.0).context_used == 0
    assert advance(used, Rewound(1, False, True), 1.0).context_used == 120
