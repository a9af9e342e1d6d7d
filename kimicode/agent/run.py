"""One run: from a user prompt in the context to `RunFinished`, whatever happens in between.

Ask the model, run the calls of its answer, ask again, until an answer without calls counts as final. A run can be stopped at any
moment, by the user or by the deadline: the stop is noticed before the next event and interrupts every wait. Either way it ends
in order: a partial answer is kept with a note, every call has its one result, and the context can be gone on from.
What this module does not do: keep anything from one run to the next (`loop` does).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

import msgspec

from kimicode.agent.answer import Contract, Judge
from kimicode.agent.budget import Ledger, Limits, out_of_time
from kimicode.agent.context import unanswered
from kimicode.agent.guard import Guard
from kimicode.agent.outcome import error_of, status_of
from kimicode.agent.record import Recorder
from kimicode.agent.schedule import run_calls
from kimicode.agent.toolbox import Toolbox
from kimicode.errors import BudgetReached, ContractError, Interrupted, KimicodeError, SessionError
from kimicode.events import (
    AnswerReset,
    Event,
    MessageAdded,
    Notice,
    RunFinished,
    StepFinished,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallReady,
    ToolFinished,
)
from kimicode.messages import Assistant, Conversation, ToolCall, ToolResult, User
from kimicode.model.client import Delta, Finished, ModelClient, ModelRequest, Reasoning, Restarted, Text, Thinking
from kimicode.model.repair import repair
from kimicode.text import well_formed

_LOST = "No result: kimicode ended before this call finished. It may have run in part."


class Options(msgspec.Struct, frozen=True):
    """How runs of one agent behave. After a stop, tools and connections get `grace` seconds to clean up; then the run ends without them."""

    limits: Limits = Limits()
    thinking: Thinking = Thinking.ON
    max_answer_tokens: int | None = None
    session_id: str = ""
    grace: float = 3.0


class Run:
    """One run. `step` is the number of the session's last step, before and after. `steers` are taken from the left as they come."""

    def __init__(
        self,
        model: ModelClient,
        tools: Toolbox,
        recorder: Recorder,
        options: Options,
        *,
        contract: Contract | None,
        steers: deque[User],
        step: int,
        clock: Callable[[], float],
    ) -> None:
        self.step = step
        self._model = model
        self._tools = tools
        self._recorder = recorder
        self._options = options
        self._contract = contract
        self._steers = steers
        self._clock = clock
        self._started = clock()
        self._ledger = Ledger(options.limits)
        self._guard = Guard()
        self._judge = Judge(contract)
        self._partial: list[str] = []
        self._thoughts: list[str] = []
        self._stopping: KimicodeError | None = None
        self._work: asyncio.Task[None] | None = None
        self._abandoned: asyncio.Future[None] | None = None
        self._unwritten: SessionError | None = None
        self._ended = False
        self._before = len(recorder.context.messages)

    async def go(self, prompt: Conversation) -> RunFinished:
        """Append `prompt` and run to the end. If the caller is cancelled, the run is interrupted first and the cancellation goes on."""
        try:
            self._begin(prompt)
        except SessionError as error:
            self._stopping = error
            return self._end()
        loop = asyncio.get_running_loop()
        self._abandoned = loop.create_future()
        self._work = loop.create_task(self._until_answered())
        seconds = self._options.limits.seconds
        timer = None if seconds is None else loop.call_later(seconds, self.stop, BudgetReached(out_of_time(seconds)))
        try:
            await self._over()
        except asyncio.CancelledError:
            self.stop(Interrupted("interrupted by the user"))
            await self._over()
            self._end()
            raise
        finally:
            if timer is not None:
                timer.cancel()
            self._abandoned.cancel()
        return self._end()

    def stop(self, reason: KimicodeError) -> None:
        """End the run soon, for this reason; the first reason counts. Safe at any moment, from inside of an event too."""
        if self._stopping is not None:
            return
        self._stopping = reason
        if self._work is not None and self._abandoned is not None:
            asyncio.get_running_loop().call_later(self._options.grace, _settle, self._abandoned)
            self._work.cancel()

    def _begin(self, prompt: Conversation) -> None:
        self._recorder.catch_up()
        for call in unanswered(self._recorder.context.messages):
            self._record(ToolFinished(ToolResult(call.id, call.name, _LOST, ok=False), 0.0))
        for message in prompt:
            self._record(MessageAdded(message))
        if self._options.limits.usd is not None and self._model.info.price_in is None:
            self._record(Notice(f"the price of {self._model.info.model} is not known: the limit in USD can't be kept", "warning"))

    async def _over(self) -> None:
        assert self._work is not None
        assert self._abandoned is not None
        await asyncio.wait({self._work, self._abandoned}, return_when=asyncio.FIRST_COMPLETED)

    async def _until_answered(self) -> None:
        while True:
            self._deliver_steers()
            spent = self._ledger.reached(self._clock() - self._started)
            if spent:
                raise BudgetReached(spent)
            finished = await self._ask()
            if finished.message.tool_calls:
                await self._run_calls(finished.message.tool_calls)
                continue
            note = self._judge.accept(finished)
            if note:
                self._say(note)
            elif not self._steers:
                return

    async def _ask(self) -> Finished:
        self._check()
        self.step += 1
        self._record(StepStarted(self.step))
        options = self._options
        request = ModelRequest(
            messages=repair(self._recorder.context.messages),
            tools=self._tools.specs,
            thinking=options.thinking,
            schema=self._contract.schema if self._contract else None,
            max_tokens=options.max_answer_tokens,
            session_id=options.session_id,
        )
        asked = self._clock()
        stream = self._model.stream(request)
        try:
            async for delta in stream:
                self._check()
                if isinstance(delta, Finished):
                    return self._accept(delta, self._clock() - asked)
                self._show(delta)
        finally:
            await _close(stream)
        raise ContractError("the model's stream ended without an answer", hint="Try again; if it stays, the endpoint is at fault.")

    def _show(self, delta: Text | Reasoning | Restarted) -> None:
        match delta:
            case Text(text=text):
                self._partial.append(text)
                self._record(TextDelta(text))
            case Reasoning(text=text):
                self._thoughts.append(text)
                self._record(ThinkingDelta(text))
            case Restarted(reason=reason):
                self._forget_partial()
                self._record(AnswerReset(reason))

    def _accept(self, finished: Finished, seconds: float) -> Finished:
        cost = self._model.info.cost(finished.usage)
        self._ledger = self._ledger.charge(finished.usage, cost)
        self._forget_partial()
        self._record(StepFinished(self.step, finished.message, finished.usage, finished.finish_reason, seconds, cost))
        return finished

    async def _run_calls(self, calls: tuple[ToolCall, ...]) -> None:
        accesses = [self._tools.accesses(call) for call in calls]
        stops: list[str] = []

        async def start(index: int) -> tuple[ToolResult, float]:
            self._check()
            self._record(ToolCallReady(calls[index]))
            begun = self._clock()
            result = await self._tools.run(calls[index])
            return msgspec.structs.replace(result, content=well_formed(result.content)), self._clock() - begun

        def report(index: int, outcome: tuple[ToolResult, float] | None) -> None:
            result, seconds = outcome or (self._unfinished(calls[index]), 0.0)
            self._guard, verdict = self._guard.after(calls[index], accesses[index], result)
            if verdict.reminder:
                result = msgspec.structs.replace(result, content=f"{result.content}\n\n[{verdict.reminder}]")
            self._record(ToolFinished(result, seconds))
            if verdict.reminder:
                self._record(Notice(f"{calls[index].name}: the model repeats itself and was told so", "warning"))
            if verdict.stop:
                stops.append(verdict.stop)

        self._check()
        await run_calls(accesses, start, report)
        if stops:
            raise KimicodeError(f"stopped in a loop: {stops[0]}", hint="Say more precisely what is wanted, or what to try instead.")

    def _check(self) -> None:
        if self._stopping is not None:
            raise self._stopping

    def _deliver_steers(self) -> None:
        while self._steers:
            self._check()
            self._record(MessageAdded(self._steers.popleft()))

    def _say(self, text: str) -> None:
        self._record(MessageAdded(User(text), by="kimicode"))

    def _forget_partial(self) -> None:
        self._partial.clear()
        self._thoughts.clear()

    def _unfinished(self, call: ToolCall) -> ToolResult:
        match self._stopping:
            case None:
                text = "Stopped by an error elsewhere before it finished."
            case Interrupted():
                text = "Interrupted by the user before it finished."
            case reason:
                text = f"Stopped before it finished: {reason.message}."
        return ToolResult(call.id, call.name, text, ok=False)

    def _end(self) -> RunFinished:
        error = self._error()
        text = self._keep_partial() or _last_text(self._recorder.context.messages[self._before :])
        for call in unanswered(self._recorder.context.messages):
            self._record_last(ToolFinished(self._unfinished(call), 0.0))
        finished = self._finished(error or self._unwritten, self._judge.text if error is None else text)
        self._record_last(finished)
        self._ended = True
        if error is None and self._unwritten is not None:
            return self._finished(self._unwritten, finished.text)
        return finished

    def _keep_partial(self) -> str:
        text = "".join(self._partial)
        if self._stopping is None or not text.strip():
            return ""
        self._record_last(MessageAdded(Assistant(text, reasoning="".join(self._thoughts) or None)))
        self._record_last(MessageAdded(User(f"[The answer above is not complete: {self._stopping.message}.]"), by="kimicode"))
        return text

    def _error(self) -> KimicodeError | None:
        """Why the run did not end with an answer."""
        work = self._work
        if work is None:
            return self._stopping
        if not work.done():
            work.cancel()
            work.add_done_callback(error_of)
            return self._stopping
        # Asked for in any case: asyncio complains about exceptions that nobody looked at.
        outcome = error_of(work)
        return self._stopping or outcome

    def _record(self, event: Event) -> None:
        # What outlives its own run (a tool that ignores being cancelled) must not speak in the next one.
        if not self._ended:
            self._recorder.record(event)

    def _record_last(self, event: Event) -> None:
        try:
            self._record(event)
        except SessionError as error:
            self._unwritten = error

    def _finished(self, error: KimicodeError | None, text: str) -> RunFinished:
        return RunFinished(
            status=status_of(error),
            exit_code=error.exit_code if error else 0,
            text=text,
            steps=self._ledger.steps,
            usage=self._ledger.usage,
            seconds=self._clock() - self._started,
            cost_usd=self._ledger.usd,
            error=str(error) if error else "",
            data=self._judge.data if error is None else None,
        )


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _last_text(conversation: Conversation) -> str:
    texts = (message.content for message in reversed(conversation) if isinstance(message, Assistant))
    return next((text for text in texts if text.strip()), "")


async def _close(stream: AsyncIterator[Delta]) -> None:
    # Leaving an async generator early does not close it; closing it is what cancels the request on the server.
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()
