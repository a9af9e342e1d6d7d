"""A loaded model behind a queue: requests in, events of one answer out, one answer at a time, first come first served.

Every step of generation (a batch of the prompt, or one token) runs in one worker thread, so the event loop answers other questions at
any time. Closing the iterator of `answer`, also while it is queued, ends the work after the step that is running.
What this module does not do: HTTP, or the form of requests and answers (`engine.server`, `engine.request`, `engine.answer`).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias

from engine.answer import Usage
from engine.chat import encode_pieces, render
from engine.generate import Prefilled, Sampled, SequenceCache
from engine.gguf import ModelFile
from engine.parse import ContentText, ParsedAnswer, ParseEvent, Parser
from engine.request import ChatRequest
from engine.sampling import Sampler
from engine.stops import StopText
from engine.tokenizer import Tokenizer
from engine.tooldecl import declare


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to run. `context` is the length of the cache in tokens; `vocabulary` the number of logits."""

    file: ModelFile
    tokenizer: Tokenizer
    cache: SequenceCache
    context: int
    vocabulary: int


@dataclass(frozen=True)
class Job:
    """A request whose prompt is made; `max_tokens` fits into the context."""

    request: ChatRequest
    prompt: Sequence[int]
    max_tokens: int


@dataclass(frozen=True)
class Answered:
    """The end of an answer."""

    answer: ParsedAnswer
    finish_reason: str
    usage: Usage


@dataclass(frozen=True)
class Counters:
    """What a service has done so far. `tokens` were generated; `cancelled` answers were not wanted to the end."""

    running: int = 0
    queued: int = 0
    answered: int = 0
    cancelled: int = 0
    tokens: int = 0


AnswerEvent: TypeAlias = Prefilled | ParseEvent | Answered


class Service:
    """The one user of `model`. Close it when done: it waits for the step that is running."""

    def __init__(self, model: LoadedModel) -> None:
        self.model = model
        self.counters = Counters()
        self._turn = asyncio.Lock()
        self._worker = ThreadPoolExecutor(1, "decode")
        self._last_used = time.monotonic()
        self._banned = [token for token in range(model.vocabulary) if token not in model.tokenizer]

    def close(self) -> None:
        """End the worker thread."""
        self._worker.shutdown()

    def idle_seconds(self) -> float:
        """How long nobody has wanted an answer."""
        return 0.0 if self.counters.running or self.counters.queued else time.monotonic() - self._last_used

    def prepare(self, request: ChatRequest) -> Job:
        """Render and encode. Raises `ChatFormatError`, `VocabularyError`, `ContextOverflowError`. Safe in any thread."""
        pieces = render(
            request.messages,
            declaration=declare(request.tools) if request.tools else None,
            thinking=request.thinking,
            preserve_thinking=request.preserve_thinking,
        )
        prompt = encode_pieces(self.model.tokenizer, pieces)
        room = self.model.cache.check(prompt)
        return Job(request, prompt, min(room, request.max_tokens or room))

    async def answer(self, job: Job) -> AsyncGenerator[AnswerEvent, None]:
        """Wait for the turn, then generate. The last event is `Answered`. Raises `DecodeError`."""
        self._count(queued=+1)
        try:
            await self._turn.acquire()
        finally:
            self._count(queued=-1)
        self._count(running=+1)
        whole = False
        try:
            async for event in self._generate(job):
                whole = isinstance(event, Answered)
                yield event
        finally:
            self._count(running=-1, answered=int(whole), cancelled=int(not whole))
            self._turn.release()

    async def _generate(self, job: Job) -> AsyncGenerator[AnswerEvent, None]:
        reading = _Reading(job, self.model.tokenizer)
        sampler = Sampler(job.request.sampling, self._banned)
        steps = self.model.cache.generate(job.prompt, sampler, job.max_tokens)
        loop = asyncio.get_running_loop()
        while not reading.done and (step := await loop.run_in_executor(self._worker, next, steps, None)) is not None:
            match step:
                case Prefilled():
                    reading.cached = step.cached
                    yield step
                case Sampled(token):
                    self._count(tokens=+1)
                    for event in reading.feed(token):
                        yield event
        for last in reading.finish():
            yield last

    def _count(self, **by: int) -> None:
        self._last_used = time.monotonic()
        self.counters = replace(self.counters, **{name: getattr(self.counters, name) + n for name, n in by.items()})


class _Reading:
    """One answer while it is read: tokens through the parser, its text through the stop strings, and the count of both."""

    def __init__(self, job: Job, tokenizer: Tokenizer) -> None:
        self._job = job
        self._parser = Parser(tokenizer, job.request.thinking)
        self._stop = StopText(job.request.stop)
        self._thinking = job.request.thinking
        self._tokenizer = tokenizer
        self._said: list[str] = []
        self._tokens = 0
        self._reasoning = 0
        self.cached = 0

    @property
    def done(self) -> bool:
        return self._parser.done or self._stop.stopped

    def feed(self, token: int) -> list[ParseEvent]:
        self._tokens += 1
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
        reason = "stop" if self._stop.stopped else answer.finish_reason
        usage = Usage(len(self._job.prompt), self._tokens, self.cached, self._reasoning)
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
