"""How many tokens a text is for Kimi K2.6: exactly, from the model's own vocabulary, which is part of the package.

What this module does not do: encode for the engine (`engine.tokenizer` does, with the vocabulary of the model file), or count messages.
"""

from collections.abc import Iterable


def count(text: str) -> int:
    """The number of K2.6 tokens of `text`."""
    raise NotImplementedError


def count_lines(lines: Iterable[str]) -> list[int]:
    """The number of tokens of each line with its line end. Where no line is blank, their sum is `count` of all of them together."""
    raise NotImplementedError
