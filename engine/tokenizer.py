"""Text to K2.6 token ids and back: tiktoken's byte-pair encoding over a vocabulary that comes from the model file.

Two kinds of token never mix: *text* tokens carry bytes and come out of `encode`; *control* tokens (`<|im_end|>`, `<think>`, …) have
names and enter a prompt only through `control_id`. So no text, whoever wrote it, can spell a control token into a prompt.

What this module does not do: know the chat format (`engine.chat`) or read anything of a model file but its vocabulary. llama.cpp's
own tokenizer is not used: it splits words with combining marks (Devanagari, …) differently from the model's published one.
"""

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Final

import tiktoken

from engine.errors import ModelFileError
from engine.gguf import Array, Header, read_array, read_header

SPLIT_PATTERN: Final = "|".join(
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
"""How K2.6 cuts text into words before byte-pair encoding: its published pattern, in the syntax of Rust's regex crate (`&&`)."""

MAX_TEXT_CHARS: Final = 400_000
"""Longer texts are encoded in pieces of this many characters, as the model's published tokenizer does."""

MAX_RUN_CHARS: Final = 25_000
"""Longer runs of only spaces, or of only non-spaces, are cut after every this many characters, for the same reason."""

_RUN: Final = re.compile(r"\s+|\S+")


class VocabularyError(ModelFileError, ValueError):
    """A vocabulary that can't be used, or a token it doesn't have; the message says which and where."""


class TokenType(IntEnum):
    """Token kinds of `tokenizer.ggml.token_type`, as the GGUF specification numbers them."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class Tokenizer:
    """A vocabulary: `ranks` gives every text token's bytes its id (which is its merge rank too), `control` every control token's name.

    Raises `VocabularyError` if one of the 256 single bytes is missing or an id is used twice.
    """

    def __init__(self, ranks: Mapping[bytes, int], control: Mapping[str, int]) -> None:
        self._bytes = {rank: token for token, rank in ranks.items()}
        self._names = {number: name for name, number in control.items()}
        self._control = dict(control)
        _check(ranks, self._bytes, self._names, self._control)
        self._encoding = tiktoken.Encoding("k2", pat_str=SPLIT_PATTERN, mergeable_ranks=dict(ranks), special_tokens={})

    @classmethod
    def from_gguf(cls, path: str | Path) -> "Tokenizer":
        """The vocabulary of the GGUF file at `path`. Raises `VocabularyError` where it has none of this kind, `OSError` if unreadable."""
        tokens, types = _read_gguf(Path(path))
        ranks: dict[bytes, int] = {}
        control: dict[str, int] = {}
        for number, (token, kind) in enumerate(zip(tokens, types, strict=True)):
            match kind:
                case TokenType.NORMAL:
                    ranks[alphabet_to_bytes(token)] = number
                case TokenType.CONTROL | TokenType.USER_DEFINED | TokenType.UNKNOWN:
                    control[token] = number
                case _:
                    pass  # UNUSED fills ids the model never learned; BYTE belongs to another tokenizer family
        return cls(ranks, control)

    @property
    def control(self) -> Mapping[str, int]:
        """Every control token's name and id."""
        return self._control

    def __len__(self) -> int:
        """How many tokens there are; ids may have gaps."""
        return len(self._bytes) + len(self._names)

    def __contains__(self, token_id: int) -> bool:
        return token_id in self._bytes or token_id in self._names

    def encode(self, text: str) -> list[int]:
        """`text` as text tokens only, also where it spells a control token. Lone surrogates become U+FFFD."""
        return [token_id for piece in split_long(text) for token_id in self._encoding.encode_ordinary(piece)]

    def control_id(self, name: str) -> int:
        """The id of the control token `name`. Raises `VocabularyError` if the vocabulary has none."""
        try:
            return self._control[name]
        except KeyError:
            raise VocabularyError(f"the vocabulary has no control token {name!r}: use a model file with K2.6's control tokens") from None

    def is_control(self, token_id: int) -> bool:
        """Whether `token_id` is a control token."""
        return token_id in self._names

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of a text token, or the spelled name of a control token. Raises `VocabularyError` for an unknown id."""
        if (token := self._bytes.get(token_id)) is not None:
            return token
        if (name := self._names.get(token_id)) is not None:
            return name.encode()
        raise VocabularyError(f"the vocabulary has no token {token_id}")

    def decode_bytes(self, token_ids: Iterable[int]) -> bytes:
        """The tokens' bytes joined, control tokens spelled out; not always whole UTF-8. Raises as `token_bytes` does."""
        return b"".join(map(self.token_bytes, token_ids))


class Utf8Stream:
    """Bytes in, whole characters out: holds back a character's first bytes until the rest arrives. Invalid bytes become U+FFFD."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> str:
        """The characters that `data` completes, perhaps none."""
        return self._decoder.decode(data)

    def flush(self) -> str:
        """U+FFFD for what is still held back, or nothing; the stream starts afresh."""
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return rest


def split_long(text: str) -> Iterator[str]:
    """`text` cut as the model's published tokenizer cuts it before encoding; one piece for any ordinary text."""
    for start in range(0, len(text), MAX_TEXT_CHARS):
        yield from _split_runs(text[start : start + MAX_TEXT_CHARS])


def _split_runs(text: str) -> Iterator[str]:
    if len(text) <= MAX_RUN_CHARS:
        yield text
        return
    start = 0
    for run in _RUN.finditer(text):
        for cut in range(run.start() + MAX_RUN_CHARS, run.end(), MAX_RUN_CHARS):
            yield text[start:cut]
            start = cut
    yield text[start:]


def _byte_alphabet() -> dict[int, str]:
    """GPT-2's printable character for each byte: printable Latin-1 stands for itself, the other 68 follow from U+0100."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in printable)
    return {**{byte: chr(byte) for byte in printable}, **{byte: chr(0x100 + n) for n, byte in enumerate(others)}}


_TO_CHAR: Final = _byte_alphabet()
_TO_BYTE: Final = {char: byte for byte, char in _TO_CHAR.items()}


def alphabet_to_bytes(token: str) -> bytes:
    """A vocabulary entry in GPT-2's alphabet as the bytes it stands for. Raises `VocabularyError` for a character outside it."""
    try:
        return bytes(_TO_BYTE[char] for char in token)
    except KeyError as outside:
        raise VocabularyError(f"token {token!r}: {outside} is outside GPT-2's byte alphabet; only 'gpt2' vocabularies work") from None


def bytes_to_alphabet(token: bytes) -> str:
    """The reverse of `alphabet_to_bytes`: how `token` is written in a GGUF's vocabulary."""
    return "".join(_TO_CHAR[byte] for byte in token)


def _check(ranks: Mapping[bytes, int], texts: Mapping[int, bytes], names: Mapping[int, str], control: Mapping[str, int]) -> None:
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise VocabularyError(
            f"the vocabulary lacks {len(missing)} of the 256 single bytes, first 0x{missing[0]:02x}: it can't encode every text"
        )
    if len(texts) != len(ranks) or len(names) != len(control) or texts.keys() & names.keys():
        raise VocabularyError("the vocabulary uses an id for two tokens")


def _read_gguf(path: Path) -> tuple[list[str], list[int]]:
    """The token list and token types of a GGUF."""
    path.stat()
    try:
        header = read_header(path)
        tokens, types = (_array(path, header, f"tokenizer.ggml.{name}") for name in ("tokens", "token_type"))
    except VocabularyError:
        raise
    except ModelFileError as problem:
        raise VocabularyError(str(problem)) from problem
    texts = [token for token in tokens if isinstance(token, str)]
    kinds = [kind for kind in types if isinstance(kind, int)]
    model = header.text("tokenizer.ggml.model")
    if model != "gpt2" or len(texts) != len(tokens) or len(texts) != len(kinds):
        raise VocabularyError(f"{path}: its vocabulary is of kind {model!r} ({len(texts)} tokens, {len(kinds)} types), K2.6's is 'gpt2'")
    return texts, kinds


def _array(path: Path, header: Header, key: str) -> list[str] | list[int]:
    array = header.metadata.get(key)
    if not isinstance(array, Array):
        raise VocabularyError(f"{path}: no {key!r} in this GGUF: it is not a language model with a vocabulary")
    return read_array(path, array)
