"""A loaded model for many at once: requests in, the events of each answer out, all running answers advancing together.

An answer's tokens come from `engine.worker` and are read here, in the event loop: into thinking, text and tool calls, up to a stop string.
Whatever has come since the reader last looked is one portion, so a slow reader costs nothing but memory for its tokens. Closing the
iterator of `answer`, also while it is queued, ends the work at the next step.
What this module does not do: HTTP, or the form of requests and answers (`engine.server`, `engine.request`, `engine.answer`).
"""

import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, TypeAlias

from engine.answer import Usage
from engine.batch import Batcher, Ended, Failed, Prefilled, Sampled, Step, Task
from engine.body import RequestError
from engine.errors import ContextOverflowError, EngineError, OverloadedError
from engine.expert_cache import ExpertState
from engine.gguf import ModelFile
from engine.guide import Guides
from engine.native.plugin import STOCK, Loaded
from engine.parse import CALL_MARKERS, CallArguments, ContentText, ParsedAnswer, ParseEvent, Parser, ReasoningText
from engine.request import ChatRequest
from engine.sampling import Sampler
from engine.stops import StopText
from engine.store import BlockStore
from engine.tokenizer import Tokenizer
from engine.transcript import Prompt, Transcript
from engine.worker import Mailbox, Worker

QUEUE_LIMIT: Final = 1024
"""How many requests may wait for a seat; one more is refused."""

