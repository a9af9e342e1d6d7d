"""A model that answers from a script: public, so that every test of the agent can use it.

    client = ScriptedClient(
        [
            Assistant("", "look first", (ToolCall("functions.read:0", "read", '{"path": "a.py"}'),)),
            [Text("Do"), Restarted("cut"), Text("Done."), Finished(Assistant("Done."), Usage(10, 2), "stop")],
            TemporaryError("overloaded"),
            lambda request: f"You said: {request.messages[-1]}",
        ]
    )

One entry answers one request; `client.requests` are the requests it got. It keeps the promises of `ModelClient`: a list of deltas
that stops before `Finished` is a cut stream and raises. What this module does not do: count tokens as a real model would.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from kimicode.errors import ContractError, KimicodeError, TemporaryError
from kimicode.messages import Assistant, Usage
from kimicode.model.client import Delta, Finished, ModelInfo, ModelRequest, Reasoning, Text


@dataclass(frozen=True)
class Pause:
    """In a list of deltas: tell `reached`, then wait for `release`. For tests that act in the middle of a stream."""

    reached: asyncio.Event
    release: asyncio.Event


Step: TypeAlias = Delta | KimicodeError | Pause
Answer: TypeAlias = Assistant | str | KimicodeError | Sequence[Step]
Entry: TypeAlias = Answer | Callable[[ModelRequest], Answer]

SCRIPTED = ModelInfo(model="scripted", endpoint="scripted", context=100_000)


class ScriptedClient:
    """Answers request N with entry N. `usage` is what a plain answer (text or `Assistant`) is said to have cost."""

    def __init__(self, script: Iterable[Entry], *, info: ModelInfo = SCRIPTED, usage: Usage | None = None) -> None:
        self._script: Iterator[Entry] = iter(script)
        self._info = info
        self._usage = usage or Usage(prompt=100, completion=10)
        self.requests: list[ModelRequest] = []
        self.cancelled = 0
        self.closed = False

    @property
    def info(self) -> ModelInfo:
        """As given."""
        return self._info

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """The next entry. Raises `ContractError` when the script is used up. `cancelled` counts streams that were left early."""
        self.requests.append(request)
        entry = next(self._script, None)
        if entry is None:
            raise ContractError(f"the script has no answer for request {len(self.requests)}")
        answer = entry(request) if callable(entry) else entry
        try:
            for step in self._steps(answer):
                if isinstance(step, KimicodeError):
                    raise step
                if isinstance(step, Pause):
                    step.reached.set()
                    await step.release.wait()
                    continue
                # A real stream lets other tasks run between deltas.
                await asyncio.sleep(0)
                yield step
                if isinstance(step, Finished):
                    return
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
        raise TemporaryError("the scripted stream was cut")

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _steps(self, answer: Answer) -> Sequence[Step]:
        match answer:
            case str():
                return self._plain(Assistant(answer))
            case Assistant():
                return self._plain(answer)
            case KimicodeError():
                return [answer]
            case _:
                return answer

    def _plain(self, message: Assistant) -> list[Step]:
        steps: list[Step] = [Reasoning(message.reasoning)] if message.reasoning else []
        steps += [Text(line) for line in message.content.splitlines(keepends=True)]
        return [*steps, Finished(message, self._usage, "tool_calls" if message.tool_calls else "stop")]
