"""Small checkpoints as Hugging Face folders hold them, for tests: K2's configuration, vocabulary and tensors, written with numpy only."""

import base64
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
Stored = tuple[str, Array]
"""A tensor as safetensors stores it: its type's name, and its elements (bfloat16 as uint16)."""

MERGED = (b"he", b"ll", b"hell", b"hello", b"  ", b"in", b" in")
NAMED = {"[BOS]": 0, "[EOS]": 1, "<|im_end|>": 2, "<|im_user|>": 3, "<think>": 20, "[UNK]": 254, "[PAD]": 255}
VOCABULARY = 544
"""Ids in all: 263 text tokens, 256 control tokens, and some that nobody uses."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of a small K2."""

    hidden: int = 64
    layers: int = 3
    heads: int = 2
    experts: int = 4
    expert_width: int = 32
    dense_width: int = 96
    q_rank: int = 32
    kv_rank: int = 32
    nope: int = 32
    rope: int = 32
    value: int = 32
    vocabulary: int = VOCABULARY


def text_config(s: Sizes, *, int4: bool = False) -> dict[str, object]:
    """A DeepSeek-V3 configuration as K2.6 has it."""
    first = 256 + len(MERGED)
    weights = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 32, "actorder": None}
    quantization = {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"group_0": {"weights": weights}}}
    return {
        "architectures": ["DeepseekV3ForCausalLM"],
        "hidden_act": "silu",
        "attention_bias": False,
        "hidden_size": s.hidden,
        "num_hidden_layers": s.layers,
        "num_attention_heads": s.heads,
        "num_key_value_heads": s.heads,
        "intermediate_size": s.dense_width,
        "moe_intermediate_size": s.expert_width,
        "n_routed_experts": s.experts,
        "n_shared_experts": 1,
        "num_experts_per_tok": 2,
        "first_k_dense_replace": 1,
        "moe_layer_freq": 1,
        "n_group": 1,
        "topk_group": 1,
        "norm_topk_prob": True,
        "scoring_func": "sigmoid",
        "topk_method": "noaux_tc",
        "routed_scaling_factor": 2.827,
        "q_lora_rank": s.q_rank,
        "kv_lora_rank": s.kv_rank,
        "qk_nope_head_dim": s.nope,
        "qk_rope_head_dim": s.rope,
        "v_head_dim": s.value,
        "rms_norm_eps": 1e-5,
        "max_position_embeddings": 4096,
        "num_nextn_predict_layers": 0,
        "rope_theta": 50000.0,
        "rope_scaling": {
            "type": "yarn",
            "factor": 64.0,
            "original_max_position_embeddings": 64,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "mscale": 1.0,
            "mscale_all_dim": 1.0,
        },
        "tie_word_embeddings": False,
        "vocab_size": s.vocabulary,
        "bos_token_id": first,
        "eos_token_id": first + 2,
        "pad_token_id": first + 255,
        **({"quantization_config": quantization} if int4 else {}),
    }


def write_vocabulary(folder: Path) -> None:
    """A vocabulary of K2's kind: the bytes, a few merges, 256 control tokens."""
    tokens = [*(bytes([byte]) for byte in range(256)), *MERGED]
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)]
    (folder / "tiktoken.model").write_text("".join(lines))
    added = {str(len(tokens) + number): {"content": name, "special": True} for name, number in NAMED.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added}))


