"""A decoder that computes nothing but remembers everything: its next token depends on all tokens of a sequence, so no cell may be wrong."""

import hashlib
import struct
from collections.abc import Sequence

import numpy as np

from engine.errors import DecodeError
from engine.llama import Entry, Logits

VOCABULARY = 64
END = 0


class FakeDecoder:
    """Cells with owners, as llama.cpp has them. `fail` makes the next batch fail; `batches` are the sizes of all batches so far."""

    def __init__(self, cells: int = 1024, batch: int = 64, sequences: int = 8) -> None:
        self.cells = cells
        self.batch = batch
        self.sequences = sequences
        self.fail = False
        self.batches: list[int] = []
        self.computed: list[int] = []
        self._owners: dict[int, set[int]] = {}
        self._content: dict[int, tuple[int, int]] = {}
        self._next = 0
        self._rows: list[Logits] = []

    @property
    def used(self) -> int:
        """Cells that somebody owns."""
        return len(self._owners)

    def held(self, sequence: int) -> list[int]:
        """The tokens of a sequence; its positions must be 0, 1, 2, … with one cell each."""
        cells = sorted(self._content[cell] for cell, owners in self._owners.items() if sequence in owners)
        assert [position for position, _ in cells] == list(range(len(cells))), cells
        return [token for _, token in cells]

    def decode(self, entries: Sequence[Entry]) -> None:
        assert 1 <= len(entries) <= self.batch
        if self.fail:
            self.fail = False
            raise DecodeError("llama.cpp failed, as asked")
        self.batches.append(len(entries))
        self._rows = []
        for token, position, sequence, wanted in entries:
            self.computed.append(token)
            assert len(self.held(sequence)) == position
            self._put(position, token, sequence)
            self._rows.append(scores(self.held(sequence)) if wanted else np.zeros(0, np.float32))

    def logits(self, row: int) -> Logits:
        assert len(self._rows[row]) == VOCABULARY
        return self._rows[row]

    def copy(self, source: int, target: int, start: int, end: int) -> None:
        for cell, owners in self._owners.items():
            if source in owners and start <= self._content[cell][0] < end:
                owners.add(target)

    def forget(self, sequence: int, start: int = 0) -> None:
        for cell, owners in list(self._owners.items()):
            if sequence in owners and self._content[cell][0] >= start:
                owners.discard(sequence)
                if not owners:
                    del self._owners[cell], self._content[cell]

    def save(self, sequence: int, start: int, end: int) -> bytes:
        tokens = self.held(sequence)[start:end]
        return struct.pack(f"<i{len(tokens)}i", start, *tokens)

    def restore(self, sequence: int, data: bytes, start: int, end: int) -> None:
        first, *tokens = struct.unpack(f"<{len(data) // 4}i", data)
        for position, token in enumerate(tokens, first):
            if start <= position < end:
                self._put(position, token, sequence)

    def _put(self, position: int, token: int, sequence: int) -> None:
        assert self.used < self.cells, "no cell is free: llama.cpp would refuse the batch"
        self._owners[self._next] = {sequence}
        self._content[self._next] = (position, token)
        self._next += 1


def scores(tokens: Sequence[int]) -> Logits:
    """What the model thinks after `tokens`: one token is likeliest, and which depends on all of them."""
    found = np.zeros(VOCABULARY, np.float32)
    found[hashlib.sha256(struct.pack(f"<{len(tokens)}i", *tokens)).digest()[0] % VOCABULARY] = 1
    return found


def answer(prompt: Sequence[int], room: int) -> list[int]:
    """What a greedy answer to `prompt` is, when it is alone."""
    tokens = list(prompt)
    while len(tokens) < len(prompt) + room:
        tokens.append(int(scores(tokens).argmax()))
        if tokens[-1] == END:
            break
    return tokens[len(prompt) :]
