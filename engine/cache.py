"""What the key-value cache holds: a prefix tree over sequences of token ids, in which a prefix that several sequences share is one path.

The tree mirrors the cells of `engine.llama`: a node is a run of cells and the sequences that own them. A sequence ends at a node; its
tokens are those on the way there. Two sequences may hold the same tokens in cells of their own, where both computed them at the same
time; then two children of a node begin alike. Pure bookkeeping. What this module does not do: touch the cells, or choose what to drop.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_STRIDE = 256


class Match(NamedTuple):
    """The longest known prefix of some tokens: its `length`, and the `sequences` that hold it (none where the length is 0)."""

    length: int
    sequences: frozenset[int]


class _Node:
    __slots__ = ("children", "parent", "sequences", "tokens")

    def __init__(self, tokens: list[int], parent: "_Node | None", sequences: set[int]) -> None:
        self.tokens = tokens
        self.parent = parent
        self.sequences = sequences
        self.children: list[_Node] = []


class PrefixTree:
    """Sequences by number, none at first. Unknown numbers are empty sequences."""

    def __init__(self) -> None:
        self._root = _Node([], None, set())
        self._ends: dict[int, _Node] = {}
        self.cells = 0
        """How many tokens there are, shared ones counted once."""

    def match(self, tokens: Sequence[int]) -> Match:
        """The longest prefix of `tokens` that some sequence holds."""
        node, length = self._root, 0
        while True:
            found = [(common(child.tokens, 0, tokens, length), child) for child in node.children]
            step, child = max(found, key=lambda pair: pair[0], default=(0, node))
            if step == 0:
                return Match(length, frozenset(node.sequences))
            node, length = child, length + step
            if step < len(child.tokens):
                return Match(length, frozenset(child.sequences))

    def tokens(self, sequence: int) -> list[int]:
        """What `sequence` holds."""
        return [token for node in reversed(list(self._path(sequence))) for token in node.tokens]

    def length(self, sequence: int) -> int:
        """How many tokens `sequence` holds."""
        return sum(len(node.tokens) for node in self._path(sequence))

    def exclusive(self, sequence: int) -> int:
        """How many of its tokens nobody else holds: what dropping it would free."""
        return sum(len(node.tokens) for node in self._path(sequence) if len(node.sequences) == 1)

    def grow(self, sequence: int, tokens: Iterable[int]) -> None:
        """Append `tokens`, in cells of the sequence's own."""
        new = list(tokens)
        end = self._ends.get(sequence, self._root)
        self.cells += len(new)
        if end.sequences == {sequence} and end is not self._root:
            end.tokens += new
        elif new:
            child = _Node(new, end, {sequence})
            end.children.append(child)
            self._ends[sequence] = child

    def fork(self, source: int, target: int, length: int) -> None:
        """Let `target`, which must be empty, hold the first `length` tokens of `source` too."""
        assert target not in self._ends, "a sequence that holds something can't become another's branch"
        end = self._cut_at(source, length)
        for node in self._up(end):
            node.sequences.add(target)
        if end is not self._root:
            self._ends[target] = end

    def cut(self, sequence: int, length: int) -> None:
        """Keep the first `length` tokens of `sequence`."""
        keep = self._cut_at(sequence, length)
        node = self._ends.get(sequence, self._root)
        while node is not keep:
            parent = node.parent
            assert parent is not None
            node.sequences.discard(sequence)
            if not node.sequences:
                self.cells -= len(node.tokens)
                parent.children.remove(node)
            node = parent
        if keep is self._root:
            self._ends.pop(sequence, None)
        else:
            self._ends[sequence] = keep
        self._join(keep)

    def drop(self, sequence: int) -> None:
        """Forget `sequence`."""
        self.cut(sequence, 0)

    def _path(self, sequence: int) -> Iterator[_Node]:
        return self._up(self._ends.get(sequence, self._root))

    def _up(self, node: _Node) -> Iterator[_Node]:
        """`node` and those above it, without the root."""
        at: _Node | None = node
        while at is not None and at is not self._root:
            yield at
            at = at.parent

    def _cut_at(self, sequence: int, length: int) -> _Node:
        """The node on the way to `sequence`'s end at which `length` tokens end; made if it must be."""
        before = 0
        for node in reversed(list(self._path(sequence))):
            if before == length:
                break
            if before + len(node.tokens) > length:
                return self._split(node, length - before)
            before += len(node.tokens)
            if before == length:
                return node
        assert before == length, f"sequence {sequence} has {before} tokens, not {length}"
        return self._root

    def _split(self, node: _Node, at: int) -> _Node:
        """A new node with the first `at` tokens of `node`, above it."""
        parent = node.parent
        assert parent is not None
        upper = _Node(node.tokens[:at], parent, set(node.sequences))
        parent.children[parent.children.index(node)] = upper
        upper.children.append(node)
        node.tokens, node.parent = node.tokens[at:], upper
        return upper

    def _join(self, node: _Node) -> None:
        """Undo a split that no sequence needs any more."""
        if node is self._root or len(node.children) != 1 or node.children[0].sequences != node.sequences:
            return
        (child,) = node.children
        parent = node.parent
        assert parent is not None
        child.tokens, child.parent = node.tokens + child.tokens, parent
        parent.children[parent.children.index(node)] = child


def common(left: Sequence[int], left_start: int, right: Sequence[int], right_start: int) -> int:
    """How many tokens from the two places on are equal."""
    longest = min(len(left) - left_start, len(right) - right_start)
    length = 0
    # Slices are compared in C; only the one that differs is looked at token by token.
    while length < longest:
        step = min(_STRIDE, longest - length)
        a, b = left_start + length, right_start + length
        if left[a : a + step] != right[b : b + step]:
            return length + next(n for n in range(step) if left[a + n] != right[b + n])
        length += step
    return length
