"""One JSON text while it is generated: which tokens may come next so that it stays valid, and still fits the room that is left.

Three limits beside the grammar keep every text finite, since a model that has lost its way closes nothing by itself: a number ends
after `NUMBER_BYTES`; nesting ends at `MAX_NESTING`; and before the room runs out the text is closed along `engine.guide_close`'s plan.
What this module does not do: know tools, turns, or the tokens around the text.
"""

from typing import Final

import numpy as np

from engine.guide_close import JsonText, shortest
from engine.guide_grammar import Grammar, Grammars
from engine.guide_vocabulary import Bitmask, Vocabulary

NUMBER_BYTES: Final = 24
"""A number at least this long gets no further digit where it may end: 64-bit integers and doubles need fewer."""

MAX_NESTING: Final = 64
"""Brackets open at once. Python's and many other readers of JSON fail a little beyond a few hundred."""


class JsonGuide:
    """A text of `grammar`, then the token `end`. `tail` tokens, `end` included, are to follow the text within the same room."""

    def __init__(self, grammars: Grammars, vocabulary: Vocabulary, grammar: Grammar, end: int, tail: int) -> None:
        self._vocabulary = vocabulary
        self._matcher = grammars.matcher(grammar)
        self._text = JsonText()
        self._end = end
        self._tail = tail
        self._slack = grammar.growth + 8  # a token may open a few brackets besides
        self._plan: list[int] | None = None  # from now on, once the room is short
        self._needed: int | None = None  # length of the plan when it was last looked for
        self._moves = 0  # tokens since then that were not all within one string

    @property
    def steered(self) -> bool:
        """Whether room ran out, so that the rest of the text is the guide's and not the model's."""
        return self._plan is not None

    @property
    def problem(self) -> str:
        """Why no guiding is possible any more; empty while it is."""
        return self._matcher.get_error().partition("\n")[0] if self._matcher.is_error() else ""

    def allowed(self, room: int) -> Bitmask:
        """The tokens that may come next, with room for `room` tokens; at least one unless there is a `problem`."""
        if self._plan is None and self._is_tight(room - self._tail):
            self._plan = self._shortest()
        if self._plan is not None:
            return self._vocabulary.mask(self._plan[:1] or [self._end])
        if self._text.depth >= MAX_NESTING and (way := self._shortest()):
            return self._vocabulary.mask(way[:1])
        mask = self._vocabulary.allowed(self._matcher)
        if self._matcher.is_accepting():
            mask |= self._vocabulary.mask([self._end])
        if self._text.number >= NUMBER_BYTES and np.any(ended := mask & ~self._vocabulary.numeric):
            return ended
        return mask

    def accept(self, token: int) -> bool:
        """Go on with `token`. False: it is not allowed, and this guide is of no more use. `end` is accepted only after a whole text."""
        if token == self._end:
            return bool(self._matcher.is_accepting())
        text = self._vocabulary.text_of(token)
        if not text or not self._matcher.consume_token(token):
            return False
        before = self._text.outside
        self._text.feed(text)
        self._moves += self._text.outside > before
        if self._plan is not None:
            self._plan = self._plan[1:] if self._plan[:1] == [token] else self._shortest()
        return True

    def _shortest(self) -> list[int] | None:
        return shortest(self._matcher, self._text, self._vocabulary)

    def _is_tight(self, room: int) -> bool:
        """Whether the next token, freely chosen, could make the text too long to close. Searches only where that can't be ruled out."""
        # The plan grows by at most `slack` a move, and within one string too, however many tokens that has.
        if self._needed is not None and room > self._needed + self._slack * (self._moves + 2):
            return False
        plan = self._shortest()
        self._moves = 0
        if plan is None:
            self._needed = room // 2 - 2 * self._slack  # a failed search is dear: none before half of the room is gone
            return False
        self._needed = len(plan)
        return room <= len(plan) + self._slack
