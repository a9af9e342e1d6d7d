"""A session as one Markdown document or one JSON object, for people and for other programs.

Markdown is built so that no content can break out of its place: prose is a block quotation, code stands in a fence longer than
any run of backticks inside it, and control characters are shown as `\\xNN`. What this module does not do: write files.
"""

import re
from collections.abc import Iterable
from typing import assert_never

import msgspec

from kimicode.events import Event, Rewound, RunFinished, ShellRan
from kimicode.messages import Assistant, Message, System, ToolCall, ToolResult, Usage, User
from kimicode.session.replay import Replayed, message_of, replay

EXPORT_VERSION = 1

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BACKTICKS = re.compile(r"`+")


class Export(msgspec.Struct, frozen=True):
    """The JSON form. `runs` are the ends of all runs, in order; `messages` is the conversation; `title` what the user called it."""

    v: int
    session_id: str
    workspace: str
    model: str
    endpoint: str
    started_at: str
    steps: int
    usage: Usage
    cost_usd: float | None
    messages: tuple[Message, ...]
    runs: tuple[RunFinished, ...]
    title: str = ""


def to_json(events: Iterable[Event]) -> bytes:
    """The session as one indented JSON object, ending in a newline."""
    known = tuple(events)
    totals = replay(known)
    start = totals.started
    export = Export(
        v=EXPORT_VERSION,
        session_id=start.session_id if start else "",
        workspace=start.workspace if start else "",
        model=start.model if start else "",
        endpoint=start.endpoint if start else "",
        started_at=start.started_at if start else "",
        steps=totals.steps,
        usage=totals.usage,
        cost_usd=totals.cost_usd,
        messages=totals.conversation,
        runs=tuple(event for event in known if isinstance(event, RunFinished)),
        title=totals.title,
    )
    return msgspec.json.format(msgspec.json.encode(export), indent=2) + b"\n"


def to_markdown(events: Iterable[Event]) -> str:
    """The session as one Markdown document."""
    known = tuple(events)
    parts = [_head(replay(known))]
    for event in known:
        message = message_of(event)
        if message is not None:
            parts += _message(message)
        elif isinstance(event, Rewound):
            parts.append(f"*Rewound to before turn {event.to_turn}*")
        elif isinstance(event, ShellRan):
            ending = "stopped" if event.exit_code is None else f"exit {event.exit_code}"
            parts += [f"### The user ran {_code(event.command)}", _fence(event.output.rstrip("\n")), f"*{ending}*"]
        elif isinstance(event, RunFinished):
            reason = f": {_inline(event.error)}" if event.error else ""
            parts.append(f"*Run ended: {event.status}{reason}*")
    return "\n\n".join(parts) + "\n"


def _head(totals: Replayed) -> str:
    start = totals.started
    cost = "" if totals.cost_usd is None else f" · ${totals.cost_usd:.4f}"
    counts = f"{totals.steps} steps · {totals.usage.prompt} tokens in · {totals.usage.completion} out{cost}"
    name = f": {_inline(totals.title)}" if totals.title else ""
    if start is None:
        return f"# Session{name}\n\n{counts}"
    facts = f"{_code(start.model)} at {_code(start.endpoint)} in {_code(start.workspace)} · {_inline(start.started_at)}"
    return f"# Session {start.session_id}{name}\n\n{facts}\n\n{counts}"


def _message(message: Message) -> list[str]:
    match message:
        case System(content=content):
            return ["## System", _quote(content)]
        case User(content=content, images=images):
            return ["## User", _quote(content), *(f"*Picture: {_code(image.name or image.path)}*" for image in images)]
        case Assistant(content=content, reasoning=reasoning, tool_calls=calls):
            thoughts = ["### Thinking", _quote(reasoning)] if reasoning else []
            text = [_quote(content)] if content else []
            return ["## Assistant", *thoughts, *text, *(_call(call) for call in calls)]
        case ToolResult(name=name, content=content, ok=ok):
            return [f"### {'Result' if ok else 'Failure'} of {_code(name)}", _fence(content)]
        case _:
            assert_never(message)


def _call(call: ToolCall) -> str:
    return f"### Call of {_code(call.name)}\n\n{_fence(call.arguments, 'json')}"


def _fence(text: str, language: str = "") -> str:
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{language}\n{_visible(text)}\n{marks}"


def _quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in _visible(text).split("\n"))


def _code(text: str) -> str:
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    marks = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{marks}{pad}{_inline(text)}{pad}{marks}"


def _inline(text: str) -> str:
    return " ".join(_visible(text).split())


def _visible(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text.replace("\r\n", "\n"))
