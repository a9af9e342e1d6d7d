"""Held-out conversations for kimi-nano, as token ids: names and constants that training never saw, in the prompt that it sees in use.

What this module does not do: run a model.
"""

import itertools
import multiprocessing
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from engine.known import NANO
from engine.nano.documents import document
from engine.nano.projects import make_project
from engine.nano.trajectories import BrokenProject, trajectory
from engine.tokenizer import Tokenizer

FIRST_SEED: Final = 2_000_000
"""Training checks itself on held-out seeds from 0, `benchmarks/nano_repair.py` takes those from 1,000,000."""

ROUND: Final = 6
"""Conversations that are made at a time."""


@dataclass(frozen=True)
class Text:
    """A conversation's ids, or several conversations' in a row. `written[t]` says that the model itself must write ids[t]."""

    ids: tuple[int, ...]
    written: tuple[bool, ...]


def conversations(tokens: int) -> list[Text]:
    """Whole conversations with the tool declaration and system prompt before them, `tokens` tokens or a few more; about 700 each."""
    texts: list[Text] = []
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), initializer=_quiet) as pool:
        for first in itertools.count(FIRST_SEED, ROUND):
            for text in pool.imap(_conversation, range(first, first + ROUND)):
                if text is not None:
                    texts.append(text)
                if sum(len(each.ids) for each in texts) >= tokens:
                    pool.close()
                    pool.join()
                    return texts
    raise AssertionError("seeds have no end")


def _quiet() -> None:
    """See `trajectories.run_pytest`: what pytest needs is imported once, before it is forked. In CI it says more than nano knows."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in ("CI", "BUILD_NUMBER"):
        os.environ.pop(name, None)
    import pytest  # noqa: F401


def _conversation(seed: int) -> Text | None:
    try:
        messages = trajectory(make_project(seed, held_out=True))
    except BrokenProject:
        return None
    ids, weights = document(Tokenizer.from_gguf(NANO), messages, random.Random(seed), with_prefix=True)
    return Text(tuple(ids), tuple(weight == 1 for weight in weights))


def joined(texts: Sequence[Text], length: int) -> list[Text]:
    """The texts one after the other, cut into pieces of `length` tokens; what is left over is left out. kimi-nano was never trained on
    more than one conversation, so it does not know its way here: the smallest difference has the largest effect."""
    ids = [token for text in texts for token in text.ids]
    written = [own for text in texts for own in text.written]
    starts = range(0, len(ids) - length + 1, length)
    return [Text(tuple(ids[at : at + length]), tuple(written[at : at + length])) for at in starts]


def turns(text: Text) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Each answer of a conversation: what stands before it, and the answer."""
    start = 0
    for at, own in enumerate((*text.written, False)):
        before = at > 0 and text.written[at - 1]
        if own and not before:
            start = at
        elif before and not own:
            yield text.ids[:start], text.ids[start:at]
