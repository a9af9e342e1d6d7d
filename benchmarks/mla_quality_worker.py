"""A model with one kind of attention, in a process of its own: a process's llama.cpp keeps the attention that it was given first.

The worker scores texts, all positions or some of them, in batches of a wished size, and continues prompts greedily. What this module does
not do: choose texts or compare scores.
"""

import ctypes
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Final, assert_never

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.llama import Entry, KvType, Llama, Logits, Options
from engine.native.build import TARGET
from engine.native.plugin import Attention

WIDE: Final = 512
"""Tokens of the largest batch, the engine's: llama.cpp's own attention is another there, from 64 on, and so may ours be."""

_ABSORBED: Final = 1
_EXPANDED: Final = 2


@dataclass(frozen=True)
class Variant:
    """A kind of attention over a kind of cells. `in_steps` is llama.cpp's attention as a product, a softmax and a product, not in one
    operation: another of its own ways to the same result. The options that the engine leaves to llama.cpp give one operation, bit for bit
    the same as one that is asked for. `expanded`: ours in the expanded form wherever it can be, not only where that is cheaper."""

    attention: Attention
    cells: KvType
    in_steps: bool = False
    expanded: bool = False

    @property
    def name(self) -> str:
        """How tables call it."""
        form = "steps" if self.in_steps else self.attention.value + "+" * self.expanded
        return f"{form} {self.cells.name.lower()}"


@dataclass(frozen=True)
class Score:
    """The scores after some of `tokens[start:]`: those at `rows`, counted from `start`. What stands before `start` is run in batches of
    `fill`, unless the last request left it in the cache; the rest in batches of `batch`."""

    tokens: tuple[int, ...]
    batch: int
    rows: range
    start: int = 0
    fill: int = WIDE


@dataclass(frozen=True)
class Continue:
    """The likeliest next token again and again, `count` of them or up to one of `ends`; the prompt is run in batches of `batch`, but for
    what the last request left of it in the cache."""

    prompt: tuple[int, ...]
    batch: int
    count: int
    ends: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Forms:
    """Asks for how many attentions our backend has computed in each form. As an answer: how many those are."""

    absorbed: int = 0
    expanded: int = 0


class Worker:
    """The parent's end. Use it as a context manager. Raises `EngineError` where the model does not load with this attention, or the
    process ends."""

    def __init__(self, model: Path, variant: Variant, context: int, threads: int | None = None) -> None:
        processes = multiprocessing.get_context("spawn")
        self.variant = variant
        self._connection, theirs = processes.Pipe()
        self._process = processes.Process(target=_serve, args=(theirs, model, variant, context, threads), daemon=True)
        self._process.start()
        theirs.close()
        ready = self._receive()
        if isinstance(ready, str):
            raise EngineError(ready)
        assert isinstance(ready, _Ready)
        self.kernel, self._vocabulary = ready.kernel, ready.vocabulary

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._connection.close()
        self._process.join()

    def score(self, request: Score) -> Logits:
        """Shape (rows, vocabulary)."""
        self._connection.send(request)
        data = self._connection.recv_bytes()
        return np.frombuffer(data, np.float32).reshape(-1, self._vocabulary)

    def go_on(self, request: Continue) -> list[int]:
        """The new tokens."""
        self._connection.send(request)
        answer = self._receive()
        assert isinstance(answer, list)
        return answer

    def forms(self) -> Forms:
        """Of all that was computed until now; nothing where attention is llama.cpp's own."""
        self._connection.send(Forms())
        answer = self._receive()
        assert isinstance(answer, Forms)
        return answer

    def _receive(self) -> object:
        try:
            return self._connection.recv()
        except EOFError:
            raise EngineError(f"the process with {self.variant.name} ended; look above for what it said") from None


@dataclass(frozen=True)
class _Ready:
    kernel: str | None
    vocabulary: int


class _InSteps(Llama):
    def _one_pass(self, kv_type: KvType) -> int:
        assert kv_type is not KvType.Q8_0  # llama.cpp has no such way
        return 0


def _serve(connection: Connection, model: Path, variant: Variant, context: int, threads: int | None) -> None:
    """The worker's end, until the parent closes the connection."""
    options = Options(cells=context, batch=WIDE, threads=threads, kv_type=variant.cells, attention=variant.attention)
    try:
        llama = (_InSteps if variant.in_steps else Llama)(model, options)
    except EngineError as error:
        return connection.send(str(error))
    with llama:
        if variant.attention is not Attention.STOCK and not llama.attention.kernel:
            return connection.send(f"{variant.name}: {llama.attention.reason}")
        connection.send(_Ready(llama.attention.kernel, llama.vocabulary))
        library = ctypes.CDLL(str(TARGET)) if llama.attention.kernel else None
        if variant.expanded and library is not None:
            library.kimicode_prefer(_EXPANDED)
        run = _Run(llama)
        while True:
            try:
                request: Score | Continue | Forms = connection.recv()
            except EOFError:
                return None
            match request:
                case Score():
                    connection.send_bytes(run.score(request).data)
                case Continue():
                    connection.send(run.go_on(request))
                case Forms():
                    counts = [0, 0] if library is None else [int(library.kimicode_computed(form)) for form in (_ABSORBED, _EXPANDED)]
                    connection.send(Forms(*counts))
                case _:
                    assert_never(request)


class _Run:
    """Sequence 0 of a model, and what it holds."""

    def __init__(self, llama: Llama) -> None:
        self._llama = llama
        self._held: tuple[int, ...] = ()
        self._fill = 0

    def score(self, request: Score) -> NDArray[np.float32]:
        before = request.tokens[: request.start]
        self._hold(before, request.fill)
        return np.concatenate(self._decode(request.tokens[request.start :], request.start, request.batch, request.rows))

    def go_on(self, request: Continue) -> list[int]:
        self._hold(request.prompt[:-1], request.batch)
        tokens = [request.prompt[-1]]
        for position in range(len(request.prompt) - 1, len(request.prompt) - 1 + request.count):
            (scores,) = self._decode(tokens[-1:], position, 1, range(1))
            tokens.append(int(scores[0].argmax()))
            if tokens[-1] in request.ends:
                break
        return tokens[1:]

    def _hold(self, tokens: tuple[int, ...], fill: int) -> None:
        """Let the cache hold `tokens` and nothing else."""
        if self._fill != fill or tokens[: len(self._held)] != self._held:
            self._held = ()
        self._llama.forget(0, len(self._held))
        self._decode(tokens[len(self._held) :], len(self._held), fill, range(0))
        self._held, self._fill = tokens, fill

    def _decode(self, tokens: Sequence[int], position: int, batch: int, rows: range) -> list[NDArray[np.float32]]:
        """The scores at `rows`, a copy of shape (1, vocabulary) each."""
        found = []
        for start in range(0, len(tokens), batch):
            part = tokens[start : start + batch]
            self._llama.decode([Entry(token, position + start + n, 0, start + n in rows) for n, token in enumerate(part)])
            found += [self._llama.logits(n).copy()[None] for n in range(len(part)) if start + n in rows]
        return found
