"""The cells of a model's key-value cache, lent to sequences: what is known is never computed again while there is room for it.

A sequence is *leased* to one request, which finds the longest known prefix in it, in memory first and then on disk. When the request
ends, its sequence is *parked*: it keeps its cells until others need them, the least recently used goes first, and goes to disk. Parked
sequences are saved block by block while nothing else is to be done, so that little is lost when the process is killed.
What this module does not do: decode tokens or choose who gets a sequence (`engine.batch`).
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from engine.cache import Match, PrefixTree
from engine.errors import DecodeError
from engine.llama import Entry, Logits
from engine.store import BLOCK_TOKENS, BlockStore, Key, block_key, known_blocks

_CROWDED = 0.75


class Decoder(Protocol):
    """What the pool and the batcher need of a model; `engine.llama.Llama` is one, and documents the methods. Lengths are tokens."""

    cells: int
    batch: int
    sequences: int

    def decode(self, entries: Sequence[Entry]) -> None:
        """Run a batch. Raises `DecodeError`."""
        ...

    def logits(self, row: int) -> Logits:
        """The scores after one entry of the last batch."""
        ...

    def copy(self, source: int, target: int, start: int, end: int) -> None:
        """Share cells."""
        ...

    def forget(self, sequence: int, start: int = 0) -> None:
        """Give cells back."""
        ...

    def save(self, sequence: int, start: int, end: int) -> bytes:
        """Cells as bytes."""
        ...

    def restore(self, sequence: int, data: bytes, start: int, end: int) -> None:
        """Bytes as cells. Raises `DecodeError`."""
        ...


@dataclass
class Lease:
    """A sequence that one request owns. `held` tokens of it are in memory; `on_disk` are blocks (start, end, key) that follow them."""

    sequence: int
    held: int
    on_disk: list[tuple[int, int, Key]]


@dataclass(frozen=True)
class PoolState:
    """`cells` tokens fit, `used` are there, in `parked` sequences and those at work; `evicted` sequences had to go so far."""

    cells: int
    used: int
    parked: int
    evicted: int


class Pool:
    """All sequences of `decoder`, and `store` behind them, if any."""

    def __init__(self, decoder: Decoder, store: BlockStore | None = None) -> None:
        self._decoder = decoder
        self._store = store
        self._tree = PrefixTree()
        self._vacant = list(range(decoder.sequences))
        self._parked: dict[int, None] = {}  # in the order in which they were last used
        self._saved: dict[int, tuple[int, Key]] = {}  # how many tokens are on disk, and the key of the last full block
        self._evicted = 0

    @property
    def state(self) -> PoolState:
        """What is where."""
        return PoolState(self._decoder.cells, self._tree.cells, len(self._parked), self._evicted)

    @property
    def free(self) -> int:
        """Cells that nobody uses."""
        return self._decoder.cells - self._tree.cells

    def lease(self, tokens: Sequence[int], need: int) -> Lease | None:
        """A sequence with the longest known prefix of `tokens`, and `need` cells for it and what follows; None where there are none.

        The last token is never among what is known: it must run again for its scores.
        """
        known = tokens[:-1]
        match = self._tree.match(known)
        wanted = min(need - match.length, self._decoder.cells)
        if not self.make_room(wanted, match.sequences):
            # The prefix itself stands in the way; it goes only where that surely helps.
            if not self._could_free(min(need, self._decoder.cells)) or not self.make_room(min(need, self._decoder.cells)):
                return None
            match = self._tree.match(known)
        sequence = self._own(match)
        if sequence is None:
            return None
        blocks = known_blocks(self._store, tokens, match.length) if self._store else []
        return Lease(sequence, match.length, blocks)

    def make_room(self, cells: int, keep: AbstractSet[int] = frozenset()) -> bool:
        """Free at least `cells` cells by evicting parked sequences not in `keep`; False where that is not enough."""
        while self.free < cells:
            victim = next((sequence for sequence in self._parked if sequence not in keep), None)
            if victim is None:
                return False
            self._evict(victim)
        return True

    def _could_free(self, cells: int) -> bool:
        """Whether evicting everything that is parked frees `cells` cells; True also where nobody is at work and so nothing else is left."""
        alone = len(self._vacant) + len(self._parked) == self._decoder.sequences
        return alone or self.free + sum(self._tree.exclusive(sequence) for sequence in self._parked) >= cells

    def fetch(self, lease: Lease, tokens: Sequence[int]) -> None:
        """Bring the next block of `lease` from disk into memory; `tokens` are the request's. A block that can't be read ends the list."""
        assert self._store is not None
        start, whole, key = lease.on_disk.pop(0)
        end = min(whole, len(tokens) - 1)
        data = self._store.read(key)
        try:
            if data is None or start > lease.held or not self.make_room(whole - start):
                lease.on_disk.clear()
                return
            self._decoder.restore(lease.sequence, data, lease.held, end)
        except DecodeError:
            lease.on_disk.clear()
            return
        self._tree.grow(lease.sequence, tokens[lease.held : end])
        lease.held = end
        if end == whole and end % BLOCK_TOKENS == 0:
            self._saved[lease.sequence] = (end, key)

    def grow(self, lease: Lease, tokens: Sequence[int]) -> None:
        """`tokens` were decoded behind what the lease holds."""
        self._tree.grow(lease.sequence, tokens)
        lease.held += len(tokens)

    def park(self, lease: Lease) -> None:
        """The request is done; what it computed stays as long as there is room."""
        sequence = lease.sequence
        if self._tree.exclusive(sequence) == 0:
            self.drop(lease)
        else:
            self._parked[sequence] = None

    def drop(self, lease: Lease) -> None:
        """Forget all of it, as after a failure."""
        self._forget(lease.sequence)

    def save_some(self, *, crowded_only: bool = False) -> bool:
        """Save one block of the parked sequence that would have to go first; False where there is nothing to save.

        With `crowded_only` only where the pool is so full that some will have to go soon.
        """
        if self._store is None or (crowded_only and self._tree.cells < _CROWDED * self._decoder.cells):
            return False
        return any(self._save_block(sequence) for sequence in self._parked)

    def _own(self, match: Match) -> int | None:
        whole = (found for found in match.sequences if found in self._parked and self._tree.length(found) == match.length)
        if (sequence := next(whole, None)) is not None:
            del self._parked[sequence]
            return sequence
        sources = set(match.sequences)
        if not self._vacant:
            victim = next((found for found in self._parked if found not in match.sequences), next(iter(self._parked), None))
            if victim is None or match.sequences == {victim}:
                return None if victim is None else self._shorten(victim, match.length)
            self._evict(victim)
            sources.discard(victim)
        sequence = self._vacant.pop()
        if match.length:
            source = min(sources)
            self._decoder.copy(source, sequence, 0, match.length)
            self._tree.fork(source, sequence, match.length)
        return sequence

    def _shorten(self, sequence: int, length: int) -> int:
        """Take over a parked sequence of which only the first `length` tokens are wanted."""
        self._save(sequence)
        del self._parked[sequence]
        self._decoder.forget(sequence, length)
        self._tree.cut(sequence, length)
        self._saved.pop(sequence, None)
        return sequence

    def _evict(self, sequence: int) -> None:
        self._save(sequence)
        self._forget(sequence)
        self._evicted += 1

    def _forget(self, sequence: int) -> None:
        self._decoder.forget(sequence)
        self._tree.drop(sequence)
        self._parked.pop(sequence, None)
        self._saved.pop(sequence, None)
        self._vacant.append(sequence)

    def _save(self, sequence: int) -> None:
        while self._save_block(sequence):
            pass

    def _save_block(self, sequence: int) -> bool:
        """Save the next block of `sequence` that is not on disk; False where all is."""
        length = self._tree.length(sequence)
        if self._store is None or length < BLOCK_TOKENS:
            return False
        done, before = self._saved.get(sequence, (0, self._store.root))
        if done >= length:
            return False
        tokens = self._tree.tokens(sequence)
        start = done - done % BLOCK_TOKENS
        while start < length:
            end = min(start + BLOCK_TOKENS, length)
            key = block_key(before, tokens[start:end])
            full = end - start == BLOCK_TOKENS
            if not self._store.has(key):
                written = self._store.write(key, self._decoder.save(sequence, start, end))
                # A full disk is no reason to try again and again; the next request of this sequence will.
                self._saved[sequence] = (end if written else length, key if full else before)
                return written
            if full:
                before = key
            start = end
        self._saved[sequence] = (length, before)
        return False
