"""K2's published vocabulary files as the vocabulary of a GGUF: tokens, their types, and the merges that lead to them.

`tiktoken.model` lists text tokens in merge order, base64 and rank a line. The 256 ids after them are control tokens:
`tokenizer_config.json` names some, the rest are reserved. Text tokens are spelled in GPT-2's byte alphabet, as llama.cpp wants.
What this module does not do: encode text (`engine.tokenizer` does).
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.convert.config import Value
from engine.convert.settings import Settings, load
from engine.errors import ModelFileError
from engine.tokenizer import Tokenizer, TokenType, VocabularyError, bytes_to_alphabet

RANKS: Final = "tiktoken.model"
NAMES: Final = "tokenizer_config.json"

RESERVED: Final = 256
"""How many control tokens follow the text tokens, named or not."""

_TEMPLATE: Final = "chat_template.jinja"


@dataclass(frozen=True)
class Vocabulary:
    """`ranks` gives text tokens their ids, `control` the control tokens' names theirs; `size` counts unused ids too."""

    ranks: Mapping[bytes, int]
    control: Mapping[str, int]
    size: int
    template: str

    def metadata(self, special: Mapping[str, int]) -> dict[str, Value]:
        """The keys of the GGUF. `special` are the ids of `bos`, `eos` and `pad`. Raises `ModelFileError` if one is no token."""
        for name, number in special.items():
            if number >= self.size:
                raise ModelFileError(f"config.json: {name}_token_id is {number}, but the vocabulary has {self.size} tokens")
        tokens, types = self._tokens()
        values: dict[str, Value] = {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "kimi-k2",
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": types,
            "tokenizer.ggml.merges": tuple(f"{bytes_to_alphabet(left)} {bytes_to_alphabet(right)}" for left, right in merges(self.ranks)),
            **{f"tokenizer.ggml.{_GGUF_NAMES[name]}_token_id": number for name, number in special.items()},
            "tokenizer.ggml.add_bos_token": False,
        }
        return values | ({"tokenizer.chat_template": self.template} if self.template else {})

    def _tokens(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        tokens = [f"[PAD{number}]" for number in range(self.size)]
        types = [int(TokenType.UNUSED)] * self.size
        for token, number in self.ranks.items():
            tokens[number], types[number] = bytes_to_alphabet(token), int(TokenType.NORMAL)
        for name, number in self.control.items():
            tokens[number], types[number] = name, int(TokenType.CONTROL)
        if len(set(tokens)) != len(tokens):
            raise ModelFileError(f"{NAMES}: a control token is spelled like another token; download it again")
        return tuple(tokens), tuple(types)


_GGUF_NAMES: Final = {"bos": "bos", "eos": "eos", "pad": "padding"}


def read(folder: Path, size: int) -> Vocabulary:
    """The vocabulary in `folder`, `size` ids in all. Raises `ModelFileError` for a file that is missing, damaged or too long."""
    ranks = _ranks(folder / RANKS)
    settings = load(folder / NAMES)
    control = _control(settings, len(ranks), size)
    try:
        Tokenizer(ranks, control)
    except VocabularyError as wrong:
        raise ModelFileError(f"{folder}: {wrong}") from None
    template = folder / _TEMPLATE
    return Vocabulary(ranks, control, size, template.read_text("utf-8") if template.is_file() else _template(settings))


def merges(ranks: Mapping[bytes, int]) -> Iterator[tuple[bytes, bytes]]:
    """For each text token of several bytes, in rank order, the two earlier tokens that byte-pair encoding joins to it."""
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1:
            parts = _merged(token, ranks, rank)
            if len(parts) != 2:
                raise ModelFileError(f"{RANKS}: token {rank} ({token!r}) is not made of two earlier tokens; download it again")
            yield parts[0], parts[1]


def _merged(token: bytes, ranks: Mapping[bytes, int], below: int) -> list[bytes]:
    """`token` after all merges of ranks under `below`, lowest first."""
    parts = [token[at : at + 1] for at in range(len(token))]
    while len(parts) > 2:
        best, where = below, -1
        for at in range(len(parts) - 1):
            if (rank := ranks.get(parts[at] + parts[at + 1], below)) < best:
                best, where = rank, at
        if where < 0:
            break
        parts[where : where + 2] = [parts[where] + parts[where + 1]]
    return parts


def _ranks(path: Path) -> dict[bytes, int]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ModelFileError(f"{path}: {(error.strerror or str(error)).lower()}; download it into this folder") from None
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(lines):
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            raise ModelFileError(f"{path}: line {number + 1} is not a token and its rank; download it again") from None
    if sorted(ranks.values()) != list(range(len(lines))):
        raise ModelFileError(f"{path}: its ranks are not 0, 1, 2, …, each once; download it again")
    return ranks


def _control(settings: Settings, first: int, size: int) -> dict[str, int]:
    """Names and ids of the control tokens from id `first` on, as many as a vocabulary of `size` has room for."""
    end = min(first + RESERVED, size)
    if first > size:
        raise ModelFileError(f"config.json: vocab_size is {size}, but {RANKS} has {first} tokens; download both again")
    names: dict[int, str] = {}
    for key, added in (settings.mapping("added_tokens_decoder")).items():
        number = int(key) if key.isdecimal() else -1
        if not isinstance(added, dict) or not isinstance(name := added.get("content"), str) or not first <= number < end:
            raise ModelFileError(f"{settings.path}: added token {key!r} is not one of the ids {first} to {end - 1}; download it again")
        names[number] = name
    control = {names.get(number, f"<|reserved_token_{number}|>"): number for number in range(first, end)}
    if len(control) != end - first:
        raise ModelFileError(f"{settings.path}: two control tokens have the same name; download it again")
    return control


def _template(settings: Settings) -> str:
    return settings.text("chat_template", "") if "chat_template" in settings else ""