HEARTBEAT_SECONDS: Final = 5.0
"""How often a waiting request says that it still waits."""


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to run. `context` is the most tokens of one conversation; `vocabulary` the number of logits; `attention` says who
    computes attention, `experts` how a store of routed experts is doing, if there is one."""

    file: ModelFile
    tokenizer: Tokenizer
    batcher: Batcher
    context: int
    vocabulary: int
    store: BlockStore | None = None
    attention: Loaded = STOCK
    experts: Callable[[], ExpertState | None] = lambda: None


@dataclass(frozen=True)
class Job:
    """A request whose prompt is made; `max_tokens` fits into the context."""

    request: ChatRequest
    prompt: Prompt
    max_tokens: int


@dataclass(frozen=True)
class Answered:
    """The end of an answer."""

    answer: ParsedAnswer
    finish_reason: str
    usage: Usage


@dataclass(frozen=True)
class Counters:
    """What a service has done so far. `running` answers have begun, `queued` ones wait; `tokens` were generated.

    `cancelled` answers were not wanted to the end, or failed.
    """

    running: int = 0
    queued: int = 0
    answered: int = 0
    cancelled: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    first_tokens: int = 0
    first_token_seconds: float = 0.0


AnswerEvent: TypeAlias = Prefilled | ParseEvent | Answered


class Service:
    """The one user of `model`. Close it when done: it waits for the step that is running."""

    def __init__(self, model: LoadedModel, on_failure: Callable[[EngineError], None] = lambda _: None) -> None:
        self.model = model
        self._counters = Counters()
        self._open = 0
        self.guides = Guides(model.tokenizer, model.vocabulary)
        self._transcript = Transcript(model.tokenizer, model.store)
        self._worker = Worker(model.batcher, on_failure)
        self._last_used = time.monotonic()
        self._banned = [token for token in range(model.vocabulary) if token not in model.tokenizer]
        self._image = model.tokenizer.control.get("<|media_pad|>", -1)
        self._calling = [number for name in CALL_MARKERS if (number := model.tokenizer.control.get(name)) is not None]

    def close(self) -> None:
        """End the worker thread."""
        self._worker.close()

    @property
    def counters(self) -> Counters:
        """The counters now."""
        running = min(self._worker.states[0].active, self._open)
        return replace(self._counters, running=running, queued=self._open - running)

    def idle_seconds(self) -> float:
        """How long nobody has wanted an answer."""
        return 0.0 if self._open else time.monotonic() - self._last_used

    def metrics(self) -> Mapping[str, float]:
        """All counters and gauges by name: those of `Counters`, the batch, the pool of cells, the store on disk and that of experts."""
        batch, pool = self._worker.states
        found: dict[str, float] = {
            **asdict(self.counters),
            "steps": batch.steps,
            "preempted": batch.preempted,
            "context": self.model.context,
            "attention": self.model.attention.kernel is not None,
        }
        found |= {f"cache_{name}": value for name, value in asdict(pool).items()}
        if self.model.store is not None:
            found |= {f"disk_{name}": value for name, value in asdict(self.model.store.state).items()}
        if (experts := self.model.experts()) is not None:
            found |= {f"experts_{name}": value for name, value in asdict(experts).items()}
        return found

    def prepare(self, request: ChatRequest) -> Job:
        """Render and encode. Safe in any thread.

        Raises `ChatFormatError`, `VocabularyError`, `ContextOverflowError`, `GuideError` for a schema that can't be followed,
        `RequestError` for images, and `OverloadedError` where too many wait already.
        """
        if self.counters.queued >= QUEUE_LIMIT:
            raise OverloadedError(f"{self.counters.queued} requests are waiting: try again later")
        if request.guide is not None:
            self.guides.check(request.guide)
        prompt = self._transcript.prompt(request)
        if self._image in prompt.ids:
            raise RequestError("this engine can't look at images yet: leave them out, or use an endpoint whose model can", "messages")
        room = self.model.context - len(prompt.ids)
        if room < 1:
            raise ContextOverflowError(len(prompt.ids), self.model.context)
        return Job(request, prompt, min(room, request.max_tokens or room))

    async def answer(self, job: Job) -> AsyncGenerator[AnswerEvent, None]:
        """Generate. The last event is `Answered`. Raises `EngineError` where the model fails."""
        mailbox, task = Mailbox(), self._task(job)
        reading = _Reading(job, self.model.tokenizer)
        progress = _Progress()
        begun = time.monotonic()
        self._open += 1
        self._worker.submit(task, mailbox)
        try:
            while not reading.done:
                steps = await mailbox.take(HEARTBEAT_SECONDS)
                if not steps and not reading.ids:
                    yield reading.prefilled
                if not progress.first and any(isinstance(step, Sampled) for step in steps):
                    progress.first = True
                    self._count(first_tokens=1, first_token_seconds=time.monotonic() - begun)
                known = len(reading.ids)
                events = list(_joined(reading.read(steps)))
                self._count(tokens=len(reading.ids) - known)
                for event in events:
                    yield event
            if not reading.stopped:
                self._transcript.remember(job.prompt, reading.ids)
            for last in reading.finish():
                progress.whole = isinstance(last, Answered)
                yield last
        finally:
            self._worker.cancel(task)
            self._open -= 1
            self._count(answered=int(progress.whole), cancelled=int(not progress.whole))
            self._count(prompt_tokens=len(job.prompt.ids), cached_tokens=reading.cached)

    def _task(self, job: Job) -> Task:
        request = job.request
        # Where there are no tools nothing can be called, whatever the model would like.
        sampler = Sampler(request.sampling, self._banned if request.tools else [*self._banned, *self._calling])
        guide = None
        if request.guide is not None:
            guide = self.guides.guide(request.guide, thinking=job.prompt.thinking, room=job.max_tokens)
        return Task(job.prompt.ids, sampler, job.max_tokens, request.priority, guide)

    def _count(self, **by: float) -> None:
        self._last_used = time.monotonic()
        self._counters = replace(self._counters, **{name: getattr(self._counters, name) + n for name, n in by.items()})


@dataclass
class _Progress:
    first: bool = False
    whole: bool = False


class _Reading:
    """One answer while it is read: tokens through the parser, its text through the stop strings, and the count of both."""

    def __init__(self, job: Job, tokenizer: Tokenizer) -> None:
        self._job = job
        self._parser = Parser(tokenizer, job.prompt.thinking)
        self._stop = StopText(job.request.stop)
        self._thinking = job.prompt.thinking
        self._tokenizer = tokenizer
        self._said: list[str] = []
        self._reasoning = 0
        self._ended = self._closed = False
        self.ids: list[int] = []
        self.cached = 0
        self.prefilled = Prefilled(0, 0, len(job.prompt.ids))

    @property
    def stopped(self) -> bool:
        """Whether a stop string has come."""
        return self._stop.stopped

    @property
    def done(self) -> bool:
        return self._parser.done or self._stop.stopped or self._ended

    def read(self, steps: Sequence[Step]) -> Iterator[Prefilled | ParseEvent]:
        """What `steps` bring. Raises the error of a failed one."""
        for step in steps:
            if self.done and not isinstance(step, Ended):
                return
            match step:
                case Prefilled():
                    self.cached, self.prefilled = step.cached, step
                    yield step
                case Sampled(token):
                    yield from self._feed(token)
                case Ended(closed):
                    self._ended, self._closed = True, closed
                case Failed(error):
                    raise error

    def _feed(self, token: int) -> list[ParseEvent]:
        self.ids.append(token)
        # Thinking ends at the first control token: `</think>`, or a tool call that the model begins without it.
        self._thinking = self._thinking and not self._tokenizer.is_control(token)
        self._reasoning += self._thinking
        return self._limited(self._parser.feed(token))

    def finish(self) -> list[AnswerEvent]:
        *events, answer = self._parser.finish()
        assert isinstance(answer, ParsedAnswer)
        found: list[AnswerEvent] = [*self._limited(events)]
        if rest := self._stop.flush():
            found += self._text(rest)
        # What a guide closed is valid, but not all that the model meant: nobody should take it for whole.
        reason = "stop" if self._stop.stopped else "length" if self._closed else answer.finish_reason
        usage = Usage(len(self._job.prompt.ids), len(self.ids), self.cached, self._reasoning)
        return [*found, Answered(replace(answer, content="".join(self._said)), reason, usage)]

    def _limited(self, events: Sequence[ParseEvent]) -> list[ParseEvent]:
        """The events with content cut at a stop string; nothing follows it."""
        found: list[ParseEvent] = []
        for event in events:
            if self._stop.stopped:
                break
            if isinstance(event, ContentText):
                found += self._text(self._stop.feed(event.text))
            else:
                found.append(event)
        return found

    def _text(self, text: str) -> list[ContentText]:
        if not text:
            return []
        self._said.append(text)
        return [ContentText(text)]


def _joined(events: Iterator[Prefilled | ParseEvent]) -> Iterator[Prefilled | ParseEvent]:
    """The events, with text of one kind in one piece."""
    last: Prefilled | ParseEvent | None = None
    for event in events:
        match last, event:
            case ReasoningText(before), ReasoningText(after):
                last = ReasoningText(before + after)
            case ContentText(before), ContentText(after):
                last = ContentText(before + after)
            case CallArguments(before, index), CallArguments(after, other) if index == other:
                last = CallArguments(before + after, index)
            case None, _:
                last = event
            case _:
                yield last
                last = event
    if last is not None:
        yield last
