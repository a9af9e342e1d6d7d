"""Which tensors the language model of a K2 checkpoint has, and which tensors of llama.cpp's `deepseek2` they become.

Shapes and names are those of llama.cpp's `deepseek2` loader; rows stay in the checkpoint's order, since both sides rotate interleaved
pairs. `kv_b_proj` is cut into the halves that absorbed attention wants. Every tensor of the checkpoint must be known: used, or left
out on purpose. What this module does not do: convert values.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from engine.convert import int4
from engine.convert.config import Config
from engine.convert.encode import Kind
from engine.convert.layout import Piece
from engine.convert.safetensors import Checkpoint, Entry, Raw
from engine.convert.sources import Float, Int4, Packed, Spec, check_float, float_kind, rows_of, whole
from engine.errors import ModelFileError

_LEFT_OUT: Final = re.compile(r"^(model\.)?(vision_tower|mm_projector)\.|\.rotary_emb\.inv_freq$")
_LAYER: Final = re.compile(r"^model\.layers\.(\d+)\.")


def specs(checkpoint: Checkpoint, config: Config, wanted: Kind) -> list[Spec]:
    """Every tensor of the GGUF, in file order; matrices that are not INT4 get the type `wanted`.

    Raises `ModelFileError` for a tensor that is missing, of another shape or type than `config` says, or unknown.
    """
    plan = _Plan(checkpoint, config, wanted)
    found = list(plan.all())
    plan.check_rest()
    return found


class _Plan:
    def __init__(self, checkpoint: Checkpoint, config: Config, wanted: Kind) -> None:
        self._checkpoint = checkpoint
        self._config = config
        self._wanted = wanted
        self._used: set[str] = set()

    def all(self) -> Iterator[Spec]:
        """Embedding, layers, output."""
        c = self._config
        yield self._matrix("token_embd.weight", "model.embed_tokens", c.vocab_size, c.hidden_size)
        for index in range(c.num_hidden_layers):
            yield from self._attention(f"blk.{index}.", f"model.layers.{index}.")
            dense = index < c.first_k_dense_replace
            yield from (self._dense if dense else self._mixture)(f"blk.{index}.ffn_", f"model.layers.{index}.mlp.")
        yield self._vector("output_norm.weight", "model.norm.weight", c.hidden_size)
        if not (c.tied and "lm_head.weight" not in self._checkpoint.entries):
            yield self._matrix("output.weight", "lm_head", c.vocab_size, c.hidden_size)

    def check_rest(self) -> None:
        """Refuse what is neither used nor left out on purpose."""
        c = self._config
        for name, entry in self._checkpoint.entries.items():
            layer = _LAYER.match(name)
            prediction = layer is not None and c.num_hidden_layers <= int(layer[1]) < c.num_hidden_layers + c.num_nextn_predict_layers
            if name not in self._used and not prediction and not _LEFT_OUT.search(name):
                raise ModelFileError(f"{entry} has no place in a model of K2's architecture; is this a Kimi K2 checkpoint, and complete?")

    def _attention(self, out: str, source: str) -> Iterator[Spec]:
        c, attn = self._config, f"{source}self_attn."
        heads = c.num_attention_heads
        yield self._vector(f"{out}attn_norm.weight", f"{source}input_layernorm.weight", c.hidden_size)
        yield self._matrix(f"{out}attn_q_a.weight", f"{attn}q_a_proj", c.q_lora_rank, c.hidden_size)
        yield self._vector(f"{out}attn_q_a_norm.weight", f"{attn}q_a_layernorm.weight", c.q_lora_rank)
        yield self._matrix(f"{out}attn_q_b.weight", f"{attn}q_b_proj", heads * (c.qk_nope_head_dim + c.qk_rope_head_dim), c.q_lora_rank)
        yield self._matrix(f"{out}attn_kv_a_mqa.weight", f"{attn}kv_a_proj_with_mqa", c.kv_lora_rank + c.qk_rope_head_dim, c.hidden_size)
        yield self._vector(f"{out}attn_kv_a_norm.weight", f"{attn}kv_a_layernorm.weight", c.kv_lora_rank)
        yield from self._halves(out, f"{attn}kv_b_proj.weight")
        yield self._matrix(f"{out}attn_output.weight", f"{attn}o_proj", c.hidden_size, heads * c.v_head_dim)
        yield self._vector(f"{out}ffn_norm.weight", f"{source}post_attention_layernorm.weight", c.hidden_size)

    def _halves(self, out: str, source: str) -> Iterator[Spec]:
        """kv_b_proj, (heads * (nope + value), rank), as attn_k_b (heads, rank, nope) and attn_v_b (heads, value, rank)."""
        c = self._config
        heads, nope, value, rank = c.num_attention_heads, c.qk_nope_head_dim, c.v_head_dim, c.kv_lora_rank
        entry = self._take(source, heads * (nope + value), rank)

        def keys(stored: Raw) -> Raw:
            return stored.reshape(heads, nope + value, rank)[:, :nope].transpose(0, 2, 1)

        def values(stored: Raw) -> Raw:
            return stored.reshape(heads, nope + value, rank)[:, nope:]

        for name, shape, change in (("attn_k_b", (heads, rank, nope), keys), ("attn_v_b", (heads, value, rank), values)):
            pieces = partial(whole, self._checkpoint, entry, change=change)
            yield Spec(f"{out}{name}.weight", shape, Float(float_kind(self._wanted, shape), (entry,), pieces))

    def _dense(self, out: str, source: str) -> Iterator[Spec]:
        yield from self._feed_forward(out, source, "", self._config.intermediate_size)

    def _mixture(self, out: str, source: str) -> Iterator[Spec]:
        c = self._config
        yield self._vector(f"{out}gate_inp.weight", f"{source}gate.weight", c.n_routed_experts, c.hidden_size)
        if (bias := f"{source}gate.e_score_correction_bias") in self._checkpoint.entries:
            yield self._vector(f"{out.removesuffix('ffn_')}exp_probs_b.bias", bias, c.n_routed_experts)
        width, hidden = c.moe_intermediate_size, c.hidden_size
        for name, rows, columns in (("gate", width, hidden), ("up", width, hidden), ("down", hidden, width)):
            yield self._experts(f"{out}{name}_exps.weight", f"{source}experts.", name, rows, columns)
        yield from self._feed_forward(out, f"{source}shared_experts.", "_shexp", width * c.n_shared_experts)

    def _feed_forward(self, out: str, source: str, suffix: str, width: int) -> Iterator[Spec]:
        hidden = self._config.hidden_size
        yield self._matrix(f"{out}gate{suffix}.weight", f"{source}gate_proj", width, hidden)
        yield self._matrix(f"{out}up{suffix}.weight", f"{source}up_proj", width, hidden)
        yield self._matrix(f"{out}down{suffix}.weight", f"{source}down_proj", hidden, width)

    def _experts(self, name: str, source: str, which: str, rows: int, columns: int) -> Spec:
        """All experts' gate, up or down matrices, stored one by one, as INT4, or fused (gate over up, experts stacked)."""
        experts = range(self._config.n_routed_experts)
        shape = (len(experts), rows, columns)
        if f"{source}0.{which}_proj.weight_packed" in self._checkpoint.entries:
            return Spec(name, shape, Int4(tuple(self._packed(f"{source}{expert}.{which}_proj", rows, columns) for expert in experts)))
        if which == "down" and f"{source}down_proj" in self._checkpoint.entries:
            parts = [(self._take(f"{source}down_proj", *shape), 0, rows * len(experts))]
        elif which != "down" and f"{source}gate_up_proj" in self._checkpoint.entries:
            entry = self._take(f"{source}gate_up_proj", len(experts), 2 * rows, columns)
            parts = [(entry, expert * 2 * rows + (rows if which == "up" else 0), rows) for expert in experts]
        else:
            parts = [(self._take(f"{source}{expert}.{which}_proj.weight", rows, columns), 0, rows) for expert in experts]
        entries = tuple(entry for entry, _, _ in parts)
        return Spec(name, shape, Float(float_kind(self._wanted, shape), entries, partial(self._pieces, parts)))

    def _pieces(self, parts: list[tuple[Entry, int, int]], kind: Kind) -> Iterator[Piece]:
        for entry, first, rows in parts:
            yield from rows_of(self._checkpoint, entry, kind, first, rows)

    def _matrix(self, name: str, source: str, rows: int, columns: int) -> Spec:
        if f"{source}.weight_packed" in self._checkpoint.entries:
            return Spec(name, (rows, columns), Int4((self._packed(source, rows, columns),)))
        entry = self._take(f"{source}.weight", rows, columns)
        return Spec(
            name, (rows, columns), Float(float_kind(self._wanted, entry.shape), (entry,), partial(rows_of, self._checkpoint, entry))
        )

    def _vector(self, name: str, source: str, *shape: int) -> Spec:
        """What llama.cpp wants in float32: norms, biases and the router."""
        entry = self._take(source, *shape)
        return Spec(name, shape, Float(Kind.F32, (entry,), partial(rows_of, self._checkpoint, entry)))

    def _packed(self, source: str, rows: int, columns: int) -> Packed:
        packed, scale, shape = (self._find(f"{source}.weight_{part}") for part in ("packed", "scale", "shape"))
        if not self._config.int4:
            raise ModelFileError(f"{packed} is packed, but config.json has no quantization_config: download both again")
        if columns % int4.GROUP or packed.dtype != "I32" or packed.shape != (rows, columns // 8):
            raise ModelFileError(
                f"{packed} is {packed.dtype} {list(packed.shape)}, not {rows} rows of {columns} INT4 weights: download it again"
            )
        check_float(scale, (rows, columns // int4.GROUP))
        if shape.shape != (2,) or shape.dtype not in ("I32", "I64"):
            raise ModelFileError(f"{shape} is not a matrix's two sizes: download it again")
        return Packed(packed, scale, shape, rows, columns)

    def _take(self, name: str, *shape: int) -> Entry:
        entry = self._find(name)
        check_float(entry, shape)
        return entry

    def _find(self, name: str) -> Entry:
        entry = self._checkpoint.entries.get(name)
        if entry is None:
            raise ModelFileError(f"{self._checkpoint.folder}: no tensor {name} in its safetensors files: download the missing file")
        self._used.add(name)
        return entry