def write_safetensors(path: Path, tensors: Mapping[str, Stored]) -> None:
    """One safetensors file."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (dtype, array) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    encoded = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for _, array in tensors.values():
            file.write(np.ascontiguousarray(array).data)


def write_sharded(folder: Path, tensors: Mapping[str, Stored], files: int) -> None:
    """Several safetensors files and their index."""
    names = [f"model-{number + 1:05d}-of-{files:06d}.safetensors" for number in range(files)]
    weight_map = {name: names[index % files] for index, name in enumerate(tensors)}
    for file in names:
        write_safetensors(folder / file, {name: tensors[name] for name, where in weight_map.items() if where == file})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def bfloat16(values: NDArray[np.float32]) -> Array:
    """Values as bfloat16 bit patterns, cut off."""
    return (np.ascontiguousarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)


class Weights:
    """Random tensors of a small K2, by Hugging Face names that begin with `prefix`."""

    def __init__(self, sizes: Sizes, prefix: str = "language_model.", seed: int = 0) -> None:
        self.sizes = sizes
        self.tensors: dict[str, Stored] = {}
        self._prefix = prefix
        self._rng = np.random.default_rng(seed)

    def all(self, *, int4: bool) -> dict[str, Stored]:
        """The whole language model; routed experts as INT4 or as bfloat16."""
        s = self.sizes
        self._matrix("model.embed_tokens", s.vocabulary, s.hidden)
        for layer in range(s.layers):
            self._layer(f"model.layers.{layer}.", dense=layer == 0, int4=int4)
        self._norm("model.norm", s.hidden)
        self._matrix("lm_head", s.vocabulary, s.hidden)
        return self.tensors

    def packed(self, name: str, rows: int, columns: int, scales: Array | None = None) -> None:
        """One INT4 matrix with nibbles of -7 to 7 and bfloat16 scales."""
        nibbles = self._rng.integers(1, 16, (rows, columns), dtype=np.uint32)
        words = np.zeros((rows, columns // 8), np.uint32)
        for index in range(8):
            words |= nibbles[:, index::8] << np.uint32(4 * index)
        if scales is None:
            scales = bfloat16(self._rng.uniform(0.002, 0.02, (rows, columns // 32)).astype(np.float32))
        self._put(f"{name}.weight_packed", "I32", words.view(np.int32))
        self._put(f"{name}.weight_scale", "BF16", scales)
        self._put(f"{name}.weight_shape", "I64", np.array([rows, columns], np.int64))

    def _layer(self, layer: str, *, dense: bool, int4: bool) -> None:
        s, attn = self.sizes, f"{layer}self_attn."
        self._norm(f"{layer}input_layernorm", s.hidden)
        self._norm(f"{layer}post_attention_layernorm", s.hidden)
        self._norm(f"{attn}q_a_layernorm", s.q_rank)
        self._norm(f"{attn}kv_a_layernorm", s.kv_rank)
        self._matrix(f"{attn}q_a_proj", s.q_rank, s.hidden)
        self._matrix(f"{attn}q_b_proj", s.heads * (s.nope + s.rope), s.q_rank)
        self._matrix(f"{attn}kv_a_proj_with_mqa", s.kv_rank + s.rope, s.hidden)
        self._matrix(f"{attn}kv_b_proj", s.heads * (s.nope + s.value), s.kv_rank)
        self._matrix(f"{attn}o_proj", s.hidden, s.heads * s.value)
        if dense:
            self._feed_forward(f"{layer}mlp.", s.dense_width, int4=False)
            return
        self._matrix(f"{layer}mlp.gate", s.experts, s.hidden)
        bias = self._rng.normal(0, 0.1, s.experts).astype(np.float32)
        self._put(f"{layer}mlp.gate.e_score_correction_bias", "F32", bias)
        self._feed_forward(f"{layer}mlp.shared_experts.", s.expert_width, int4=False)
        for expert in range(s.experts):
            self._feed_forward(f"{layer}mlp.experts.{expert}.", s.expert_width, int4=int4)

    def _feed_forward(self, name: str, width: int, *, int4: bool) -> None:
        put = self.packed if int4 else self._matrix
        put(f"{name}gate_proj", width, self.sizes.hidden)
        put(f"{name}up_proj", width, self.sizes.hidden)
        put(f"{name}down_proj", self.sizes.hidden, width)

    def _matrix(self, name: str, rows: int, columns: int) -> None:
        values = (self._rng.standard_normal((rows, columns), np.float32)) * np.float32(0.05)
        self._put(f"{name}.weight", "BF16", bfloat16(values))

    def _norm(self, name: str, size: int) -> None:
        self._put(f"{name}.weight", "BF16", bfloat16(self._rng.uniform(0.5, 1.5, size).astype(np.float32)))

    def _put(self, name: str, dtype: str, array: Array) -> None:
        self.tensors[f"{self._prefix}{name}"] = (dtype, array)


def add_vision(folder: Path, tensors: dict[str, Stored]) -> None:
    """A vision tower of one block beside the language model that `write` made in `folder`."""
    path = folder / "config.json"
    tower = {"vt_hidden_size": 16, "vt_num_hidden_layers": 1, "vt_num_attention_heads": 2, "vt_intermediate_size": 32, "patch_size": 14}
    tower |= {"init_pos_emb_height": 4, "init_pos_emb_width": 4, "init_pos_emb_time": 4}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"vision_config": tower}))
    block = "vision_tower.encoder.blocks.0."
    shapes: dict[str, tuple[int, ...]] = {
        "vision_tower.patch_embed.proj": (16, 3, 14, 14),
        f"{block}wqkv": (48, 16),
        f"{block}wo": (16, 16),
    }
    shapes |= {f"{block}norm0": (16,), f"{block}norm1": (16,), f"{block}mlp.fc0": (32, 16), f"{block}mlp.fc1": (16, 32)}
    shapes |= {"vision_tower.encoder.final_layernorm": (16,), "mm_projector.pre_norm": (16,)}
    shapes |= {"mm_projector.proj.0": (64, 64), "mm_projector.proj.2": (Sizes().hidden, 64)}
    for name, shape in shapes.items():
        tensors[f"{name}.weight"] = ("BF16", np.full(shape, 0x3F80, np.uint16))
        tensors[f"{name}.bias"] = ("BF16", np.full(shape[:1], 0x3F80, np.uint16))
    tensors["vision_tower.patch_embed.pos_emb.weight"] = ("BF16", np.full((4, 4, 16), 0x3F80, np.uint16))
    write_safetensors(folder / "model.safetensors", tensors)


def write(folder: Path, *, int4: bool = True, sizes: Sizes | None = None, nested: bool = True, files: int = 1) -> Weights:
    """A whole checkpoint folder: nested and prefixed as K2.6's, or plain."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = sizes or Sizes()
    config = text_config(sizes, int4=int4)
    (folder / "config.json").write_text(json.dumps({"model_type": "kimi_k25", "text_config": config} if nested else config))
    write_vocabulary(folder)
    weights = Weights(sizes, "language_model." if nested else "")
    weights.all(int4=int4)
    if files == 1:
        write_safetensors(folder / "model.safetensors", weights.tensors)
    else:
        write_sharded(folder, weights.tensors, files)
    return weights
