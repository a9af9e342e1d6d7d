import pytest

from kimicode.events import Event, MessageAdded, StepFinished, StepStarted, TextDelta, ThinkingDelta, ToolCallReady, ToolFinished
from kimicode.messages import Assistant, ToolCall, ToolResult, Usage, User
from kimicode.session.pace import paced


def finished(step: int, seconds: float) -> StepFinished:
    return StepFinished(step, Assistant("x"), Usage(), "stop", seconds)


def ready(name: str) -> ToolCallReady:
    return ToolCallReady(ToolCall(name, "shell", "{}"))


def done(name: str, seconds: float) -> ToolFinished:
    return ToolFinished(ToolResult(name, "shell", ""), seconds)


def waits(events: list[Event]) -> list[float]:
    return [round(seconds, 6) for seconds, _ in paced(events)]


def test_a_steps_time_is_spread_over_its_deltas() -> None:
    events = [
        MessageAdded(User("hi")),
        StepStarted(1),
        ThinkingDelta("a"),
        TextDelta("b"),
        finished(1, 3.0),
        StepStarted(2),
        finished(2, 5.0),
    ]
    assert waits(events) == [0, 0, 1, 1, 1, 0, 5]
    assert [event for _, event in paced(events)] == events


def test_calls_run_side_by_side() -> None:
    assert waits([ready("a"), ready("b"), done("b", 2.0), done("a", 3.0)]) == [0, 0, 2, 1]
    assert waits([ready("a"), ready("b"), done("b", 2.0), done("a", 1.0)]) == [0, 0, 2, 0]


@pytest.mark.parametrize("events", [[], [TextDelta("x")], [StepStarted(1), TextDelta("x")], [done("nobody's", 0.5)]])
def test_a_cut_log_never_waits_backwards(events: list[Event]) -> None:
    assert all(seconds >= 0 for seconds in waits(events))
    assert len(waits(events)) == len(events)
