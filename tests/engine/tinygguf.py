"""A tiny `deepseek2` model file with random weights, for tests: really loads, decodes in well under a millisecond a token.

Its vocabulary is the 256 bytes, a few merges, one id nobody uses, and K2's control tokens last. What it says is noise.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import gguf
import numpy as np

from engine.tokenizer import bytes_to_alphabet

CONTROL = (
    *("[BOS]", "[EOS]", "<|im_end|>", "<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>"),
    *("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>", "<|tool_call_argument_begin|>"),
    *("<|tool_call_end|>", "<think>", "</think>", "[EOT]", "<|media_begin|>", "<|media_content|>", "<|media_end|>", "<|media_pad|>"),
    *("[UNK]", "[PAD]"),
)
MERGES = ((b"h", b"e"), (b"l", b"l"), (b"he", b"ll"), (b"hell", b"o"), (b" ", b" "), (b"o", b"n"), (b"i", b"on"))
WIDTH, HEADS, LAYERS, DENSE, EXPERTS, EXPERT_WIDTH = 64, 2, 3, 128, 8, 32
Q_RANK, KV_RANK, NOPE, ROPE, VALUE = 32, 32, 32, 32, 32


def vocabulary() -> tuple[list[str], list[int]]:
    """Tokens in id order, as a GGUF spells them, and their types."""
    texts = [bytes_to_alphabet(token) for token in [*(bytes([byte]) for byte in range(256)), *(a + b for a, b in MERGES)]]
    return [*texts, "[PAD263]", *CONTROL], [1] * len(texts) + [5] + [3] * len(CONTROL)


def write(
    path: Path,
    *,
    architecture: str = "deepseek2",
    context: int = 4096,
    seed: int = 0,
    tokenizer: bool = True,
    extra: Mapping[str, str | float | bool] | None = None,
    bias: Mapping[str, float] | None = None,
) -> Path:
    """Write the file. `extra` is more metadata; `bias` pushes tokens, by their GGUF spelling, up or down whatever the prompt is."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    _hyperparameters(writer, context)
    for key, value in (extra or {}).items():
        _extra(writer, key, value)
    if tokenizer:
        _vocabulary(writer)
    _tensors(writer, np.random.default_rng(seed), bias or {})
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _extra(writer: gguf.GGUFWriter, key: str, value: str | float | bool) -> None:
    match value:
        case bool():
            writer.add_bool(key, value)
        case str():
            writer.add_string(key, value)
        case int():
            writer.add_uint32(key, value)
        case float():
            writer.add_float32(key, value)


def _hyperparameters(writer: gguf.GGUFWriter, context: int) -> None:
    writer.add_context_length(context)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(DENSE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(vocabulary()[0]))
    writer.add_q_lora_rank(Q_RANK)
    writer.add_kv_lora_rank(KV_RANK)
    writer.add_key_length(KV_RANK + ROPE)
    writer.add_value_length(KV_RANK)
    writer.add_key_length_mla(NOPE + ROPE)
    writer.add_value_length_mla(VALUE)
    writer.add_rope_dimension_count(ROPE)
    writer.add_rope_freq_base(50_000.0)
    writer.add_leading_dense_block_count(1)
    writer.add_expert_count(EXPERTS)
    writer.add_expert_used_count(2)
    writer.add_expert_shared_count(1)
    writer.add_expert_feed_forward_length(EXPERT_WIDTH)
    writer.add_expert_weights_scale(2.827)
    writer.add_expert_weights_norm(True)
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    writer.add_expert_group_count(1)
    writer.add_expert_group_used_count(1)


def _vocabulary(writer: gguf.GGUFWriter) -> None:
    tokens, types = vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("kimi-k2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([f"{bytes_to_alphabet(a)} {bytes_to_alphabet(b)}" for a, b in MERGES])
    writer.add_bos_token_id(tokens.index("[BOS]"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("[PAD]"))
    writer.add_add_bos_token(False)


def _tensors(writer: gguf.GGUFWriter, rng: np.random.Generator, bias: Mapping[str, float]) -> None:
    tokens = vocabulary()[0]

    def noise(name: str, *shape: int) -> None:
        writer.add_tensor(name, rng.normal(0, 0.15, shape).astype(np.float32))

    def ones(name: str, size: int) -> None:
        writer.add_tensor(name, np.ones(size, np.float32))

    # The first component of every hidden state is made large and constant, so that a row of the output matrix can push its token.
    embedding = rng.normal(0, 1, (len(tokens), WIDTH)).astype(np.float32)
    embedding[:, 0] = 20
    output = rng.normal(0, 0.5, (len(tokens), WIDTH)).astype(np.float32)
    output[:, 0] = [bias.get(token, 0.0) for token in tokens]
    writer.add_tensor("token_embd.weight", embedding)
    ones("output_norm.weight", WIDTH)
    writer.add_tensor("output.weight", output)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for name, size in (("attn_norm", WIDTH), ("ffn_norm", WIDTH), ("attn_q_a_norm", Q_RANK), ("attn_kv_a_norm", KV_RANK)):
            ones(f"{block}{name}.weight", size)
        noise(f"{block}attn_q_a.weight", Q_RANK, WIDTH)
        noise(f"{block}attn_q_b.weight", HEADS * (NOPE + ROPE), Q_RANK)
        noise(f"{block}attn_kv_a_mqa.weight", KV_RANK + ROPE, WIDTH)
        noise(f"{block}attn_k_b.weight", HEADS, KV_RANK, NOPE)
        noise(f"{block}attn_v_b.weight", HEADS, VALUE, KV_RANK)
        noise(f"{block}attn_output.weight", WIDTH, HEADS * VALUE)
        _feed_forward(noise, block, layer)


def _feed_forward(noise: Callable[..., None], block: str, layer: int) -> None:
    if layer == 0:
        noise(f"{block}ffn_gate.weight", DENSE, WIDTH)
        noise(f"{block}ffn_up.weight", DENSE, WIDTH)
        noise(f"{block}ffn_down.weight", WIDTH, DENSE)
        return
    noise(f"{block}ffn_gate_inp.weight", EXPERTS, WIDTH)
    noise(f"{block}exp_probs_b.bias", EXPERTS)
    noise(f"{block}ffn_gate_exps.weight", EXPERTS, EXPERT_WIDTH, WIDTH)
    noise(f"{block}ffn_up_exps.weight", EXPERTS, EXPERT_WIDTH, WIDTH)
    noise(f"{block}ffn_down_exps.weight", EXPERTS, WIDTH, EXPERT_WIDTH)
    noise(f"{block}ffn_gate_shexp.weight", EXPERT_WIDTH, WIDTH)
    noise(f"{block}ffn_up_shexp.weight", EXPERT_WIDTH, WIDTH)
    noise(f"{block}ffn_down_shexp.weight", WIDTH, EXPERT_WIDTH)
