"""A trained kimi-nano as a GGUF file that llama.cpp runs as any other model of K2's architecture (`deepseek2`).

Matrices are Q8_0, norms and the router float32. `attn_k_b` and `attn_v_b` are the two halves of kv_b, the first transposed, as
llama.cpp's absorbed attention wants them. What this module does not do: train, or check the result (a test compares logits).
"""

from pathlib import Path

import gguf
import numpy as np
from torch import Tensor

from engine.nano import vocabulary
from engine.nano.model import Dense, Layer, Nano, Shape
from engine.tokenizer import bytes_to_alphabet

NAME = "kimi-nano"


def export(model: Nano, ranks: dict[bytes, int], control: dict[str, int], path: Path) -> None:
    """Write `model` with its vocabulary to `path`."""
    writer = gguf.GGUFWriter(path, "deepseek2")
    _metadata(writer, model.shape)
    _vocabulary(writer, ranks, control)
    _add(writer, "token_embd.weight", model.embed.weight)
    _add(writer, "output_norm.weight", model.norm.weight)
    _add(writer, "output.weight", model.head.weight)
    for index, layer in enumerate(model.layers):
        assert isinstance(layer, Layer)
        _layer(writer, f"blk.{index}.", layer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _metadata(writer: gguf.GGUFWriter, s: Shape) -> None:
    writer.add_name(NAME)
    writer.add_string("kimicode.profile", "lean")
    writer.add_float32("kimicode.temperature", 0.0)
    writer.add_context_length(s.context)
    writer.add_embedding_length(s.width)
    writer.add_block_count(s.layers)
    writer.add_feed_forward_length(s.dense_ff)
    writer.add_head_count(s.heads)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(s.eps)
    writer.add_vocab_size(s.vocab)
    writer.add_q_lora_rank(s.q_lora)
    writer.add_kv_lora_rank(s.kv_lora)
    writer.add_key_length(s.kv_lora + s.rope)
    writer.add_value_length(s.kv_lora)
    writer.add_key_length_mla(s.nope + s.rope)
    writer.add_value_length_mla(s.value)
    writer.add_rope_dimension_count(s.rope)
    writer.add_rope_freq_base(s.rope_base)
    writer.add_leading_dense_block_count(s.dense_layers)
    writer.add_expert_count(s.experts)
    writer.add_expert_used_count(s.active)
    writer.add_expert_shared_count(1)
    writer.add_expert_feed_forward_length(s.expert_ff)
    writer.add_expert_weights_scale(1.0)
    writer.add_expert_weights_norm(True)
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    writer.add_expert_group_count(1)
    writer.add_expert_group_used_count(1)


def _vocabulary(writer: gguf.GGUFWriter, ranks: dict[bytes, int], control: dict[str, int]) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("kimi-k2")
    writer.add_token_list([*map(bytes_to_alphabet, ranks), *control])
    writer.add_token_types([gguf.TokenType.NORMAL] * len(ranks) + [gguf.TokenType.CONTROL] * len(control))
    writer.add_token_merges([f"{bytes_to_alphabet(a)} {bytes_to_alphabet(b)}" for a, b in vocabulary.merges(ranks)])
    writer.add_bos_token_id(control["[BOS]"])
    writer.add_eos_token_id(control["<|im_end|>"])
    writer.add_pad_token_id(control["[PAD]"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(Path(__file__).with_name("template.jinja").read_text("utf-8").strip())


def _layer(writer: gguf.GGUFWriter, prefix: str, layer: Layer) -> None:
    attn, s = layer.attn, layer.attn.shape
    kv_b = attn.kv_b.weight.view(s.heads, s.nope + s.value, s.kv_lora)
    parts: dict[str, Tensor] = {
        "attn_norm": layer.attn_norm.weight,
        "ffn_norm": layer.ffn_norm.weight,
        "attn_q_a": attn.q_a.weight,
        "attn_q_a_norm": attn.q_a_norm.weight,
        "attn_q_b": attn.q_b.weight,
        "attn_kv_a_mqa": attn.kv_a.weight,
        "attn_kv_a_norm": attn.kv_a_norm.weight,
        "attn_k_b": kv_b[:, : s.nope].transpose(1, 2),  # [H, kv_lora, nope]
        "attn_v_b": kv_b[:, s.nope :],  # [H, value, kv_lora]
        "attn_output": attn.out.weight,
    }
    ffn = layer.ffn
    if isinstance(ffn, Dense):
        parts |= {"ffn_gate": ffn.gate.weight, "ffn_up": ffn.up.weight, "ffn_down": ffn.down.weight}
    else:
        parts |= {"ffn_gate_exps": ffn.gate, "ffn_up_exps": ffn.up, "ffn_down_exps": ffn.down}
        shared = ffn.shared
        parts |= {"ffn_gate_shexp": shared.gate.weight, "ffn_up_shexp": shared.up.weight, "ffn_down_shexp": shared.down.weight}
        _add(writer, f"{prefix}ffn_gate_inp.weight", ffn.router.weight, exact=True)
        _add(writer, f"{prefix}exp_probs_b.bias", ffn.bias)
    for name, tensor in parts.items():
        _add(writer, f"{prefix}{name}.weight", tensor)


def _add(writer: gguf.GGUFWriter, name: str, tensor: Tensor, *, exact: bool = False) -> None:
    values = np.ascontiguousarray(tensor.detach().float().numpy())
    if values.ndim < 2 or exact:
        writer.add_tensor(name, values)
    else:
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
