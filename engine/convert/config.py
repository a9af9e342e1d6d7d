"""What `config.json` says about a K2 model, checked, and the GGUF metadata that llama.cpp's `deepseek2` architecture wants of it.

Reads K2.5's and K2.6's nested form (`text_config`) and plain DeepSeek-V3 configurations, with transformers' older (`rope_scaling`) and
newer (`rope_parameters`) spelling. A setting that llama.cpp would silently ignore is refused. What this module does not do: the
vocabulary (`engine.convert.vocabulary`) or the vision tower (`engine.convert.vision`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from engine.convert.settings import Settings, load
from engine.errors import ModelFileError
from engine.gguf import ARCHITECTURE
from engine.hyperparameters import problem

Value: TypeAlias = bool | int | float | str | tuple[str, ...] | tuple[int, ...] | tuple[float, ...]
Metadata: TypeAlias = Mapping[str, Value]
"""GGUF metadata: whole numbers become uint32, others float32, tuples arrays."""

YARN_LOG_FACTOR: Final = 0.1
"""llama.cpp wants YaRN's `mscale_all_dim` multiplied by the 0.1 of the formula 0.1 * mscale * ln(factor) + 1."""

_GATES: Final = {"softmax": 1, "sigmoid": 2}
_LITE_LAYERS: Final = (26, 27)
_INT4: Final = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 32}


@dataclass(frozen=True)
class Yarn:
    """How rotary positions are stretched beyond `original` tokens."""

    factor: float
    original: int
    beta_fast: float
    beta_slow: float
    mscale: float


@dataclass(frozen=True)
class Config:
    """A K2 language model's sizes, named as Hugging Face names them. `int4` says whether routed experts may be packed."""

    name: str
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    moe_intermediate_size: int
    n_routed_experts: int
    n_shared_experts: int
    num_experts_per_tok: int
    first_k_dense_replace: int
    q_lora_rank: int
    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int
    max_position_embeddings: int
    num_nextn_predict_layers: int
    rms_norm_eps: float
    rope_theta: float
    routed_scaling_factor: float
    norm_topk_prob: bool
    gate: int
    tied: bool
    int4: bool
    yarn: Yarn | None
    special: Mapping[str, int]

    def metadata(self) -> Metadata:
        """The hyperparameters of the GGUF, without vocabulary."""
        values = self._sizes() | self._rope()
        if wrong := problem({key: value for key, value in values.items() if type(value) is int}):
            raise ModelFileError(f"config.json: llama.cpp can't run such a model: {wrong}; only models of K2's architecture convert")
        return {"general.architecture": ARCHITECTURE, "general.type": "model", "general.name": self.name} | {
            f"{ARCHITECTURE}.{key}": value for key, value in values.items()
        }

    def _sizes(self) -> dict[str, Value]:
        return {
            "vocab_size": self.vocab_size,
            "context_length": self.max_position_embeddings,
            "embedding_length": self.hidden_size,
            "block_count": self.num_hidden_layers,
            "feed_forward_length": self.intermediate_size,
            "attention.head_count": self.num_attention_heads,
            "attention.head_count_kv": 1,
            "attention.layer_norm_rms_epsilon": self.rms_norm_eps,
            "attention.q_lora_rank": self.q_lora_rank,
            "attention.kv_lora_rank": self.kv_lora_rank,
            "attention.key_length": self.kv_lora_rank + self.qk_rope_head_dim,
            "attention.value_length": self.kv_lora_rank,
            "attention.key_length_mla": self.qk_nope_head_dim + self.qk_rope_head_dim,
            "attention.value_length_mla": self.v_head_dim,
            "leading_dense_block_count": self.first_k_dense_replace,
            "expert_count": self.n_routed_experts,
            "expert_used_count": self.num_experts_per_tok,
            "expert_shared_count": self.n_shared_experts,
            "expert_feed_forward_length": self.moe_intermediate_size,
            "expert_weights_scale": self.routed_scaling_factor,
            "expert_weights_norm": self.norm_topk_prob,
            "expert_gating_func": self.gate,
            "expert_group_count": 1,
            "expert_group_used_count": 1,
        }

    def _rope(self) -> dict[str, Value]:
        values: dict[str, Value] = {"rope.dimension_count": self.qk_rope_head_dim, "rope.freq_base": self.rope_theta}
        if self.yarn is None:
            return values
        return values | {
            "rope.scaling.type": "yarn",
            "rope.scaling.factor": self.yarn.factor,
            "rope.scaling.original_context_length": self.yarn.original,
            "rope.scaling.yarn_beta_fast": self.yarn.beta_fast,
            "rope.scaling.yarn_beta_slow": self.yarn.beta_slow,
            "rope.scaling.yarn_log_multiplier": YARN_LOG_FACTOR * self.yarn.mscale,
        }


