"""A rewind that is about to happen, in words: what is done to which file, and what is left alone.

What this module does not do: decide that (`rewind`), do it (`perform`), or ask.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import SessionError
from kimicode.events import Event, SessionStarted
from kimicode.files.place import open_file
from kimicode.session.preimages import PreImages
from kimicode.session.rewind import FileStep, RewindPlan
from kimicode.text import render_exact

_MOST_COUNTED: Final = 4 << 20
"""Lines of larger files are not counted."""


class Line(msgspec.Struct, frozen=True):
    """One line of a preview: `word` is the action or why there is none, `name` an exact name, `detail` lines added and removed, or a
    reason."""

    word: str
    name: str
    detail: str = ""


def lines_of(plan: RewindPlan, contents: PreImages) -> tuple[Line, ...]:
    """What the plan does, place by place. Reads files; nothing raises for what is found there."""
    return tuple(_line(step, contents) for step in plan.files)


def named(step: FileStep) -> str:
    """What is to be approved is shown exactly, on one line."""
    state = step.current if step.target.kind == "missing" else step.target
    kind = {"folder": "/", "link": f" -> {state.target}"}.get(state.kind, "")
    return render_exact(step.name + kind).replace("\n", "")


def workspace_of(events: Iterable[Event]) -> Path:
    """The folder in which a session was held last, real."""
    workspace = Path("/")
    for event in events:
        if isinstance(event, SessionStarted):
            workspace = Path(event.workspace)
    return workspace.resolve()


def _line(step: FileStep, contents: PreImages) -> Line:
    if step.ready:
        return Line(step.action, named(step), _counts(step, contents))
    word = "stays" if step.stays else "conflict" if step.conflict and not step.problem else "impossible"
    return Line(word, named(step), "it is not empty" if step.stays else step.problem or step.conflict)


def _counts(step: FileStep, contents: PreImages) -> str:
    """Lines that are only in the new text and only in the old one."""
    if step.target.kind == step.current.kind and step.target.digest == step.current.digest:
        return f"mode {step.current.mode:o} to {step.target.mode:o}" if step.target.mode != step.current.mode else ""
    if max(step.target.size, step.current.size) > _MOST_COUNTED:
        return f"{step.current.size} to {step.target.size} bytes"
    try:
        old, new = _now(step), contents.load(step.target.digest) if step.target.kind == "file" else b""
    except (OSError, SessionError):
        return ""
    if b"\0" in old or b"\0" in new:
        return f"binary, {len(old)} to {len(new)} bytes"
    before, after = Counter(old.splitlines()), Counter(new.splitlines())
    return f"+{(after - before).total()} -{(before - after).total()}"


def _now(step: FileStep) -> bytes:
    if step.current.kind != "file":
        return b""
    with open(open_file(step.place), "rb") as file:
        return file.read()
