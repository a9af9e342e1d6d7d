"""The prefix tree against plain lists."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.cache import PrefixTree, common

TOKENS = st.lists(st.integers(0, 2), max_size=12)
SEQUENCE = st.integers(0, 5)


class Tree(RuleBasedStateMachine):
    """Every operation, on the tree and on lists; which cells are shared is tracked by giving each cell a number."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = PrefixTree()
        self.cells: dict[int, list[tuple[int, int]]] = {}
        self.number = 0

    @rule(sequence=SEQUENCE, tokens=TOKENS)
    def grow(self, sequence: int, tokens: list[int]) -> None:
        self.tree.grow(sequence, tokens)
        for token in tokens:
            self.number += 1
            self.cells.setdefault(sequence, []).append((self.number, token))

    @rule(source=SEQUENCE, branch=SEQUENCE, part=st.floats(0, 1))
    def fork(self, source: int, branch: int, part: float) -> None:
        if self.cells.get(branch):
            return
        length = round(part * len(self.cells.get(source, [])))
        self.tree.fork(source, branch, length)
        self.cells[branch] = self.cells.get(source, [])[:length]

    @rule(sequence=SEQUENCE, part=st.floats(0, 1))
    def cut(self, sequence: int, part: float) -> None:
        length = round(part * len(self.cells.get(sequence, [])))
        self.tree.cut(sequence, length)
        self.cells[sequence] = self.cells.get(sequence, [])[:length]

    @rule(sequence=SEQUENCE)
    def drop(self, sequence: int) -> None:
        self.tree.drop(sequence)
        self.cells.pop(sequence, None)

    @rule(tokens=TOKENS)
    def match(self, tokens: list[int]) -> None:
        found = self.tree.match(tokens)
        held = {sequence: [token for _, token in cells] for sequence, cells in self.cells.items()}
        assert all(held[sequence][: found.length] == tokens[: found.length] for sequence in found.sequences)
        assert bool(found.sequences) == bool(found.length)
        # Two paths may begin alike; the tree may take the shorter one only where it had such a choice.
        best = max((common(tokens, 0, other, 0) for other in held.values()), default=0)
        assert found.length <= best
        assert bool(found.length) == bool(best)

    @invariant()
    def same(self) -> None:
        for sequence, cells in self.cells.items():
            assert self.tree.tokens(sequence) == [token for _, token in cells]
            assert self.tree.length(sequence) == len(cells)
            others = {cell for other, held in self.cells.items() if other != sequence for cell in held}
            assert self.tree.exclusive(sequence) == len(set(cells) - others)
        assert self.tree.cells == len({cell for cells in self.cells.values() for cell in cells})


TestTree = Tree.TestCase
TestTree.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_common_finds_a_difference_anywhere() -> None:
    left = list(range(1000))
    for place in (0, 1, 255, 256, 257, 511, 999):
        right = [*left[:place], -1, *left[place + 1 :]]
        assert common(left, 0, right, 0) == place
    assert common(left, 10, left[10:], 0) == 990
    assert common([], 0, left, 0) == 0


def test_of_two_prefixes_the_longer_one_is_found() -> None:
    tree = PrefixTree()
    tree.grow(0, [1, 2, 3])
    tree.grow(1, [1, 2, 3, 4])
    assert tree.match([1, 2, 3, 4, 5]) == (4, frozenset({1}))