def read(folder: Path) -> Config:
    """The model in `folder`. Raises `ModelFileError` where its configuration is missing, incomplete, or not K2's architecture."""
    root = load(folder / "config.json")
    text = root.part("text_config") or root
    _refuse(text)
    layers = text.whole("num_hidden_layers")
    if layers in _LITE_LAYERS:
        raise text.wrong("num_hidden_layers", f"another than {_LITE_LAYERS}: llama.cpp takes those for DeepSeek's small models")
    rope = text.part("rope_parameters") or text
    gate = text.text("scoring_func", "sigmoid")
    if gate not in _GATES:
        raise text.wrong("scoring_func", " or ".join(_GATES))
    return Config(
        name=folder.resolve().name,
        vocab_size=text.whole("vocab_size"),
        hidden_size=text.whole("hidden_size"),
        num_hidden_layers=layers,
        num_attention_heads=text.whole("num_attention_heads"),
        intermediate_size=text.whole("intermediate_size"),
        moe_intermediate_size=text.whole("moe_intermediate_size"),
        n_routed_experts=text.whole("n_routed_experts"),
        n_shared_experts=text.whole("n_shared_experts"),
        num_experts_per_tok=text.whole("num_experts_per_tok"),
        first_k_dense_replace=text.whole("first_k_dense_replace"),
        q_lora_rank=text.whole("q_lora_rank"),
        kv_lora_rank=text.whole("kv_lora_rank"),
        qk_nope_head_dim=text.whole("qk_nope_head_dim"),
        qk_rope_head_dim=text.whole("qk_rope_head_dim"),
        v_head_dim=text.whole("v_head_dim"),
        max_position_embeddings=text.whole("max_position_embeddings"),
        num_nextn_predict_layers=text.whole("num_nextn_predict_layers", 0),
        rms_norm_eps=text.real("rms_norm_eps"),
        rope_theta=rope.real("rope_theta"),
        routed_scaling_factor=text.real("routed_scaling_factor"),
        norm_topk_prob=text.flag("norm_topk_prob", True),
        gate=_GATES[gate],
        tied=root.flag("tie_word_embeddings", text.flag("tie_word_embeddings", False)),
        int4=_int4(text.part("quantization_config") or root.part("quantization_config")),
        yarn=_yarn(text.part("rope_parameters") or text.part("rope_scaling")),
        special=_special(root, text),
    )


def _refuse(text: Settings) -> None:
    text.require("hidden_act", "silu")
    text.require("attention_bias", False)
    text.require("n_group", 1, default=1)
    text.require("topk_group", 1, default=1)
    text.require("moe_layer_freq", 1)
    text.require("rope_interleave", True)


def _yarn(rope: Settings | None) -> Yarn | None:
    if rope is None:
        return None
    kind = rope.text("rope_type", rope.text("type", "default"))
    if kind == "default":
        return None
    if kind != "yarn":
        raise rope.wrong("rope_type" if "rope_type" in rope else "type", '"yarn", because K2 knows no other')
    mscale = rope.real("mscale_all_dim", 0.0)
    if mscale <= 0 or rope.real("mscale", 0.0) != mscale:
        raise rope.wrong("mscale", "equal to mscale_all_dim and positive, because llama.cpp assumes so")
    return Yarn(
        factor=rope.real("factor"),
        original=rope.whole("original_max_position_embeddings"),
        beta_fast=rope.real("beta_fast", 32.0),
        beta_slow=rope.real("beta_slow", 1.0),
        mscale=mscale,
    )


def _int4(quantization: Settings | None) -> bool:
    """Whether there are INT4 weights; any other quantisation is refused."""
    if quantization is None:
        return False
    kind = (quantization.text("quant_method", ""), quantization.text("format", ""))
    groups = quantization.part("config_groups")
    group = groups.part("group_0") if groups else None
    weights = group.part("weights") if group else None
    if kind != ("compressed-tensors", "pack-quantized") or weights is None:
        raise quantization.wrong("quant_method", "compressed-tensors of format pack-quantized: cast other checkpoints to bfloat16 first")
    for name, only in _INT4.items():
        if name not in weights:
            raise weights.wrong(name, json.dumps(only))
        weights.require(name, only)
    return True


def _special(root: Settings, text: Settings) -> dict[str, int]:
    """The ids of `bos`, `eos` and `pad`, as far as they are given; of several, the first."""
    found: dict[str, int] = {}
    for name in ("bos", "eos", "pad"):
        key = f"{name}_token_id"
        where = root if key in root else text
        if key in where:
            found[name] = where.whole_or_first(key)
    return found
