"""Whole checkpoints converted: every value where llama.cpp looks for it, exactly as it was; and what is refused, with a reason."""

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Ggml
from numpy.typing import NDArray

from engine.convert import checksums
from engine.convert.conversion import Options, Progress, Result, convert, verify
from engine.convert.disk import StoppedError
from engine.convert.encode import Kind
from engine.convert.journal import Journal
from engine.errors import EngineError, ModelFileError
from engine.gguf import inspect
from tests.engine.convert import checkpoints, runner
from tests.engine.convert.checkpoints import Array, Sizes, Stored, bfloat16, write_safetensors

Floats = NDArray[np.float32]
TOKENS = [1, 70, 263, 300, 5]


def quiet(_progress: Progress) -> None:
    """Report to nobody."""


def run(source: Path, target: Path, options: Options | None = None) -> Result:
    return convert(source, target, options or Options(), quiet)


def tensors(path: Path) -> dict[str, tuple[Ggml, Floats]]:
    """Every tensor of a GGUF by gguf's own reader, dequantised by gguf's own rules."""
    reader = gguf.GGUFReader(path)
    found = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        found[tensor.name] = (tensor.tensor_type, values.reshape([int(size) for size in reversed(tensor.shape)]))
    return found


def as_float32(stored: Stored) -> Floats:
    dtype, array = stored
    return (array.astype(np.uint32) << np.uint32(16)).view(np.float32) if dtype == "BF16" else array.astype(np.float32)


def unpacked(weights: dict[str, Stored], name: str) -> NDArray[np.float64]:
    """An INT4 matrix by compressed-tensors' definition, in float64, where every product is exact."""
    words = weights[f"{name}.weight_packed"][1].view(np.uint32)
    nibbles = np.stack([(words >> np.uint32(4 * index)) & np.uint32(15) for index in range(8)], axis=-1).reshape(len(words), -1)
    scales = as_float32(weights[f"{name}.weight_scale"]).astype(np.float64)
    return (nibbles.astype(np.float64) - 8) * np.repeat(scales, 32, axis=1)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("int4")


@pytest.fixture(scope="module")
def weights(source: Path) -> dict[str, Stored]:
    return {name.removeprefix("language_model."): stored for name, stored in checkpoints.write(source, files=3).tensors.items()}


