"""Counts that add up: a list of numbers, zero or more each, whose prefix sums are known in O(log n).

A Fenwick tree (P. M. Fenwick, "A new data structure for cumulative frequency tables", 1994). What this module does not do: know what is
counted.
"""

from collections.abc import Iterable


class Sums:
    """`n` counts. Positions run from 0 to `total - 1`: the first count's share first, then the second's, and so on."""

    def __init__(self, counts: Iterable[int] = ()) -> None:
        self._counts = list(counts)
        self._tree = [0, *self._counts]
        for node in range(1, len(self._tree)):
            above = node + (node & -node)
            if above < len(self._tree):
                self._tree[above] += self._tree[node]

    def __len__(self) -> int:
        return len(self._counts)

    def __getitem__(self, index: int) -> int:
        return self._counts[index]

    @property
    def total(self) -> int:
        """All of them together."""
        return self.before(len(self._counts))

    def before(self, index: int) -> int:
        """The sum of the first `index` counts."""
        total = 0
        while index > 0:
            total += self._tree[index]
            index &= index - 1
        return total

    def set(self, index: int, count: int) -> None:
        """Another count in place of the one at `index`."""
        more = count - self._counts[index]
        self._counts[index] = count
        node = index + 1
        while more and node < len(self._tree):
            self._tree[node] += more
            node += node & -node

    def append(self, count: int) -> None:
        """One more, last."""
        self._counts.append(count)
        node = len(self._counts)
        below, total = 1, count
        while below < node & -node:
            total += self._tree[node - below]
            below <<= 1
        self._tree.append(total)

    def insert(self, index: int, count: int) -> None:
        """One more before the one at `index`. Costs as much as appending all that come after it."""
        after = self._counts[index:]
        del self._counts[index:], self._tree[index + 1 :]
        for each in (count, *after):
            self.append(each)

    def at(self, position: int) -> tuple[int, int]:
        """Whose share `position` (0 or more) lies in, and how far in; `(n, position - total)` past the end. Zeros have no share."""
        index = 0
        step = 1 << len(self._counts).bit_length()
        while step:
            beyond = index + step
            if beyond < len(self._tree) and self._tree[beyond] <= position:
                index = beyond
                position -= self._tree[beyond]
            step >>= 1
        return index, position
