"""Tokens of a model file that may be larger than memory, in llama.cpp, with experts mapped or in our store; driven by lines of text.

    python benchmarks/experts_step.py MODEL CELLS BATCH SEQUENCES THREADS MEMORY

MEMORY are the store's bytes; 0: there is none, llama.cpp maps the experts and computes all of it. Answers `ready SECONDS` when the model is
loaded, and each line that is read with one line:
    decode SECONDS MOST    -> TOKENS SECONDS    tokens one by one until the time is over, at most MOST; no two are the same before the
                                                vocabulary ends
    streams SECONDS MOST   -> STEPS SECONDS     the same for SEQUENCES tokens at a time, each of a sequence of its own
    again TOKENS ROUNDS    -> SECONDS           of a token, the median, of the same TOKENS again and again: their experts are in memory
    prefill TOKENS         -> SECONDS           of a prompt
    resize BYTES           -> ok                the store's memory
    predict 0|1            -> ok                whether the next layer's experts are announced
    counts                 -> HITS MISSES BYTES READ-SECONDS WAITED-SECONDS PLACES     of the store; zeros without one
What this module does not do: repeat, or judge.
"""

import itertools
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import llama_cpp.llama_cpp as api

from engine.errors import EngineError
from engine.expert_cache import ExpertCache
from engine.llama import Entry, Llama, Options
from engine.native.plugin import DEFAULT, Attention

STRIDE: Final = 7919  # as in experts_ik_step.cpp; odd, so that each token of the vocabulary comes once
DEEPEST: Final = 1024
"""Tokens behind which a sequence begins anew: attention shouldn't grow to count."""


def main() -> None:
    model, *numbers = sys.argv[1:]
    cells, batch, sequences, threads, memory = map(int, numbers)
    if not memory:
        map_weights()
    begun = time.perf_counter()
    try:
        with Llama(Path(model), options(cells, batch, sequences, threads, memory)) as llama:
            if memory and llama.experts is None:
                sys.exit(llama.unstored)
            print(f"ready {time.perf_counter() - begun}", flush=True)
            Server(llama).serve()
    except EngineError as error:
        sys.exit(str(error))


def options(cells: int, batch: int, sequences: int, threads: int, memory: int) -> Options:
    """For the store, or for llama.cpp alone."""
    if memory:
        cache = ExpertCache(memory, required=True)
        return Options(cells, batch, sequences, threads=threads, attention=DEFAULT, experts=cache)
    return Options(cells, batch, sequences, threads=threads, attention=Attention.STOCK)


def map_weights() -> None:
    """Let llama.cpp map the weights: by default it copies those of some types into another order in memory, which has no room for them.
    In this process, before a model is loaded."""
    defaults = api.llama_model_default_params

    def mapping() -> api.llama_model_params:
        parameters = defaults()
        parameters.use_extra_bufts = False
        return parameters

    api.llama_model_default_params = mapping


class Server:
    """Answers line after line."""

    def __init__(self, llama: Llama) -> None:
        self._llama = llama
        self._tokens = (number * STRIDE % llama.vocabulary for number in itertools.count(1))

    def serve(self) -> None:
        """Until there are no more lines."""
        for line in sys.stdin:
            print(self._answer(line), flush=True)

    def _answer(self, line: str) -> str:
        store = self._llama.experts
        match line.split():
            case ["decode", seconds, most]:
                return self._steps(float(seconds), int(most), 1)
            case ["streams", seconds, most]:
                return self._steps(float(seconds), int(most), self._llama.sequences)
            case ["again", tokens, rounds]:
                return str(self._again(int(tokens), int(rounds)))
            case ["prefill", tokens]:
                return str(self._prefill(int(tokens)))
            case ["resize", size] if store is not None:
                store.resize(int(size))
                return "ok"
            case ["predict", on] if store is not None:
                store.predict(on == "1")
                return "ok"
            case ["counts"]:
                if store is None:
                    return "0 0 0 0 0 0"
                c = store.counts()
                return f"{c.hits} {c.misses} {c.bytes} {c.busy_seconds} {c.waited_seconds} {c.places}"
        sys.exit(f"not understood: {line.strip()}")

    def _steps(self, seconds: float, most: int, sequences: int) -> str:
        begun = time.perf_counter()
        for step in range(most):
            depth = step % DEEPEST
            if depth == 0:
                self._forget()
            self._llama.decode([Entry(next(self._tokens), depth, sequence, True) for sequence in range(sequences)])
            self._llama.logits(sequences - 1)
            if time.perf_counter() - begun >= seconds:
                break
        done = time.perf_counter() - begun
        self._forget()
        return f"{step + 1} {done}"

    def _again(self, tokens: int, rounds: int) -> float:
        chosen = list(itertools.islice(self._tokens, tokens))
        times = list(self._rounds(chosen, rounds))
        self._forget()
        return statistics.median(times[len(chosen) :])

    def _rounds(self, chosen: list[int], rounds: int) -> Iterator[float]:
        for _ in range(rounds + 1):
            self._forget()
            for depth, token in enumerate(chosen):
                begun = time.perf_counter()
                self._llama.decode([Entry(token, depth, 0, True)])
                self._llama.logits(0)
                yield time.perf_counter() - begun

    def _prefill(self, tokens: int) -> float:
        self._forget()
        entries = [Entry(next(self._tokens), depth, 0, depth == tokens - 1) for depth in range(tokens)]
        begun = time.perf_counter()
        for start in range(0, tokens, self._llama.batch):
            self._llama.decode(entries[start : start + self._llama.batch])
        self._llama.logits((tokens - 1) % self._llama.batch)
        seconds = time.perf_counter() - begun
        self._forget()
        return seconds

    def _forget(self) -> None:
        for sequence in range(self._llama.sequences):
            self._llama.forget(sequence)


if __name__ == "__main__":
    main()