@pytest.fixture(scope="module")
def converted(source: Path, weights: dict[str, Stored], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("converted") / "k2.gguf"
    assert run(source, target) == Result((target,), ())
    return target


@pytest.fixture
def copy(source: Path, weights: dict[str, Stored], tmp_path: Path) -> Path:
    """A checkpoint to spoil."""
    return shutil.copytree(source, tmp_path / "copy")


def test_every_int4_weight_is_exactly_the_same(converted: Path, weights: dict[str, Stored]) -> None:
    found = tensors(converted)
    for layer in (1, 2):
        for which in ("gate", "up", "down"):
            kind, values = found[f"blk.{layer}.ffn_{which}_exps.weight"]
            wanted = np.stack([unpacked(weights, f"model.layers.{layer}.mlp.experts.{expert}.{which}_proj") for expert in range(4)])
            assert kind is Ggml.Q4_0
            assert np.array_equal(values.astype(np.float64), wanted)


def test_everything_else_keeps_its_bits_and_norms_and_router_are_float32(converted: Path, weights: dict[str, Stored]) -> None:
    found = tensors(converted)
    names = {"token_embd.weight": "model.embed_tokens", "output.weight": "lm_head", "output_norm.weight": "model.norm"}
    parts = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q_a_norm": "self_attn.q_a_layernorm"}
    parts |= {"attn_q_a": "self_attn.q_a_proj", "attn_q_b": "self_attn.q_b_proj", "attn_kv_a_norm": "self_attn.kv_a_layernorm"}
    parts |= {"attn_kv_a_mqa": "self_attn.kv_a_proj_with_mqa", "attn_output": "self_attn.o_proj"}
    for layer in range(3):
        ffn = {f"ffn_{name}": f"mlp.{name}_proj" for name in ("gate", "up", "down")}
        if layer:
            ffn = {f"ffn_{name}_shexp": f"mlp.shared_experts.{name}_proj" for name in ("gate", "up", "down")} | {"ffn_gate_inp": "mlp.gate"}
        names |= {f"blk.{layer}.{ours}.weight": f"model.layers.{layer}.{theirs}" for ours, theirs in (parts | ffn).items()}
    for ours, theirs in names.items():
        kind, values = found.pop(ours)
        assert np.array_equal(values, as_float32(weights[f"{theirs}.weight"])), ours
        assert kind is (Ggml.F32 if "norm" in ours or "gate_inp" in ours else Ggml.BF16), ours
    for layer in range(3):
        whole = as_float32(weights[f"model.layers.{layer}.self_attn.kv_b_proj.weight"]).reshape(2, 64, 32)
        assert np.array_equal(found.pop(f"blk.{layer}.attn_k_b.weight")[1], whole[:, :32].transpose(0, 2, 1))
        assert np.array_equal(found.pop(f"blk.{layer}.attn_v_b.weight")[1], whole[:, 32:])
        if layer:
            bias = found.pop(f"blk.{layer}.exp_probs_b.bias")
            assert np.array_equal(bias[1], weights[f"model.layers.{layer}.mlp.gate.e_score_correction_bias"][1])
    assert all("_exps" in name for name in found)


def test_the_metadata_is_what_llama_cpp_reads(converted: Path) -> None:
    fields = {name: field.contents() for name, field in gguf.GGUFReader(converted).fields.items()}
    wanted = {
        "general.architecture": "deepseek2",
        "deepseek2.context_length": 4096,
        "deepseek2.attention.head_count_kv": 1,
        "deepseek2.attention.key_length": 64,
        "deepseek2.attention.value_length": 32,
        "deepseek2.attention.key_length_mla": 64,
        "deepseek2.attention.value_length_mla": 32,
        "deepseek2.leading_dense_block_count": 1,
        "deepseek2.expert_count": 4,
        "deepseek2.expert_used_count": 2,
        "deepseek2.expert_weights_norm": True,
        "deepseek2.expert_gating_func": 2,
        "deepseek2.rope.dimension_count": 32,
        "deepseek2.rope.freq_base": 50000.0,
        "deepseek2.rope.scaling.type": "yarn",
        "deepseek2.rope.scaling.factor": 64.0,
        "deepseek2.rope.scaling.original_context_length": 64,
        "deepseek2.rope.scaling.yarn_beta_fast": 32.0,
        "deepseek2.rope.scaling.yarn_beta_slow": 1.0,
        "tokenizer.ggml.pre": "kimi-k2",
        "tokenizer.ggml.eos_token_id": 265,
    }
    assert {name: fields[name] for name in wanted} == wanted
    assert fields["deepseek2.rope.scaling.yarn_log_multiplier"] == pytest.approx(0.1)
    assert fields["deepseek2.expert_weights_scale"] == pytest.approx(2.827)
    assert inspect(converted).context == 4096


def test_nested_and_plain_checkpoints_in_one_file_or_several_give_the_same_tensors(converted: Path, tmp_path: Path) -> None:
    checkpoints.write(tmp_path / "plain", nested=False)
    run(tmp_path / "plain", tmp_path / "k2.gguf")
    ours, theirs = tensors(tmp_path / "k2.gguf"), tensors(converted)
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name][1], theirs[name][1]) for name in ours)


def test_parts_hold_the_same_and_llama_cpp_loads_them_from_the_first(source: Path, converted: Path, tmp_path: Path) -> None:
    result = run(source, tmp_path / "k2.gguf", Options(split=60_000))
    count = len(result.files)
    assert count > 2
    assert [file.name for file in result.files] == [f"k2-{number + 1:05d}-of-{count:05d}.gguf" for number in range(count)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*(file.name for file in result.files), "k2.gguf.sha256"]
    whole = tensors(converted)
    found = {name: tensor for file in result.files for name, tensor in tensors(file).items()}
    assert list(found) == list(whole)
    assert all(np.array_equal(found[name][1], whole[name][1]) for name in whole)
    with runner.load(converted) as one:
        wanted = one.logits(TOKENS, 5)
    with runner.load(result.files[0]) as many:
        assert np.array_equal(many.logits(TOKENS, 5), wanted)
    with pytest.raises(ModelFileError, match="a later part of a split model"):
        inspect(result.files[1])


