"""kimi-nano under llama.cpp's attention and ours: perplexity on held-out conversations, likeliest tokens, greedy answers.

What this module does not do: judge; `mla_quality` does.
"""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, TypeVar

import numpy as np
from mla_quality_compare import HEADINGS, Ratio, Rows, Scores, Values, perplexity, ratio
from mla_quality_text import Text, joined, turns
from mla_quality_worker import WIDE, Continue, Score, Variant, Worker

from engine.known import NANO
from engine.llama import KvType
from engine.native.plugin import Attention
from engine.tokenizer import Tokenizer

Result = TypeVar("Result")

CONTEXT: Final = 4096
FAR: Final = 400
"""Tokens of a long greedy text."""
TRUTH: Final = Variant(Attention.STOCK, KvType.F32, in_steps=True)
"""llama.cpp's most exact way: cells and products of 32 bits."""


class Way(NamedTuple):
    """A variant, and how many tokens it takes at a time."""

    variant: Variant
    batch: int

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"{self.variant.name} x{self.batch}"


class Pair(NamedTuple):
    """What is compared: the second way with the first."""

    first: Way
    second: Way


@dataclass(frozen=True)
class Found:
    """What came of a pair. `all_tokens` is of every token's perplexity, `own` of those that the model itself writes."""

    rows: Rows
    perplexity: float
    all_tokens: Ratio
    own: Ratio


class Workers:
    """A process for each variant; a context manager. Each computes with one thread, and as many compute at a time as there are CPUs: that
    is faster for so small a model, and changes nothing, since only what a batch of few tokens has to read is divided among threads."""

    def __init__(self, wanted: Iterable[Variant]) -> None:
        with contextlib.ExitStack() as stack:
            self._workers = {variant: stack.enter_context(Worker(NANO, variant, CONTEXT, threads=1)) for variant in wanted}
            self._stack = stack.pop_all()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __getitem__(self, variant: Variant) -> Worker:
        return self._workers[variant]

    def each(self, job: Callable[[Way], Result], ways: Sequence[Way]) -> dict[Way, Result]:
        """The job for every way; those of one variant one after the other."""

        def all_of(variant: Variant) -> list[tuple[Way, Result]]:
            return [(way, job(way)) for way in ways if way.variant == variant]

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = dict(itertools.chain.from_iterable(pool.map(all_of, dict.fromkeys(way.variant for way in ways))))
        return {way: found[way] for way in ways}


def variants(cells: KvType) -> list[Variant]:
    """What can compute attention over these cells, llama.cpp as it is first."""
    kinds = [Variant(attention, cells) for attention in Attention]
    return kinds if cells is KvType.Q8_0 else [*kinds, Variant(Attention.STOCK, cells, in_steps=True)]


def expanded(cells: KvType) -> list[Variant]:
    """Ours in the expanded form."""
    return [Variant(attention, cells, expanded=True) for attention in (Attention.PRECISE, Attention.FAST)]


def all_variants(*, plain: bool) -> list[Variant]:
    """All that is compared; `plain`: without llama.cpp's other ways."""
    if plain:
        return [Variant(attention, cells) for cells in (KvType.F16, KvType.Q8_0) for attention in Attention]
    return [*itertools.chain.from_iterable((*variants(cells), *expanded(cells)) for cells in (KvType.F16, KvType.Q8_0)), TRUTH]


def is_stock(way: Way) -> bool:
    """Whether llama.cpp computes attention itself."""
    return way.variant.attention is Attention.STOCK


def in_wide_batches(*, plain: bool) -> list[Pair]:
    """Prompts: each variant with llama.cpp as it is, and with the truth; llama.cpp with itself by other ways. `plain`: the first alone."""
    if plain:
        return [
            Pair(Way(Variant(Attention.STOCK, cells), WIDE), Way(Variant(attention, cells), WIDE))
            for cells in (KvType.F16, KvType.Q8_0)
            for attention in (Attention.PRECISE, Attention.FAST)
        ]
    pairs = []
    for cells in (KvType.F16, KvType.Q8_0):
        stock = Way(Variant(Attention.STOCK, cells), WIDE)
        ways = [Way(variant, WIDE) for variant in (*variants(cells), *expanded(cells))]
        pairs += [Pair(stock, way) for way in ways[1:]]
        if cells is KvType.F16:
            pairs.append(Pair(stock, Way(stock.variant, 17)))
        pairs += [Pair(Way(TRUTH, WIDE), way) for way in ways]
    return pairs


def in_small_batches(sizes: Sequence[int]) -> list[Pair]:
    """Answers: token by token and a few at a time, as when several are guessed."""
    pairs = []
    for cells in (KvType.F16, KvType.Q8_0):
        first, *others = variants(cells)
        pairs += [Pair(Way(first, size), Way(other, size)) for size in sizes for other in others]
        pairs += [Pair(Way(first, WIDE), Way(first, size)) for size in sizes]
    return pairs


