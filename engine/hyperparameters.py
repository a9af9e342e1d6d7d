"""Whether a model file's hyperparameters can be those of a model of K2's architecture.

llama.cpp checks most of this too, but by ending the process. The rules are the relations its `deepseek2` code asserts or silently
relies on. What this module does not do: compare with tensors' shapes; llama.cpp does that, and says what is wrong.
"""

from collections.abc import Callable, Mapping
from typing import Final

REQUIRED: Final = (
    "context_length",
    "embedding_length",
    "block_count",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.q_lora_rank",
    "attention.kv_lora_rank",
    "attention.key_length",
    "attention.value_length",
    "attention.key_length_mla",
    "attention.value_length_mla",
    "rope.dimension_count",
    "expert_feed_forward_length",
    "expert_shared_count",
    "expert_count",
    "expert_used_count",
    "expert_gating_func",
)
"""Whole positive numbers without which llama.cpp refuses the model, or guesses what is wrong for K2."""

MAX_EXPERTS: Final = 1024
MAX_LAYERS: Final = 512
"""llama.cpp's own limits (`LLAMA_MAX_EXPERTS`, `LLAMA_MAX_LAYERS`); it aborts above."""

_GATES: Final = (1, 2)  # softmax, sigmoid

Numbers = Mapping[str, int]

_RULES: Final[tuple[tuple[Callable[[Numbers], bool], str], ...]] = (
    (lambda n: n["block_count"] <= MAX_LAYERS, f"block_count is over {MAX_LAYERS}"),
    (lambda n: n["expert_used_count"] <= n["expert_count"] <= MAX_EXPERTS, f"expert_count is not from expert_used_count to {MAX_EXPERTS}"),
    (lambda n: n["expert_gating_func"] in _GATES, "expert_gating_func is neither softmax (1) nor sigmoid (2)"),
    (lambda n: n.get("expert_group_count", 1) <= 1, "expert_group_count is over 1"),
    (lambda n: n["attention.head_count_kv"] == 1, "attention.head_count_kv is not 1"),
    (lambda n: n["attention.head_count"] <= n["embedding_length"], "attention.head_count is over embedding_length"),
    (lambda n: n["rope.dimension_count"] < n["attention.key_length_mla"], "rope.dimension_count is not below attention.key_length_mla"),
    (
        lambda n: n["attention.key_length"] == n["attention.kv_lora_rank"] + n["rope.dimension_count"],
        "attention.key_length is not attention.kv_lora_rank + rope.dimension_count",
    ),
    (lambda n: n["attention.value_length"] == n["attention.kv_lora_rank"], "attention.value_length is not attention.kv_lora_rank"),
)


def problem(numbers: Numbers) -> str | None:
    """What is wrong with the hyperparameters, named without the architecture's prefix, or None."""
    for name in REQUIRED:
        if name not in numbers:
            return f"{name} is missing"
        if numbers[name] < 1:
            return f"{name} is not positive"
    return next((message for holds, message in _RULES if not holds(numbers)), None)
