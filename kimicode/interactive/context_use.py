"""What fills the model's window: how many tokens the system prompt, tools, map, words, answers and results take. Pure.

Tokens are counted with K2.6's vocabulary and then scaled such that their sum is what the last request and its answer were counted at by
the server: templates around messages, other vocabularies and pictures are spread over all parts. What this module does not do: draw, or
read a log.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from kimicode import tokens
from kimicode.events import Event, StepFinished
from kimicode.messages import Assistant, Conversation, System, ToolResult, ToolSpec, Usage, User
from kimicode.session.title import ENVIRONMENT_END, ENVIRONMENT_START, user_words

_MAP: Final = re.compile(r"<repository-map>.*?</repository-map>", re.DOTALL)
_NOTES: Final = re.compile(r"<project-instructions .*?</project-instructions>", re.DOTALL)

SYSTEM: Final = "system prompt"
TOOLS: Final = "tools"
FACTS: Final = "facts about this folder"
MAP: Final = "map of the repository"
NOTES: Final = "project instructions"
WORDS: Final = "your words"
SHELL: Final = "commands you ran"
ANSWERS: Final = "answers"
CALLS: Final = "calls"
THOUGHTS: Final = "thoughts"
_RESULTS: Final = "results of "


class Use(msgspec.Struct, frozen=True):
    """One part and its tokens."""

    label: str
    tokens: int


class Window(msgspec.Struct, frozen=True):
    """The window: its parts, largest first; `context` is how much it holds, 0 where that is not known. `measured`: the sum is the
    server's count, not ours."""

    parts: tuple[Use, ...]
    context: int
    measured: bool = False

    @property
    def used(self) -> int:
        """All parts together."""
        return sum(part.tokens for part in self.parts)

    @property
    def free(self) -> int:
        """What is left."""
        return max(0, self.context - self.used)


def window(conversation: Conversation, specs: Sequence[ToolSpec], *, context: int, used: int = 0, keep_thoughts: bool = False) -> Window:
    """What fills the window now. `used` is what the server counted last, 0 where it did not. A million characters take about a second."""
    counts: dict[str, int] = {TOOLS: sum(tokens.count(f"{spec.name}{spec.description}{_encoded(spec)}") for spec in specs)}
    last_words = max((at for at, message in enumerate(conversation) if isinstance(message, User)), default=0)
    for at, message in enumerate(conversation):
        for label, text in _texts(message, thoughts=keep_thoughts or at > last_words):
            if text:
                counts[label] = counts.get(label, 0) + tokens.count(text)
    total = sum(counts.values())
    scale = used / total if used and total else 1.0
    parts = [Use(label, round(count * scale)) for label, count in counts.items() if count]
    return Window(tuple(sorted(parts, key=lambda part: -part.tokens)), context, measured=bool(used and total))


def cache_hits(events: Iterable[Event], most: int = 8) -> tuple[Usage, ...]:
    """The usage of the last requests, oldest first."""
    found = [event.usage for event in events if isinstance(event, StepFinished) and event.usage.prompt]
    return tuple(found[-most:])


def _encoded(spec: ToolSpec) -> str:
    return msgspec.json.encode(spec.parameters).decode()


def _texts(message: object, *, thoughts: bool) -> Iterable[tuple[str, str]]:
    match message:
        case System(content=content):
            yield SYSTEM, content
        case User(content=content):
            yield from _user(content)
        case Assistant(content=content, reasoning=reasoning, tool_calls=calls):
            yield ANSWERS, content
            yield CALLS, "".join(f"{call.name}{call.arguments}" for call in calls)
            if thoughts:
                yield THOUGHTS, reasoning or ""
        case ToolResult(name=name, content=content):
            yield f"{_RESULTS}{name}", content
        case _:
            return


def _user(content: str) -> Iterable[tuple[str, str]]:
    words = user_words(content)
    before = content[: len(content) - len(words)]
    facts = ""
    if before.startswith(ENVIRONMENT_START):
        facts, _, before = before.partition(ENVIRONMENT_END)
    for label, pattern in ((MAP, _MAP), (NOTES, _NOTES)):
        yield label, "".join(pattern.findall(facts))
        facts = pattern.sub("", facts)
    yield FACTS, facts
    yield SHELL, before
    yield WORDS, words
