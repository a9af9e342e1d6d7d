"""A long session for measurements: a log of many blocks, as a real run would have written it, only faster.

What this module does not do: run a model. Everything in it follows from a number, so two logs of the same size are the same.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from kimicode.events import (
    Event,
    MessageAdded,
    RunFinished,
    SessionStarted,
    StepFinished,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallReady,
    ToolFinished,
    encode_event,
)
from kimicode.messages import Assistant, System, ToolCall, ToolResult, Usage, User

BLOCKS = 10_000
_SESSION = "20261101-120000-abcd"
_TURN = 8
"""Blocks a turn: the prompt, two calls with thoughts and words before them, the answer, the end."""

_ANSWER = """## What was wrong in part {n}

`add_loaves` **subtracted**. Now it adds:

```python
def add_loaves_{n}(morning, evening):
    return morning + evening
```

- the test passes
- nothing else was touched, see [the page](https://example.org/{n})

| file | lines |
|---|---|
| bakery_{n}.py | 2 |
"""


def events(blocks: int, workspace: Path, session: str = _SESSION) -> list[Event]:
    """A session of at least so many blocks, in whole turns."""
    tools = ("read", "write", "edit", "shell")
    found: list[Event] = [
        SessionStarted(
            session, str(workspace), "kimi-k2.6", "moonshot", "workspace", tools, started_at=datetime(2026, 11, 1, tzinfo=UTC).isoformat()
        ),
        MessageAdded(System("You are kimicode.")),
    ]
    step = 0
    for turn in range(-(-blocks // _TURN)):
        found.append(MessageAdded(User(f"Mend part {turn} of the bakery, please, and say what was wrong with it.")))
        for number, (name, arguments, result) in enumerate(_calls(turn)):
            step += 1
            call = ToolCall(f"functions.{name}:{2 * turn + number}", name, json.dumps(arguments))
            thought, words = f"Part {turn}: {name} first, because the test says so. " * 3, f"I {name} it."
            answer = Assistant(words, thought, (call,))
            found += [StepStarted(step), *(ThinkingDelta(f"{word} ") for word in thought.split()), TextDelta(words)]
            found += [StepFinished(step, answer, Usage(1000 + turn, 60, 900), "tool_calls", 1.0, 0.001), ToolCallReady(call)]
            found.append(ToolFinished(ToolResult(call.id, name, result), 0.2))
        step += 1
        text = _ANSWER.format(n=turn)
        found += [StepStarted(step), *(TextDelta(f"{line}\n") for line in text.rstrip("\n").split("\n"))]
        found.append(StepFinished(step, Assistant(text), Usage(1100 + turn, 120, 1000), "stop", 2.0, 0.001))
        found.append(RunFinished("done", 0, text, 3, Usage(3000, 240, 2800), 5.0, 0.003))
    return found


def _calls(turn: int) -> tuple[tuple[str, dict[str, object], str], ...]:
    source = "\n".join(f"{line:>4}  def part_{turn}_{line}(): return {line}" for line in range(1, 40))
    output = "\n".join(f"test_bakery.py::test_{turn}_{line} PASSED" for line in range(30)) + "\n[exit 0]"
    return ("read", {"path": f"bakery_{turn}.py"}, source), ("shell", {"command": f"python -m pytest -q -k part_{turn}"}, output)


def write_session(home: Path, workspace: Path, blocks: int = BLOCKS) -> tuple[str, str]:
    """Write the log below kimicode's home; the session's id, and a text that stands near its end."""
    folder = home / "sessions"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = events(blocks, workspace)
    with open(folder / f"{_SESSION}.jsonl", "wb") as file:
        file.writelines(encode_event(event) + b"\n" for event in written)
    return _SESSION, f"bakery_{-(-blocks // _TURN) - 1}.py"
