"""Which blocks are folded: those with a long inside from the start, the others when somebody folds them.

What this module does not do: say what is left of a folded block (`kimicode.tui.draw` does).
"""

from kimicode.interactive.view.blocks import Block, Called, Ran, Thought


def starts_folded(block: Block) -> bool:
    """True for what was thought, called and run: there is more of it than most people read."""
    return isinstance(block, Thought | Called | Ran)


class Folds:
    """What is folded, by index."""

    def __init__(self) -> None:
        self._open = False
        self._own: dict[int, bool] = {}

    def folded(self, index: int, block: Block) -> bool:
        """True where the block is folded."""
        own = self._own.get(index)
        return (starts_folded(block) and not self._open) if own is None else own

    def set(self, index: int, folded: bool) -> None:
        """Fold or unfold one block."""
        self._own[index] = folded

    def set_all(self, folded: bool) -> None:
        """Unfold everything, or fold what is folded from the start."""
        self._own.clear()
        self._open = not folded

    def inserted(self, index: int) -> None:
        """A block came in before this one."""
        self._own = {each + (each >= index): folded for each, folded in self._own.items()}
