"""A slice of a model of K2.6's shape, with random weights: one dense and some mixture-of-experts layers of the real dimensions.

    python benchmarks/mla_slice.py FILE [--experts N]

10.2 GB with one such layer and all 384 experts (Q4_0; everything else Q8_0, norms and the router in 32 bits), of which a step uses what a
step of K2.6 uses in two layers. Weights are one run of random blocks, begun at another place for every piece, scaled so that activations
neither vanish nor grow and attention's scores have a standard deviation of about 3. The vocabulary is small (its tokens are names without
meaning), and positions are not stretched (no YaRN): neither matters for time. A file that was made from the same parameters is used again.
What this module does not do: measure anything, or write a model that says anything.
"""

import argparse
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from math import prod
from pathlib import Path
from typing import IO, Final

import gguf
import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from engine.errors import EngineError
from engine.gguf import read_header

KEY: Final = "kimicode.slice"
"""The metadata entry that holds the hash of what the file was made from."""

SPARE: Final = 300_000_000
"""Bytes that must stay free on the disk beside the file."""

SCORES: Final = 3.0
"""The standard deviation of attention's scores."""

BIAS: Final = "exp_probs_b.bias"
"""How the name of the tensor ends that shifts what the router chooses."""

_VERSION: Final = 1
_POOL: Final = 1_000_003  # blocks of the random run: a prime, so that no row of a tensor meets its own copy
_F32, _Q4, _Q8 = gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q8_0
_SPREAD: Final = {_Q4: 4.64, _Q8: 73.9}  # of a uniform random block, in units of its scale


@dataclass(frozen=True)
class Shape:
    """Sizes; the defaults are K2.6's, but for the vocabulary and the number of layers: one dense and `mixed` with experts."""

    experts: int = 384
    used: int = 8
    width: int = 7168
    heads: int = 64
    q_rank: int = 1536
    kv_rank: int = 512
    nope: int = 128
    rope: int = 64
    value: int = 128
    dense: int = 18432
    expert: int = 2048
    vocabulary: int = 1024
    mixed: int = 1


@dataclass(frozen=True)
class Tensor:
    """`shape` has the length of a row last; `spread` is the weights' standard deviation, `mean` their mean (32-bit tensors only)."""

    name: str
    kind: gguf.GGMLQuantizationType
    shape: tuple[int, ...]
    spread: float
    mean: float = 0.0

    @property
    def bytes(self) -> int:
        """Its size in the file."""
        block, size = gguf.GGML_QUANT_SIZES[self.kind]
        return prod(self.shape) // int(block) * int(size)


def default_path() -> Path:
    """Where the slice lies unless told otherwise."""
    return user_cache_path("kimicode") / "mla-slice.gguf"


def make(path: Path, shape: Shape) -> bool:
    """Write the slice unless it is there; whether it was written. Raises `EngineError` where the disk has no room for it."""
    if is_made(path, shape):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    needed, free = sum(tensor.bytes for tensor in tensors(shape)) + SPARE, shutil.disk_usage(path.parent).free
    if free < needed:
        raise EngineError(
            f"{path.parent}: {free / 1e9:.1f} GB are free, and the slice needs {needed / 1e9:.1f}: make room, or give --slice FILE"
        )
    part = path.with_name(f"{path.name}.part")
    try:
        _write(part, shape)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return True


def is_made(path: Path, shape: Shape) -> bool:
    """Whether the file is this very slice, and whole."""
    try:
        header = read_header(path)
    except EngineError:
        return False
    return header.text(KEY) == digest(shape) and header.end <= header.size


def digest(shape: Shape) -> str:
    """What the file is made from, as a hash. Files from before there could be several layers with experts keep theirs."""
    sizes = astuple(shape)[: None if shape.mixed > 1 else -1]
    return hashlib.sha256(repr((_VERSION, _POOL, SCORES, sizes)).encode()).hexdigest()


