"""Which options fit what was typed, best first. Pure; quick enough for ten thousand options a key.

Every word has to be there. A label that begins with the first word comes before one where a word begins with it, that before any other
place, and that before a detail. Where nothing fits so, letters in their order do (`kmn` finds `kimi-nano`).
What this module does not do: remember what is chosen often.
"""

from collections.abc import Sequence


def folded_case(label: str, detail: str) -> tuple[str, str]:
    """What is searched of an option; made once for each of them."""
    return label.casefold(), detail.casefold()


def matching(wanted: str, options: Sequence[tuple[str, str]]) -> list[int]:
    """The indices of the options that fit, best first; all of them, in order, where nothing is wanted."""
    words = wanted.casefold().split()
    if not words:
        return list(range(len(options)))
    ranked = [(rank, index) for index, option in enumerate(options) if (rank := _rank(words, *option)) is not None]
    if ranked:
        return [index for _, index in sorted(ranked)]
    letters = "".join(words)
    return [index for index, (name, _) in enumerate(options) if _in_order(letters, name)]


def _rank(words: Sequence[str], name: str, detail: str) -> int | None:
    if not all(word in name or word in detail for word in words):
        return None
    first = words[0]
    at = name.find(first)
    if at == 0:
        return 0
    if at > 0 and not name[at - 1].isalnum():
        return 1
    return 2 if all(word in name for word in words) else 3


def _in_order(letters: str, name: str) -> bool:
    at = 0
    for letter in letters:
        at = name.find(letter, at) + 1
        if at == 0:
            return False
    return True
