"""How many tokens a text is for Kimi K2.6: exactly, from the model's own vocabulary, which is part of the package.

The vocabulary is read when the first text is counted, and in two parts: text in ASCII needs the tokens that are ASCII and no others, for
no other can come of joining its pieces. That halves the wait, and source code is ASCII as a rule.

What this module does not do: encode for the engine (`engine.tokenizer` does, with the vocabulary of the model file), or count messages.
"""

import importlib.resources
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import count as numbers
from typing import Final

import msgspec
import tiktoken

_PATTERN: Final = "|".join(
    (
        r"[\p{Han}]+",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""How K2.6 cuts text into words, as published; what is joined is joined within a word."""

_MAX_TEXT: Final = 400_000
_MAX_RUN: Final = 25_000
"""Characters after which the published tokenizer cuts a text, and a run of spaces alone or of none, before anything else."""

_RUN: Final = re.compile(r"\s+|\S+")
_LONGEST: Final = 256


class _Vocabulary(msgspec.Struct, frozen=True):
    """`ascii` are the tokens in ASCII in the order of joining, `others` the rest; `order` has a 0 for the next of `ascii`, a 1 for the
    next of `others`. Both begin with a byte for each token, its length less one; the tokens follow, the short ones first."""

    ascii: bytes
    others: bytes
    order: bytes


def count(text: str) -> int:
    """The number of K2.6 tokens of `text`; nothing in it counts as a control token."""
    encoding = _encoding(text.isascii())
    return sum(len(encoding.encode_ordinary(piece)) for piece in _pieces(text))


def count_lines(lines: Iterable[str]) -> list[int]:
    r"""The number of tokens of each line with its line end. Their sum is `count` of all of them together if all but the last end in "\n"
    and there is no line break in the white space that a line begins with: no blank line, then.
    """
    return [count(line) for line in lines]


def pack(tokens: Sequence[bytes]) -> bytes:
    """The vocabulary of `tokens`, in the order in which they are joined, as the package keeps it."""
    ours = [token for token in tokens if token.isascii()]
    others = [token for token in tokens if not token.isascii()]
    order = bytes(not token.isascii() for token in tokens)
    parts = (zlib.compress(part, 9) for part in (_joined(ours), _joined(others), order))
    return msgspec.msgpack.encode(_Vocabulary(*parts))


def _joined(tokens: Sequence[bytes]) -> bytes:
    lengths = bytes(len(token) - 1 for token in tokens)
    grouped: list[bytes] = sorted(tokens, key=len)
    return struct.pack("<I", len(tokens)) + lengths + b"".join(grouped)


def _tokens(data: bytes) -> Iterator[bytes]:
    """The tokens of a part, in their order."""
    data = zlib.decompress(data)
    (number,) = struct.unpack_from("<I", data)
    lengths, at = data[4 : 4 + number], 4 + number
    by_length: list[Iterator[bytes]] = []
    for length in range(1, _LONGEST + 1):
        end = at + length * lengths.count(length - 1)
        by_length.append(iter([data[start : start + length] for start in range(at, end, length)]))
        at = end
    # A loop in Python takes four times as long.
    return map(next, map(by_length.__getitem__, lengths))


@cache
def _encoding(only_ascii: bool) -> tiktoken.Encoding:
    kept = msgspec.msgpack.decode(importlib.resources.files(__package__).joinpath("k26.bin").read_bytes(), type=_Vocabulary)
    tokens = _tokens(kept.ascii)
    if not only_ascii:
        tokens = map(next, map((tokens, _tokens(kept.others)).__getitem__, zlib.decompress(kept.order)))
    return tiktoken.Encoding("k26", pat_str=_PATTERN, mergeable_ranks=dict(zip(tokens, numbers())), special_tokens={})


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), _MAX_TEXT):
        piece = text[start : start + _MAX_TEXT]
        yield from [piece] if len(piece) <= _MAX_RUN else _split_runs(piece)


def _split_runs(text: str) -> Iterator[str]:
    start = 0
    for run in _RUN.finditer(text):
        for cut in range(run.start() + _MAX_RUN, run.end(), _MAX_RUN):
            yield text[start:cut]
            start = cut
    yield text[start:]
