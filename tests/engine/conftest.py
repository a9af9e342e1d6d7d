"""K2.6's published vectors and vocabulary, which live outside the repository, and small vocabularies made here."""

import base64
import functools
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.tokenizer import Tokenizer

Rows = Callable[[str], list[dict[str, object]]]

CONTROL_NAMES = (
    "[BOS]",
    "[EOS]",
    "[PAD]",
    "[UNK]",
    "<|im_end|>",
    "<|im_user|>",
    "<|im_assistant|>",
    "<|im_system|>",
    "<|im_middle|>",
    "<think>",
    "</think>",
    "<|tool_calls_section_begin|>",
    "<|tool_calls_section_end|>",
    "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>",
    "<|tool_call_end|>",
    "<|media_begin|>",
    "<|media_content|>",
    "<|media_end|>",
    "<|media_pad|>",
)


@functools.cache
def _load_rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@functools.cache
def _load_vocabulary(folder: Path) -> tuple[dict[bytes, int], dict[str, int]]:
    lines = (line.split() for line in (folder / "tiktoken.model").read_bytes().splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    named = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))["added_tokens_decoder"]
    names = {int(number): str(entry["content"]) for number, entry in named.items()}
    control = {names.get(number, f"<|reserved_token_{number}|>"): number for number in range(len(ranks), len(ranks) + 256)}
    return ranks, control


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of K2.6's vectors; where it is absent CI fails and everybody else skips."""
    root = Path(os.environ.get("KIMICODE_VECTORS") or Path(__file__).parents[3] / "shared" / "vectors") / "k26"
    if not root.is_dir():
        message = f"no K2.6 vectors at {root}: set KIMICODE_VECTORS to the folder that holds k26/"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return root


@pytest.fixture(scope="session")
def rows(vectors: Path) -> Rows:
    """`rows("chat")` is every line of k26/chat.jsonl."""
    return lambda name: _load_rows(vectors / f"{name}.jsonl")


@pytest.fixture(scope="session")
def vocabulary(vectors: Path) -> tuple[dict[bytes, int], dict[str, int]]:
    """K2.6's ranks and control tokens."""
    return _load_vocabulary(vectors)


@pytest.fixture(scope="session")
def k26(vocabulary: tuple[dict[bytes, int], dict[str, int]]) -> Tokenizer:
    """K2.6's tokenizer."""
    return Tokenizer(*vocabulary)


@pytest.fixture(scope="session")
def small() -> Tokenizer:
    """A vocabulary of kimi-nano's kind: the 256 bytes, a few merges, the control tokens last."""
    texts = [bytes([byte]) for byte in range(256)] + [b"he", b"ll", b"hell", b"hello", b"  ", b"def", b" hello"]
    return Tokenizer({token: number for number, token in enumerate(texts)}, {name: len(texts) + n for n, name in enumerate(CONTROL_NAMES)})
