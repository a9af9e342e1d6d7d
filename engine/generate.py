"""One sequence of tokens: what the key-value cache holds, what of it a new prompt can keep, and token after token from there.

The longest common token prefix of the cache and the prompt stays; the rest is forgotten and the prompt's remainder is decoded in
batches. Generation is an iterator that works only when asked for the next step, so stopping is not asking again: at most one batch or
token is computed in vain, and the sequence stays sound. What this module does not do: know what a token means or when an answer ends.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol, TypeAlias

from engine.errors import ContextOverflowError, DecodeError
from engine.llama import Logits
from engine.sampling import Sampler


class Decoder(Protocol):
    """What a sequence needs of a model; `engine.llama.Llama` is one. Lengths are tokens."""

    context: int
    batch: int

    def decode(self, tokens: Sequence[int], start: int) -> None:
        """Run up to `batch` tokens from position `start` on. Raises `DecodeError`."""
        ...

    def logits(self) -> Logits:
        """The scores after the last decoded token, shape (vocabulary,)."""
        ...

    def forget(self, start: int) -> None:
        """Drop positions `start` and later. Raises `DecodeError`."""
        ...


@dataclass(frozen=True, slots=True)
class Prefilled:
    """`done` of the prompt's `total` tokens are in the cache; `cached` of them were there before."""

    cached: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """One new token."""

    token: int


Step: TypeAlias = Prefilled | Sampled


class SequenceCache:
    """A decoder's one sequence and the tokens it holds. Steps of one `generate` must not be mixed with another's."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._tokens: list[int] = []

    @property
    def tokens(self) -> Sequence[int]:
        """What the cache holds."""
        return self._tokens

    def check(self, prompt: Sequence[int]) -> int:
        """How many tokens an answer to `prompt` may have. Raises `ContextOverflowError` where that is none."""
        if len(prompt) >= self._decoder.context:
            raise ContextOverflowError(len(prompt), self._decoder.context)
        return self._decoder.context - len(prompt)

    def generate(self, prompt: Sequence[int], sampler: Sampler, max_tokens: int) -> Iterator[Step]:
        """Prefill `prompt`, at least one token, then sample up to `max_tokens` tokens, fewer where the context is full.

        Raises `ContextOverflowError` before anything is done and `DecodeError` at any step; the cache is empty after the latter.
        """
        room = min(self.check(prompt), max_tokens)
        cached = self._keep(prompt)
        yield Prefilled(cached, cached, len(prompt))
        for start in range(cached, len(prompt), self._decoder.batch):
            self._decode(prompt[start : start + self._decoder.batch])
            yield Prefilled(cached, len(self._tokens), len(prompt))
        for index in range(room):
            token = sampler.choose(self._decoder.logits())
            yield Sampled(token)
            if index + 1 < room:
                self._decode([token])

    def _keep(self, prompt: Sequence[int]) -> int:
        """Cut the cache down to what it shares with `prompt`, never all of it: the last token must run again for its logits."""
        pairs = zip(self._tokens, prompt[:-1], strict=False)
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if common < len(self._tokens):
            del self._tokens[common:]
            with self._empty_on_failure():
                self._decoder.forget(common)
        return common

    def _decode(self, tokens: Sequence[int]) -> None:
        with self._empty_on_failure():
            self._decoder.decode(tokens, len(self._tokens))
        self._tokens += tokens

    @contextmanager
    def _empty_on_failure(self) -> Iterator[None]:
        # After a failure llama.cpp's cache may hold a part of the batch: only an empty one is certain.
        try:
            yield
        except DecodeError:
            self._tokens.clear()
            self._decoder.forget(0)
            raise