@pytest.mark.parametrize("outtype", [Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0])
def test_experts_that_are_not_quantised_get_the_wanted_type_and_llama_cpp_runs_it(outtype: Kind, tmp_path: Path) -> None:
    weights = checkpoints.write(tmp_path / "plain", int4=False, nested=False).tensors
    run(tmp_path / "plain", tmp_path / "k2.gguf", Options(outtype=outtype))
    found = tensors(tmp_path / "k2.gguf")
    for which in ("gate", "up", "down"):
        kind, values = found[f"blk.2.ffn_{which}_exps.weight"]
        wanted = np.stack([as_float32(weights[f"model.layers.2.mlp.experts.{expert}.{which}_proj.weight"]) for expert in range(4)])
        assert kind == outtype
        step = np.abs(wanted).max() / 127 if outtype is Kind.Q8_0 else np.abs(wanted).max() * 2.0**-11 if outtype is Kind.F16 else 0
        assert np.abs(values - wanted).max() <= step
    assert found["blk.2.ffn_gate_inp.weight"][0] is Ggml.F32
    with runner.load(tmp_path / "k2.gguf") as loaded:
        assert np.isfinite(loaded.logits(TOKENS, 5)).all()


def test_experts_that_transformers_fused_are_taken_apart(tmp_path: Path) -> None:
    one_by_one = checkpoints.write(tmp_path / "plain", int4=False, nested=False).tensors
    fused = dict(one_by_one)
    for layer in (1, 2):
        name = f"model.layers.{layer}.mlp.experts."
        matrices = {which: [fused.pop(f"{name}{expert}.{which}_proj.weight")[1] for expert in range(4)] for which in ("gate", "up", "down")}
        both = [np.concatenate(pair) for pair in zip(matrices["gate"], matrices["up"], strict=True)]
        fused[f"{name}gate_up_proj"] = ("BF16", np.stack(both))
        fused[f"{name}down_proj"] = ("BF16", np.stack(matrices["down"]))
    run(tmp_path / "plain", tmp_path / "plain.gguf")
    write_safetensors(tmp_path / "plain" / "model.safetensors", fused)
    run(tmp_path / "plain", tmp_path / "fused.gguf")
    assert (tmp_path / "plain.gguf").read_bytes() == (tmp_path / "fused.gguf").read_bytes()


def scales(*special: float) -> Array:
    """Scales of a gate matrix, shape (32, 2): ordinary ones, then `special` ones."""
    values = np.full((32, 2), 2.0**-7, np.float32)
    values.reshape(-1)[: len(special)] = special
    return bfloat16(values)


@pytest.mark.parametrize(
    ("special", "kind"),
    [
        ((2.0**-17 * 1.9921875, 65280.0, 0.0), Ggml.Q4_0),  # the smallest and the largest that float16 holds in any case
        ((2.0**-24, 2.0**-16 * 1.5, 2.0**-18 * 1.25), Ggml.Q4_0),  # subnormal in float16, and yet exact
        ((2.0**-20 * 1.984375,), Ggml.F32),  # too fine for float16, its products too long for bfloat16
        ((2.0**-30, 2.0**17), Ggml.BF16),  # out of float16's range, but short
        ((2.0**127,), None),  # its products are infinite even in float32
        ((float("inf"),), None),
        ((float("nan"),), None),
    ],
)
def test_a_scale_that_float16_does_not_hold_costs_memory_but_no_exactness(
    tmp_path: Path, special: tuple[float, ...], kind: Ggml | None
) -> None:
    maker = checkpoints.write(tmp_path / "odd", nested=False)
    for expert in range(4):
        maker.packed(f"model.layers.1.mlp.experts.{expert}.gate_proj", 32, 64, scales(*special if expert == 2 else ()))
    write_safetensors(tmp_path / "odd" / "model.safetensors", maker.tensors)
    if kind is None:
        with pytest.raises(ModelFileError, match=r"finite|too large or small"):
            run(tmp_path / "odd", tmp_path / "k2.gguf")
        return
    result = run(tmp_path / "odd", tmp_path / "k2.gguf")
    note = f"blk.1.ffn_gate_exps.weight: some scales are outside float16's exact range; kept exactly, as {kind.name} instead of Q4_0"
    assert result.notes == (() if kind is Ggml.Q4_0 else (note,))
    found, values = tensors(tmp_path / "k2.gguf")["blk.1.ffn_gate_exps.weight"]
    wanted = np.stack([unpacked(maker.tensors, f"model.layers.1.mlp.experts.{expert}.gate_proj") for expert in range(4)])
    assert found is kind
    assert np.array_equal(values.astype(np.float64), wanted)
    with runner.load(tmp_path / "k2.gguf") as loaded:
        assert loaded.logits(TOKENS, 5).shape == (5, checkpoints.VOCABULARY)