def tensors(shape: Shape) -> Iterator[Tensor]:
    """All tensors, in the file's order."""
    s = shape

    def matrix(name: str, *size: int, kind: gguf.GGMLQuantizationType = _Q8, gain: float = 1.0) -> Tensor:
        return Tensor(f"{name}.weight", kind, size, gain / size[-1] ** 0.5)

    def norm(name: str, size: int) -> Tensor:
        return Tensor(f"{name}.weight", _F32, (size,), 0.02, 1.0)

    yield Tensor("token_embd.weight", _Q8, (s.vocabulary, s.width), 1.0)
    yield norm("output_norm", s.width)
    yield matrix("output", s.vocabulary, s.width)
    for block in (f"blk.{layer}." for layer in range(1 + s.mixed)):
        for name, size in (("attn_norm", s.width), ("ffn_norm", s.width), ("attn_q_a_norm", s.q_rank), ("attn_kv_a_norm", s.kv_rank)):
            yield norm(f"{block}{name}", size)
        yield matrix(f"{block}attn_q_a", s.q_rank, s.width)
        yield matrix(f"{block}attn_q_b", s.heads * (s.nope + s.rope), s.q_rank, gain=SCORES)
        yield matrix(f"{block}attn_kv_a_mqa", s.kv_rank + s.rope, s.width)
        # The keys' half is multiplied the other way round than it is stored: its inputs are latents.
        yield Tensor(f"{block}attn_k_b.weight", _Q8, (s.heads, s.kv_rank, s.nope), s.kv_rank**-0.5)
        yield matrix(f"{block}attn_v_b", s.heads, s.value, s.kv_rank)
        yield matrix(f"{block}attn_output", s.width, s.heads * s.value)
    yield from (matrix(f"blk.0.ffn_{name}", s.dense, s.width) for name in ("gate", "up"))
    yield matrix("blk.0.ffn_down", s.width, s.dense)
    for block in (f"blk.{layer}." for layer in range(1, 1 + s.mixed)):
        yield Tensor(f"{block}ffn_gate_inp.weight", _F32, (s.experts, s.width), s.width**-0.5)
        yield Tensor(f"{block}{BIAS}", _F32, (s.experts,), 0.02)
        for suffix, kind, many in (("shexp", _Q8, ()), ("exps", _Q4, (s.experts,))):
            yield from (matrix(f"{block}ffn_{name}_{suffix}", *many, s.expert, s.width, kind=kind) for name in ("gate", "up"))
            yield matrix(f"{block}ffn_down_{suffix}", *many, s.width, s.expert, kind=kind)


def _write(path: Path, shape: Shape) -> None:
    writer = gguf.GGUFWriter(path, "deepseek2", use_temp_file=False)
    _metadata(writer, shape)
    parts = list(tensors(shape))
    for part in parts:
        writer.add_tensor_info(part.name, part.shape, np.dtype(np.float32), part.bytes, raw_dtype=part.kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    assert writer.fout is not None
    (file,) = writer.fout
    writer.write_padding(file, file.tell())
    rng = np.random.default_rng(0)
    runs = {kind: rng.integers(0, 256, (_POOL, gguf.GGML_QUANT_SIZES[kind][1]), np.uint8) for kind in (_Q4, _Q8)}
    for part in parts:
        _fill(file, part, runs.get(part.kind), rng)
        writer.write_padding(file, part.bytes)
    writer.close()


def _fill(file: IO[bytes], part: Tensor, run: NDArray[np.uint8] | None, rng: np.random.Generator) -> None:
    """Write a tensor's data. A run of blocks has the scales of the tensor before; they are set first."""
    if run is None:
        rng.normal(part.mean, part.spread, part.shape).astype(np.float32).tofile(file)
        return
    scale = part.spread / _SPREAD[part.kind] * rng.uniform(0.8, 1.2, len(run))
    run[:, :2] = scale.astype(np.float16)[:, None].view(np.uint8)
    left = part.bytes // run.shape[1]
    while left:
        start = int(rng.integers(len(run) // 2))
        piece = run[start : start + left]
        piece.tofile(file)
        left -= len(piece)


def _metadata(writer: gguf.GGUFWriter, s: Shape) -> None:
    writer.add_name("slice")
    writer.add_string(KEY, digest(s))
    for key, value in {
        "context_length": 262_144,
        "embedding_length": s.width,
        "block_count": 1 + s.mixed,
        "feed_forward_length": s.dense,
        "attention.head_count": s.heads,
        "attention.head_count_kv": 1,
        "vocab_size": s.vocabulary,
        "attention.q_lora_rank": s.q_rank,
        "attention.kv_lora_rank": s.kv_rank,
        "attention.key_length": s.kv_rank + s.rope,
        "attention.value_length": s.kv_rank,
        "attention.key_length_mla": s.nope + s.rope,
        "attention.value_length_mla": s.value,
        "rope.dimension_count": s.rope,
        "leading_dense_block_count": 1,
        "expert_count": s.experts,
        "expert_used_count": s.used,
        "expert_shared_count": 1,
        "expert_feed_forward_length": s.expert,
        "expert_gating_func": int(gguf.ExpertGatingFuncType.SIGMOID),
        "expert_group_count": 1,
        "expert_group_used_count": 1,
    }.items():
        writer.add_uint32(f"deepseek2.{key}", value)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(50_000.0)
    writer.add_expert_weights_scale(2.827)
    writer.add_expert_weights_norm(True)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("kimi-k2")
    writer.add_token_list([f"t{index}" for index in range(s.vocabulary)])
    writer.add_token_types([1] * s.vocabulary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=default_path())
    parser.add_argument("--experts", type=int, default=Shape.experts, help="fewer make a smaller file, for trying things out")
    chosen = parser.parse_args()
    try:
        made = make(chosen.file, Shape(experts=chosen.experts))
    except (EngineError, OSError) as error:
        sys.exit(str(error))
    print(f"{chosen.file}: {chosen.file.stat().st_size / 1e9:.1f} GB, {'made' if made else 'there already'}")


if __name__ == "__main__":
    main()
