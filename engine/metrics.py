"""What the engine has done and is doing, in Prometheus' text format (version 0.0.4), every name beginning with `kimicode_engine_`.

Requests by outcome, the time to an answer's first token and the time of each further one are measured here, at the border where clients
wait; counters and gauges of the model come from the service.
What this module does not do: keep a history, or measure single steps of the model.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

from engine.batch import Prefilled
from engine.service import Answered, AnswerEvent

PREFIX: Final = "kimicode_engine_"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

FIRST_TOKEN_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
TOKEN_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the histograms' buckets."""

_SERVICE: Final[Mapping[str, tuple[str, str, str]]] = {
    "running": ("requests_running", "gauge", "Answers that have begun."),
    "queued": ("requests_queued", "gauge", "Requests that wait."),
    "tokens": ("generated_tokens_total", "counter", "Tokens generated."),
    "prompt_tokens": ("prompt_tokens_total", "counter", "Tokens of prompts."),
    "cached_tokens": ("cached_tokens_total", "counter", "Tokens of prompts that were in the cache."),
    "steps": ("steps_total", "counter", "Steps of the model, each a batch of tokens."),
    "preempted": ("preempted_total", "counter", "Answers put back into the queue for want of cells."),
    "context": ("context_tokens", "gauge", "Most tokens of one conversation."),
    "attention": ("attention_kernel", "gauge", "1 where a kernel of kimicode's computes attention, 0 where llama.cpp does."),
    "cache_cells": ("cache_cells", "gauge", "Tokens the cache has room for."),
    "cache_used": ("cache_used_cells", "gauge", "Tokens in the cache."),
    "cache_parked": ("cache_entries", "gauge", "Conversations kept in the cache that nobody works on."),
    "cache_evicted": ("cache_evictions_total", "counter", "Conversations that had to leave the cache."),
    "disk_bytes": ("disk_bytes", "gauge", "Bytes of cells on disk."),
    "disk_saved": ("disk_saved_total", "counter", "Blocks of cells saved on disk."),
    "disk_restored": ("disk_restored_total", "counter", "Blocks of cells taken from disk."),
    "disk_damaged": ("disk_damaged_total", "counter", "Blocks on disk that were damaged."),
    "disk_refused": ("disk_refused_total", "counter", "Blocks that could not be saved."),
    "experts_cache_bytes": ("experts_cache_bytes", "gauge", "Bytes of memory for experts; less than planned where memory is short."),
    "experts_planned_bytes": ("experts_planned_bytes", "gauge", "Bytes of memory that were planned for experts."),
    "experts_hits": ("experts_hits_total", "counter", "Uses of an expert that was in memory."),
    "experts_misses": ("experts_misses_total", "counter", "Uses of an expert that had to be read."),
    "experts_read_bytes": ("experts_read_bytes_total", "counter", "Bytes of experts read from disk."),
    "experts_retries": ("experts_retries_total", "counter", "Reads of experts that succeeded at the second try."),
    "experts_failures": ("experts_failures_total", "counter", "Reads of experts that failed."),
    "experts_waited_seconds": ("experts_waited_seconds_total", "counter", "Seconds in which computations only waited for experts."),
}
# Told as outcomes and as a histogram.
_TOLD_OTHERWISE: Final = frozenset(("answered", "cancelled", "first_tokens", "first_token_seconds"))


class Outcome(StrEnum):
    """How a request for an answer ended."""

    ANSWERED = "answered"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    OVERLOADED = "overloaded"
    FAILED = "failed"


class Histogram:
    """Observations counted by `bounds`, in seconds."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float, times: int = 1) -> None:
        """`times` observations of the same value."""
        self._counts[bisect_left(self._bounds, seconds)] += times
        self._sum += seconds * times

    def lines(self, name: str) -> Iterator[str]:
        """In text format, without help and type."""
        total = 0
        for bound, count in zip((*map(_number, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {_number(self._sum)}"
        yield f"{name}_count {total}"


class Metrics:
    """What one server measures. Not thread-safe: for the event loop."""

    def __init__(self) -> None:
        self._outcomes: Counter[Outcome] = Counter()
        self.first_token = Histogram(FIRST_TOKEN_SECONDS)
        self.token = Histogram(TOKEN_SECONDS)

    def count(self, outcome: Outcome) -> None:
        """A request that ended so."""
        self._outcomes[outcome] += 1

    def text(self, service: Mapping[str, float]) -> str:
        """Everything, with `service`'s own numbers."""
        lines = list(_head("requests_total", "counter", "Requests for an answer, by how they ended."))
        lines += [f'{PREFIX}requests_total{{outcome="{outcome}"}} {self._outcomes[outcome]}' for outcome in Outcome]
        for name, histogram, about in (
            ("first_token_seconds", self.first_token, "From a request's arrival to its first token."),
            ("token_seconds", self.token, "From one token of an answer to its next, averaged over the answer."),
        ):
            lines += [*_head(name, "histogram", about), *histogram.lines(PREFIX + name)]
        for key, value in service.items():
            if key not in _TOLD_OTHERWISE:
                name, kind, about = _SERVICE.get(key, (key, "gauge", key.replace("_", " ").capitalize() + "."))
                lines += [*_head(name, kind, about), f"{PREFIX}{name} {_number(value)}"]
        return "\n".join([*lines, ""])


class Watch:
    """One request on its way: show it every event, and close it. What was never answered counts as cancelled."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._begun = time.monotonic()
        self._first: float | None = None
        self.outcome = Outcome.CANCELLED

    def see(self, event: AnswerEvent) -> None:
        """An event of the answer, as it comes."""
        if isinstance(event, Prefilled):
            return
        now = time.monotonic()
        if self._first is None:
            self._first = now
            self._metrics.first_token.observe(now - self._begun)
        if isinstance(event, Answered):
            self.outcome = Outcome.ANSWERED
            if (further := event.usage.completion - 1) > 0:
                self._metrics.token.observe((now - self._first) / further, further)

    def close(self) -> None:
        """The request has ended."""
        self._metrics.count(self.outcome)


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP {PREFIX}{name} {about}"
    yield f"# TYPE {PREFIX}{name} {kind}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
