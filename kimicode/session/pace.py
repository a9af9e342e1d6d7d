"""When the events of a log came, as far as the log says, so that a replay can keep the time.

A log holds durations, not times: a step's seconds are spread evenly over its deltas, and calls that were ready together run side by
side. What this module does not do: wait, or show anything.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from kimicode.events import Event, StepFinished, StepStarted, TextDelta, ThinkingDelta, ToolCallReady, ToolFinished


def paced(events: Iterable[Event]) -> Iterator[tuple[float, Event]]:
    """Every event with the seconds to wait before it."""
    now, shown = 0.0, 0.0
    ready: dict[str, float] = {}
    for event, seconds in _steps_spread(tuple(events)):
        now += seconds
        match event:
            case ToolCallReady(call=call):
                ready[call.id] = now
            case ToolFinished(result=result, seconds=took):
                now = max(now, ready.get(result.call_id, now) + took)
            case _:
                pass
        yield now - shown, event
        shown = now


def _steps_spread(events: tuple[Event, ...]) -> Iterator[tuple[Event, float]]:
    """Every event with its share of its step's seconds; a step that never finished takes no time."""
    starts = [number for number, event in enumerate(events) if isinstance(event, StepStarted)]
    borders = sorted({0, *starts, len(events)})
    for begin, end in pairwise(borders):
        part = events[begin:end]
        seconds = sum(event.seconds for event in part if isinstance(event, StepFinished))
        timed = sum(isinstance(event, ThinkingDelta | TextDelta | StepFinished) for event in part)
        for event in part:
            yield event, seconds / timed if isinstance(event, ThinkingDelta | TextDelta | StepFinished) else 0.0