def test_checksums_are_those_of_the_files_and_damage_is_found(source: Path, weights: dict[str, Stored], tmp_path: Path) -> None:
    files = run(source, tmp_path / "k2.gguf", Options(split=100_000)).files
    assert verify(tmp_path / "k2.gguf", quiet) == files
    with files[1].open("r+b") as file:
        file.seek(5000)
        file.write(bytes([file.read(1)[0] ^ 1]))
    with pytest.raises(ModelFileError, match=rf"{files[1].name} is damaged"):
        verify(tmp_path / "k2.gguf", quiet)
    files[1].unlink()
    with pytest.raises(ModelFileError, match=rf"{files[1].name} can't be read: no such file"):
        verify(tmp_path / "k2.gguf", quiet)
    checksums.beside(tmp_path / "k2.gguf").write_text("nonsense")
    with pytest.raises(ModelFileError, match="not lines of checksum"):
        verify(tmp_path / "k2.gguf", quiet)


def test_progress_counts_every_byte_once(source: Path, weights: dict[str, Stored], tmp_path: Path) -> None:
    seen: list[Progress] = []
    convert(source, tmp_path / "k2.gguf", Options(), seen.append)
    assert [progress.phase for progress in seen] == sorted(progress.phase for progress in seen)
    assert all(before.done <= after.done for before, after in itertools.pairwise(seen) if before.phase == after.phase)
    last = {progress.phase: progress for progress in seen}
    assert {phase: progress.done == progress.total for phase, progress in last.items()} == {"checking scales": True, "writing": True}
    assert last["writing"].total == (tmp_path / "k2.gguf").stat().st_size


