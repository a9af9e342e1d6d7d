"""Training documents: token ids and the weight of each in the loss.

A document is one conversation as K2.6's template renders it. What the model itself must write (from `<think>` to `<|im_end|>` of every
answer) weighs 1; the rest, which it reads, weighs `READ_WEIGHT`.
What this module does not do: run projects or train.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

import prompts
from engine.chat import encode_pieces, render
from engine.nano.trajectories import Message, vary_seconds
from engine.tokenizer import Tokenizer
from engine.tooldecl import declare

READ_WEIGHT = 0.1
TOOLS = {"read": ("path",), "edit": ("path", "old_string", "new_string"), "shell": ("command",)}


class Document(NamedTuple):
    """ids[t] is followed by ids[t + 1], whose loss weighs weights[t + 1]."""

    ids: list[int]
    weights: list[float]


def lean_tools() -> list[dict[str, object]]:
    """The lean profile's tools, as a request declares them."""
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": prompts.load(f"lean/{name}").text,
                "parameters": {
                    "type": "object",
                    "properties": {argument: {"type": "string"} for argument in arguments},
                    "required": list(arguments),
                },
            },
        }
        for name, arguments in TOOLS.items()
    ]


def document(tokenizer: Tokenizer, messages: Sequence[Message], rng: random.Random, *, with_prefix: bool) -> Document:
    """The conversation's document; `with_prefix` puts the lean profile's tool declaration and system prompt first."""
    varied = [{**m, "content": vary_seconds(str(m["content"]), rng)} if m["role"] == "tool" else m for m in messages]
    declaration = None
    if with_prefix:
        declaration = declare(lean_tools())
        varied = [{"role": "system", "content": prompts.load("lean").text}, *varied]
    pieces = render(varied, declaration=declaration, preserve_thinking=True, generation_prompt=False)
    ids = encode_pieces(tokenizer, pieces)
    return Document(ids, _weights(tokenizer, ids))


def _weights(tokenizer: Tokenizer, ids: list[int]) -> list[float]:
    """1 after the `<think>` that opens an answer, up to and with its `<|im_end|>`."""
    think, end = tokenizer.control_id("<think>"), tokenizer.control_id("<|im_end|>")
    weights, writing = [], False
    for token in ids:
        weights.append(1.0 if writing else READ_WEIGHT)
        writing = (writing or token == think) and token != end
    return weights
