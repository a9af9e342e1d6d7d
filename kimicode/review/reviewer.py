"""One group before the model: the first pass that finds, the second that tries to refute. Each is one call, without tools.

All calls of a review begin with the same messages, and both passes of a group with the same code, so that an endpoint reads them once.
An answer that can't be used is asked for once more. What this module does not do: run several groups, or watch the time (`run` does).
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from string import Template
from typing import Final, TypeVar, cast

import msgspec

from kimicode.errors import ContractError
from kimicode.messages import Assistant, JsonObject, Message, Usage, User
from kimicode.model.client import Delta, Finished, ModelClient, ModelRequest, Thinking
from kimicode.review.answer import FINDINGS, VERDICTS, Findings, Verdicts, read_answer
from kimicode.review.finding import Finding
from kimicode.review.order import Effort
from kimicode.review.plan import Group, Words, most_tokens
from kimicode.review.refute import BATCH, judge, listed
from kimicode.review.settle import settle

_TRIES: Final = 2


class UnusableAnswer(ContractError):
    """The model answered twice in no form that can be read."""


T = TypeVar("T", Findings, Verdicts)


class Found(msgspec.Struct, frozen=True):
    """What a pass gave. `dropped` counts what fell in it; `cut`: the answer was longer than it may be, and its end is missing."""

    findings: tuple[Finding, ...]
    dropped: int
    cut: bool = False


class Reviewer:
    """Asks `client`. `opening` are the messages that all calls begin with. `calls` and `usage` count what was asked so far."""

    def __init__(self, client: ModelClient, opening: Sequence[Message], words: Words, effort: Effort, *, session_id: str = "") -> None:
        self._client = client
        self._opening = tuple(opening)
        self._words = words
        self._effort = effort
        self._session_id = session_id
        self.calls = 0
        self.usage = Usage()

    async def find(self, group: Group) -> Found:
        """The first pass: findings that have a place in the code, unverified. Raises what the client raises, and `UnusableAnswer`."""
        answer, cut = await self._ask(group, self._words["review/find"], FINDINGS, Findings, thinking=self._effort == "high")
        return Found(*settle(answer.findings, group.views), cut)

    async def refute(self, group: Group, findings: Sequence[Finding]) -> Found:
        """The second pass: what is left of `findings`. Raises as `find` does."""
        kept: list[Finding] = []
        fallen = 0
        for start in range(0, len(findings), BATCH):
            batch = findings[start : start + BATCH]
            task = Template(self._words["review/refute"]).substitute(findings=listed(batch))
            answer, _ = await self._ask(group, task, VERDICTS, Verdicts, thinking=self._effort != "low")
            left, dropped = judge(batch, answer.verdicts, group.views)
            kept += left
            fallen += dropped
        return Found(tuple(kept), fallen)

    async def _ask(self, group: Group, task: str, schema: JsonObject, form: type[T], *, thinking: bool) -> tuple[T, bool]:
        messages: tuple[Message, ...] = (*self._opening, User(f"{group.shown}\n\n{task}"))
        for left in reversed(range(_TRIES)):
            finished = await self._finished(messages, schema, thinking=thinking)
            text, cut = finished.message.content, finished.finish_reason == "length"
            try:
                return read_answer(text, form, cut=cut), cut
            except ContractError as error:
                if not left:
                    raise UnusableAnswer(f"the model's answer can't be used: {error.message}") from error
                again = Template(self._words["review/again"]).substitute(problem=error.message)
                messages = (*messages, Assistant(text), User(again))
        raise AssertionError("unreachable")

    async def _finished(self, messages: tuple[Message, ...], schema: JsonObject, *, thinking: bool) -> Finished:
        limit = most_tokens(self._client.info, thinking=thinking)
        mode = Thinking.ON if thinking else Thinking.OFF
        request = ModelRequest(messages, (), mode, schema, limit, self._session_id)
        self.calls += 1
        finished: Finished | None = None
        # Read to the end: to leave a stream early is to cancel the request.
        async with aclosing(cast("AsyncGenerator[Delta, None]", self._client.stream(request))) as deltas:
            async for delta in deltas:
                finished = delta if isinstance(delta, Finished) else finished
        if finished is None:
            raise ContractError("the model's stream ended without an answer")
        self.usage += finished.usage
        return finished
