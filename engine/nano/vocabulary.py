"""kimi-nano's vocabulary: byte-pair merges learned from its corpus, and K2's control tokens.

It is learned in two rounds so that a word is spelled with the same tokens wherever it stands, which makes copying names easy to learn
for a small model: first merges inside runs of letters and inside runs of other characters, then merges of a leading space and one
whole frequent word. Digits stay single. Ids are merge ranks: 256 bytes, merges, then the control tokens.
What this module does not do: encode text (`engine.tokenizer` does, for every model).
"""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import regex

import prompts
from engine.nano.documents import lean_tools
from engine.tokenizer import SPLIT_PATTERN, Tokenizer
from engine.tooldecl import declare

CONTROL = (
    "[BOS]", "[EOS]", "<|im_end|>", "<|im_user|>", "<|im_assistant|>", "<|start_header_id|>", "<|end_header_id|>", "[EOT]",
    "<|im_system|>", "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>", "<|tool_call_end|>", "<|im_middle|>", "<|media_begin|>", "<|media_content|>", "<|media_end|>",
    "<|media_pad|>", "<think>", "</think>", "[UNK]", "[PAD]",
)  # fmt: skip
"""K2.6's named control tokens, in the order of their ids there."""

Word = tuple[bytes, ...]


def learn(texts: Iterable[str], size: int, leading: int = 160) -> tuple[dict[bytes, int], dict[str, int]]:
    """Ranks of text tokens and ids of control tokens, `size` in all, or fewer where `texts` are too few.

    `leading` is how many merges of a space and a word there may be.
    """
    words = Counter(word for text in texts for word in regex.findall(SPLIT_PATTERN, text, flags=regex.V1))
    units = Counter[str]()
    for word, count in words.items():
        for unit in regex.findall(r"\p{L}+|[^\p{L}\p{N}]+", word):
            units[unit] += count
    ranks = {bytes([byte]): byte for byte in range(256)}
    _merge(units, ranks, size - len(CONTROL) - leading)
    for word, _ in words.most_common():
        token = word.encode()
        if len(ranks) < size - len(CONTROL) and len(word) > 2 and word[0] == " " and token[1:] in ranks and token not in ranks:
            ranks[token] = len(ranks)
    return ranks, {name: len(ranks) + index for index, name in enumerate(CONTROL)}


def merges(ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """For each merged token, in rank order, the pair of earlier tokens that it is made of."""
    found = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1:
            parts = _apply(tuple(bytes([b]) for b in token), ranks, below=rank)
            if len(parts) != 2:
                raise ValueError(f"token {token!r} has no pair of earlier tokens: {parts}")
            found.append((parts[0], parts[1]))
    return found


def tokenizer(ranks: dict[bytes, int], control: dict[str, int]) -> Tokenizer:
    """The tokenizer of this vocabulary."""
    return Tokenizer(ranks, control)


def constant_texts() -> list[str]:
    """Texts that stand before every conversation of the lean profile."""
    return [
        prompts.load("lean").text,
        declare(lean_tools()),
        "functions.shell:0",
        "tool_declare",
        "## Return of ",
        "system",
        "user",
        "assistant",
        "tool",
    ]


def _merge(units: Counter[str], ranks: dict[bytes, int], size: int) -> None:
    """Byte-pair encoding on `units` until `ranks` holds `size` tokens; ties are broken by the bytes, so it is reproducible."""
    words: list[tuple[Word, int]] = [(tuple(bytes([b]) for b in unit.encode()), count) for unit, count in sorted(units.items())]
    while len(ranks) < size:
        pairs = Counter[tuple[bytes, bytes]]()
        for word, count in words:
            for pair in pairwise(word):
                pairs[pair] += count
        if not pairs:
            return
        (left, right), _ = max(pairs.items(), key=lambda item: (item[1], item[0]))
        ranks[left + right] = len(ranks)
        words = [(_join(word, left, right), count) for word, count in words if len(word) > 1]


def _join(word: Word, left: bytes, right: bytes) -> Word:
    found: list[bytes] = []
    for part in word:
        if found and found[-1] == left and part == right:
            found[-1] = left + right
        else:
            found.append(part)
    return tuple(found)


def _apply(word: Word, ranks: dict[bytes, int], below: int) -> Word:
    """Merge `word` by rank, lowest first, using only ranks under `below`."""
    while len(word) > 1:
        rank, left, right = min((ranks.get(a + b, below), a, b) for a, b in pairwise(word))
        if rank >= below:
            break
        word = _join(word, left, right)
    return word