def test_a_model_is_never_overwritten(source: Path, weights: dict[str, Stored], tmp_path: Path) -> None:
    (tmp_path / "k2.gguf").write_bytes(b"precious")
    with pytest.raises(ModelFileError, match=r"k2\.gguf exists already: remove it, or choose another name"):
        run(source, tmp_path / "k2.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["k2.gguf"]
    assert (tmp_path / "k2.gguf").read_bytes() == b"precious"


def test_too_little_space_is_said_before_anything_is_written(source: Path, weights: dict[str, Stored], tmp_path: Path) -> None:
    with pytest.raises(StoppedError, match=r"GB still to write, but only 0\.00 GB free: free 0\.00 GB more, or choose another folder"):
        run(source, tmp_path / "k2.gguf", Options(free=lambda folder: 1000))
    assert not any(path.suffix == ".gguf" or path.name.endswith(".partial") for path in tmp_path.iterdir())


def test_two_conversions_of_one_name_do_not_meet(source: Path, weights: dict[str, Stored], tmp_path: Path) -> None:
    with Journal(tmp_path / "k2.gguf.journal", "another"), pytest.raises(EngineError, match="another process is writing this model"):
        run(source, tmp_path / "k2.gguf")


@pytest.mark.parametrize("name", ["k2.bin", "nowhere/k2.gguf"])
def test_a_target_that_can_not_be(source: Path, weights: dict[str, Stored], tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelFileError, match=r"give a name that ends in \.gguf, in a folder that exists"):
        run(source, tmp_path / name)


Change = tuple[str, Stored | None, str]
MATRIX = ("BF16", np.zeros((4, 4), np.uint16))
EXPERT = "model.layers.1.mlp.experts.1.up_proj"


def changes() -> Iterator[Change]:
    yield "model.norm.weight", None, r"no tensor model\.norm\.weight in its safetensors files: download the missing file"
    yield "lm_head.weight", MATRIX, r"tensor lm_head\.weight has shape \[4, 4\], but by config\.json it is \[544, 64\]"
    yield "model.norm.weight", ("F8_E4M3", np.zeros(64, np.uint8)), "is of type F8_E4M3: cast the checkpoint"
    yield "model.norm.weight", ("F32", np.full(64, np.nan, np.float32)), "values that are not finite: download its file again"
    yield "model.layers.1.self_attn.g_proj.weight", MATRIX, r"g_proj\.weight has no place in a model of K2's architecture"
    yield f"{EXPERT}.weight_packed", None, "weight_packed"
    yield f"{EXPERT}.weight_packed", ("I32", np.zeros((32, 4), np.int32)), r"is I32 \[32, 4\], not 32 rows of 64 INT4 weights"
    yield f"{EXPERT}.weight_scale", MATRIX, r"weight_scale has shape \[4, 4\], but by config\.json it is \[32, 2\]"
    yield f"{EXPERT}.weight_shape", ("I64", np.array([32, 128])), r"weight_shape says \[32, 128\], but config\.json \[32, 64\]"
    yield f"{EXPERT}.weight_shape", ("F32", np.zeros(2, np.float32)), "not a matrix's two sizes"
    yield f"{EXPERT}.weight_zero_point", ("I32", np.zeros((4, 2), np.int32)), "weight_zero_point has no place"


@pytest.mark.parametrize(("name", "stored", "message"), list(changes()))
def test_a_checkpoint_that_is_not_whole_is_refused_by_the_tensor(tmp_path: Path, name: str, stored: Stored | None, message: str) -> None:
    weights = checkpoints.write(tmp_path / "bad", nested=False).tensors
    weights.pop(name, None)
    if stored is not None:
        weights[name] = stored
    write_safetensors(tmp_path / "bad" / "model.safetensors", weights)
    with pytest.raises(ModelFileError, match=message):
        run(tmp_path / "bad", tmp_path / "k2.gguf")
    assert not (tmp_path / "k2.gguf").exists()


def test_packed_experts_need_the_configuration_that_explains_them(copy: Path, tmp_path: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    del config["text_config"]["quantization_config"]
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelFileError, match=r"is packed, but config\.json has no quantization_config"):
        run(copy, tmp_path / "k2.gguf")


def test_values_too_large_for_float16_are_not_made_infinite(tmp_path: Path) -> None:
    weights = checkpoints.write(tmp_path / "large", nested=False).tensors
    weights["lm_head.weight"] = ("BF16", bfloat16(np.full((checkpoints.VOCABULARY, 64), 1e6, np.float32)))
    write_safetensors(tmp_path / "large" / "model.safetensors", weights)
    with pytest.raises(ModelFileError, match=r"lm_head\.weight holds values too large for float16: convert with --outtype bf16"):
        run(tmp_path / "large", tmp_path / "k2.gguf", Options(outtype=Kind.F16))


def test_prediction_layers_and_the_vision_tower_stay_out(tmp_path: Path) -> None:
    weights = checkpoints.write(tmp_path / "more", nested=False).tensors
    weights["model.layers.3.enorm.weight"] = weights["vision_tower.patch_embed.proj.weight"] = MATRIX
    write_safetensors(tmp_path / "more" / "model.safetensors", weights)
    with pytest.raises(ModelFileError, match=r"model\.layers\.3\.enorm\.weight has no place"):
        run(tmp_path / "more", tmp_path / "k2.gguf")
    config = json.loads((tmp_path / "more" / "config.json").read_text())
    (tmp_path / "more" / "config.json").write_text(json.dumps(config | {"num_nextn_predict_layers": 1}))
    run(tmp_path / "more", tmp_path / "k2.gguf")
    assert not any("enorm" in name or "patch" in name for name in tensors(tmp_path / "k2.gguf"))


def test_rows_that_are_no_whole_blocks_stay_bfloat16(tmp_path: Path) -> None:
    checkpoints.write(tmp_path / "narrow", int4=False, nested=False, sizes=Sizes(nope=48))
    run(tmp_path / "narrow", tmp_path / "k2.gguf", Options(outtype=Kind.Q8_0))
    found = tensors(tmp_path / "k2.gguf")
    assert found["blk.0.attn_k_b.weight"][0] is Ggml.BF16
    assert found["blk.0.attn_v_b.weight"][0] is Ggml.Q8_0