def compare(workers: Workers, texts: Sequence[Text], pairs: Sequence[Pair]) -> dict[Pair, Found]:
    """Every pair over all texts. Each way runs once a text."""
    ways = list(dict.fromkeys(way for pair in pairs for way in pair))
    rows: dict[Pair, list[Rows]] = {pair: [] for pair in pairs}
    losses: dict[Way, list[Values]] = {way: [] for way in ways}
    for text in texts:
        scores = workers.each(partial(_scores, workers, text), ways)
        for way in ways:
            losses[way].append(scores[way].losses(text.ids[1:]))
        for pair in pairs:
            rows[pair].append(Rows.of(scores[pair.first], scores[pair.second]))
    return {pair: _found(texts, rows[pair], losses[pair.first], losses[pair.second]) for pair in pairs}


def _scores(workers: Workers, text: Text, way: Way) -> Scores:
    return Scores.of(workers[way.variant].score(Score(text.ids, way.batch, range(len(text.ids)))))


def _found(texts: Sequence[Text], rows: Sequence[Rows], first: Sequence[Values], second: Sequence[Values]) -> Found:
    own = [np.array(text.written[1:]) for text in texts]
    written = ratio(
        [loss[mask] for loss, mask in zip(first, own, strict=True)], [loss[mask] for loss, mask in zip(second, own, strict=True)]
    )
    return Found(Rows.all(rows), perplexity(second), ratio(first, second), written)


def show(title: str, found: Mapping[Pair, Found]) -> None:
    """A table, a line a pair."""
    print(f"\n{title}\n{'first':<18}{'second':<18}{'perplexity':>11}  {'ratio, all tokens':<28}{'ratio, own tokens':<28}{HEADINGS}")
    for pair, each in found.items():
        names = f"{pair.first.name:<18}{pair.second.name:<18}{each.perplexity:11.5f}"
        print(f"{names}  {each.all_tokens.text():<28}{each.own.text():<28}{each.rows.text()}", flush=True)


def long_pairs() -> list[Pair]:
    """For texts that the model does not know its way in: ours, and llama.cpp's own other ways."""
    stock = Way(Variant(Attention.STOCK, KvType.F16), WIDE)
    return [Pair(stock, Way(variant, WIDE)) for variant in variants(KvType.F16)[1:]] + [Pair(stock, Way(stock.variant, 17))]


def long_texts(texts: Sequence[Text]) -> list[Text]:
    """The conversations in a row, a whole context at a time."""
    return joined(texts, CONTEXT)


@dataclass(frozen=True)
class Answers:
    """Greedy answers of a variant: how many, how many are what the conversation has, token for token, and how many are stock's."""

    answers: int
    right: int
    as_stock: int


def answers(workers: Workers, texts: Sequence[Text], tokenizer: Tokenizer) -> dict[Way, Answers]:
    """What the model answers at each of its turns, greedily."""
    end = frozenset((tokenizer.control_id("<|im_end|>"),))
    asked = [turn for text in texts for turn in turns(text)]

    def given(way: Way) -> list[list[int]]:
        return [workers[way.variant].go_on(Continue(before, way.batch, 2 * len(answer), end)) for before, answer in asked]

    found: dict[Way, Answers] = {}
    for cells in (KvType.F16, KvType.Q8_0):
        ways = _answering(cells)
        texts_of = workers.each(given, ways)
        for way, each in texts_of.items():
            right = sum(tuple(text) == answer for text, (_, answer) in zip(each, asked, strict=True))
            found[way] = Answers(len(each), right, sum(a == b for a, b in zip(each, texts_of[ways[0]], strict=True)))
    return found


def _answering(cells: KvType) -> list[Way]:
    """All variants, llama.cpp as it is first, and last that one reading the prompt token by token: another of its own ways."""
    ways = [Way(variant, WIDE) for variant in variants(cells)]
    return [*ways, Way(ways[0].variant, 1)]


@dataclass(frozen=True)
class Divergence:
    """Long greedy texts of a variant beside stock's: how many there are, how many are the same to the end, and after how many tokens the
    others part, in the median (0: none do)."""

    texts: int
    same: int
    median: float


def divergences(workers: Workers, texts: Sequence[Text]) -> dict[Way, Divergence]:
    """`FAR` greedy tokens after each conversation's first half, past all ends: far from anything the model was trained on."""
    prompts = [text.ids[: len(text.ids) // 2] for text in texts]

    def given(way: Way) -> list[list[int]]:
        return [workers[way.variant].go_on(Continue(prompt, way.batch, FAR)) for prompt in prompts]

    found: dict[Way, Divergence] = {}
    for cells in (KvType.F16, KvType.Q8_0):
        ways = _answering(cells)
        texts_of = workers.each(given, ways)
        for way, each in texts_of.items():
            parted = [at for at in map(_parted, texts_of[ways[0]], each) if at < FAR]
            found[way] = Divergence(len(each), len(each) - len(parted), float(np.median(parted)) if parted else 0.0)
    return found


def _parted(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens are the same before the first that differs."""
    return next((at for at, (a, b) in enumerate(zip(first, second, strict=True)) if a != b), len(first))
