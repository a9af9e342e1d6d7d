"""Which blocks are folded: all from the start, others as somebody wants it.

What this module does not do: say what can be folded, or what is left of it (`kimicode.tui.draw` does).
"""


class Folds:
    """What is folded, by index."""

    def __init__(self) -> None:
        self._all = True
        self._own: dict[int, bool] = {}

    def folded(self, index: int) -> bool:
        """True where the block is folded."""
        return self._own.get(index, self._all)

    def set(self, index: int, folded: bool) -> None:
        """Fold or unfold one block."""
        self._own[index] = folded

    def set_all(self, folded: bool) -> None:
        """Fold or unfold everything."""
        self._own.clear()
        self._all = folded

    def inserted(self, index: int) -> None:
        """A block came in before this one."""
        self._own = {each + (each >= index): folded for each, folded in self._own.items()}
