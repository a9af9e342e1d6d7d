"""One sequence: what is kept of the cache, what is decoded, and what happens when llama.cpp fails."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ContextOverflowError, DecodeError
from engine.generate import Prefilled, Sampled, SequenceCache
from engine.llama import Llama, Logits, Options
from engine.sampling import Sampler, Sampling
from tests.engine.tinygguf import write

GREEDY = Sampling(temperature=0)


class Recorder:
    """A decoder whose next token is the count of the tokens it holds; checks that positions have no gaps."""

    def __init__(self, context: int = 64, batch: int = 4) -> None:
        self.context = context
        self.batch = batch
        self.held: list[int] = []
        self.decoded: list[list[int]] = []
        self.fail_at: int | None = None

    def decode(self, tokens: Sequence[int], start: int) -> None:
        assert start == len(self.held)
        assert 0 < len(tokens) <= self.batch
        self.held += tokens
        self.decoded.append(list(tokens))
        if self.fail_at == len(self.decoded):
            raise DecodeError("as asked")

    def logits(self) -> Logits:
        scores = np.zeros(100, np.float32)
        scores[len(self.held)] = 1
        return scores

    def forget(self, start: int) -> None:
        del self.held[start:]


def _run(cache: SequenceCache, prompt: Sequence[int], max_tokens: int) -> tuple[int, list[int]]:
    """Cached prompt tokens and what was generated."""
    steps = list(cache.generate(prompt, Sampler(GREEDY), max_tokens))
    first = steps[0]
    assert isinstance(first, Prefilled)
    return first.cached, [step.token for step in steps if isinstance(step, Sampled)]


def test_a_prompt_is_decoded_in_batches_and_the_last_token_not_at_all() -> None:
    decoder = Recorder()
    assert _run(SequenceCache(decoder), range(1, 7), 3) == (0, [6, 7, 8])
    assert decoder.decoded == [[1, 2, 3, 4], [5, 6], [6], [7]]


def test_the_common_prefix_is_kept_but_never_the_whole_prompt() -> None:
    decoder = Recorder()
    cache = SequenceCache(decoder)
    _run(cache, [1, 2, 3, 4], 2)
    assert _run(cache, [1, 2, 3, 4, 4, 9], 1)[0] == 5
    assert _run(cache, [1, 2, 3], 1)[0] == 2
    assert _run(cache, [7, 2, 3], 1)[0] == 0
    assert decoder.held == [7, 2, 3]


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=20), min_size=1, max_size=6), st.integers(0, 3))
@settings(deadline=None)
def test_after_any_prompts_the_cache_holds_what_the_decoder_holds(prompts: list[list[int]], abandoned_after: int) -> None:
    decoder = Recorder()
    cache = SequenceCache(decoder)
    for prompt in prompts:
        steps = cache.generate(prompt, Sampler(GREEDY), 3)
        for _ in range(abandoned_after):
            next(steps, None)
        assert list(cache.tokens) == decoder.held
    assert _run(cache, prompts[0], 1)[1] == [len(prompts[0])]


def test_generation_ends_where_the_context_does() -> None:
    decoder = Recorder(context=8)
    cache = SequenceCache(decoder)
    assert len(_run(cache, [1] * 5, 100)[1]) == 3
    with pytest.raises(ContextOverflowError, match=r"8 tokens, but the context length is 8"):
        _run(cache, [1] * 8, 1)


def test_a_failure_leaves_an_empty_sequence_that_works() -> None:
    decoder = Recorder()
    cache = SequenceCache(decoder)
    _run(cache, [1, 2, 3], 1)
    decoder.fail_at = 2
    with pytest.raises(DecodeError):
        _run(cache, [1, 2, 3, 4], 1)
    assert (list(cache.tokens), decoder.held) == ([], [])
    assert _run(cache, [1, 2, 3, 4], 1) == (0, [4])


def test_greedy_answers_are_the_same_with_and_without_a_warm_cache(tmp_path: Path) -> None:
    prompt = list(b"def add(a, b):\n    return a - b\n")
    with Llama(write(tmp_path / "tiny.gguf"), Options(context=512, batch=16, threads=1)) as llama:
        cache = SequenceCache(llama)
        _, answer = _run(cache, prompt, 24)
        longer = [*prompt, *answer, *b" and more"]
        warm = _run(cache, longer, 24)
        cold = _run(SequenceCache(_emptied(llama)), longer, 24)
    assert warm[0] == len(prompt) + len(answer) - 1
    assert cold[0] == 0
    assert warm[1] == cold[1]
    assert len(set(cold[1])) > 1


def _emptied(llama: Llama) -> Llama:
    llama.forget(0)
    return llama
