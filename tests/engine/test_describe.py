"""`models inspect`: what it says of good, split, damaged, foreign and hostile model files."""

import contextlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
import pytest
import typer
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from typer.testing import CliRunner

from engine.describe import describe, role_of
from engine.describe_command import inspect
from engine.errors import ModelFileError
from engine.gguf import read_header
from engine.parts import part_name, read_parts, split_name
from engine.plain import plain, size_of
from tests.engine.tinygguf import DENSE, EXPERT_WIDTH, EXPERTS, HEADS, LAYERS, WIDTH, vocabulary, write

APP = typer.Typer()
APP.command()(inspect)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("describe") / "tiny.gguf")


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spoiled") / "spoiled.gguf"


def write_part(path: Path, number: int, count: int, tensors: Mapping[str, tuple[int, ...]], total: int, **metadata: int) -> Path:
    """One part of a split model, numbered from 1, with zeros for tensors; the first one has K2's architecture."""
    writer = gguf.GGUFWriter(path, "deepseek2")
    if number == 1:
        writer.add_name("split")
    for key, value in {"split.no": number - 1, "split.count": count, **metadata}.items():
        writer.add_uint16(key, value)
    writer.add_int32("split.tensors.count", total)
    for name, shape in tensors.items():
        writer.add_tensor(name, np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_split(folder: Path, count: int = 3) -> list[Path]:
    names = [part_name("split", number, count) for number in range(1, count + 1)]
    return [write_part(folder / name, n, count, {f"blk.{n}.attn_q_a.weight": (4, 8)}, count) for n, name in enumerate(names, 1)]


def test_every_tensor_of_a_file_is_known_by_type_shape_and_place(tiny: Path) -> None:
    header = read_header(tiny)
    reader = gguf.GGUFReader(tiny)
    assert [(t.name, t.kind, list(t.shape), t.offset, t.bytes) for t in header.tensors] == [
        (t.name, t.tensor_type.name, t.shape.tolist(), t.data_offset, t.n_bytes) for t in reader.tensors
    ]
    assert (header.end, header.data) == (tiny.stat().st_size, reader.data_offset)


def test_quantised_tensors_have_the_bytes_of_their_blocks(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "q.gguf", "deepseek2")
    for kind, block in ((gguf.GGMLQuantizationType.Q4_0, 18), (gguf.GGMLQuantizationType.Q8_0, 34)):
        writer.add_tensor(f"blk.1.ffn_up_exps.{kind.name}", np.zeros((2, 3, 2 * block), np.uint8), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert [(t.kind, t.shape, t.bytes) for t in read_header(tmp_path / "q.gguf").tensors] == [
        ("Q4_0", (64, 3, 2), 2 * 3 * 2 * 18),
        ("Q8_0", (64, 3, 2), 2 * 3 * 2 * 34),
    ]
    (share,) = describe(tmp_path / "q.gguf").roles
    assert (share.role, share.kinds, share.parameters) == ("routed experts", (("Q8_0", 408), ("Q4_0", 216)), 768)


def test_a_good_file_is_described(tiny: Path) -> None:
    what = describe(tiny)
    assert (what.name, what.architecture, what.files, what.bytes) == ("tiny", "deepseek2", 1, tiny.stat().st_size)
    assert (what.shape.layers, what.shape.width, what.shape.heads, what.shape.context) == (LAYERS, WIDTH, HEADS, 4096)
    assert (what.shape.experts, what.shape.experts_used, what.shape.experts_shared) == (EXPERTS, 2, 1)
    assert what.vocabulary is not None
    assert (what.vocabulary.tokens, what.vocabulary.kind, what.vocabulary.chat_template) == (len(vocabulary()[0]), "gpt2/kimi-k2", False)
    assert what.refusal is None
    parameters = {share.role: share.parameters for share in what.roles}
    assert parameters["routed experts"] == (LAYERS - 1) * EXPERTS * 3 * EXPERT_WIDTH * WIDTH
    assert parameters["shared experts"] == (LAYERS - 1) * 3 * EXPERT_WIDTH * WIDTH
    assert parameters["dense layers"] == 3 * DENSE * WIDTH
    assert set(parameters) == {
        *("routed experts", "shared experts", "dense layers"),
        "attention",
        "embeddings and output",
        "norms and router",
    }
    assert what.active_parameters == what.parameters - parameters["routed experts"] * (EXPERTS - 2) // EXPERTS


def test_k26_s_own_positions_and_template_are_told(tmp_path: Path) -> None:
    extra = {
        "deepseek2.rope.scaling.type": "yarn",
        "deepseek2.rope.scaling.factor": 64.0,
        "deepseek2.rope.scaling.original_context_length": 4096,
        "tokenizer.chat_template": "{{ messages }}",
    }
    result = run(write(tmp_path / "k26.gguf", extra=extra, context=262144))
    assert result.exit_code == 0
    assert "yarn ×64 from 4,096 tokens, base 50000" in result.stdout
    assert "262,144 tokens" in result.stdout
    assert "with a chat template" in result.stdout
    assert "This engine can run it." in result.stdout


def test_tensors_are_told_apart_by_role() -> None:
    cases = {
        "token_embd.weight": "embeddings and output",
        "output.weight": "embeddings and output",
        "output_norm.weight": "norms and router",
        "blk.7.attn_kv_a_norm.weight": "norms and router",
        "blk.7.ffn_gate_inp.weight": "norms and router",
        "blk.7.exp_probs_b.bias": "norms and router",
        "blk.7.attn_kv_a_mqa.weight": "attention",
        "blk.60.ffn_down_exps.weight": "routed experts",
        "blk.60.ffn_down_shexp.weight": "shared experts",
        "blk.0.ffn_down.weight": "dense layers",
        "v.blk.0.attn_qkv.weight": "vision tower",
        "mm.input_norm.weight": "vision projector",
        "rope_freqs.weight": "other",
        "": "other",
    }
    assert {name: role_of(name) for name in cases} == cases


def test_json_is_one_object_with_tensors_where_asked(tiny: Path) -> None:
    whole = json.loads(run(tiny, "--json").stdout)
    assert (whole["name"], whole["bytes"], whole["refusal"]) == ("tiny", tiny.stat().st_size, None)
    assert "tensors" not in whole
    assert sum(sum(role["kinds"].values()) for role in whole["roles"]) == sum(role["bytes"] for role in whole["roles"])
    tensors = json.loads(run(tiny, "--json", "--tensors").stdout)["tensors"]
    assert tensors[0] == {
        "name": "token_embd.weight",
        "kind": "F32",
        "shape": [WIDTH, len(vocabulary()[0])],
        "offset": read_header(tiny).data,
        "bytes": WIDTH * len(vocabulary()[0]) * 4,
        "file": "tiny.gguf",
    }


def test_every_tensor_gets_a_line(tiny: Path) -> None:
    shown = run(tiny, "--tensors").stdout
    for tensor in read_header(tiny).tensors:
        assert any(line.startswith(f"{tensor.name} ") and f"{tensor.bytes:,}" in line for line in shown.splitlines())


def test_a_split_model_is_described_whole_from_any_part(tmp_path: Path) -> None:
    paths = write_split(tmp_path)
    for path in paths:
        what = describe(path)
        assert (what.name, what.files, what.missing) == ("split", 3, ())
        assert what.bytes == sum(part.stat().st_size for part in paths)
        assert what.parameters == 3 * 4 * 8
    assert read_parts(paths[0]).problem is None
    assert "on disk         " in run(paths[0]).stdout


def test_missing_parts_are_named(tmp_path: Path) -> None:
    paths = write_split(tmp_path)
    paths[1].unlink()
    what = describe(paths[0])
    assert (what.files, what.missing) == (3, (paths[1].name,))
    assert read_parts(paths[0]).problem == f"1 of 3 parts are missing ({paths[1].name}): get them into the same folder"
    shown = run(paths[0]).stdout
    assert paths[1].name in shown
    assert "in 2 of 3 files" in shown
    paths[0].unlink()
    refusal = describe(paths[2]).refusal
    assert refusal is not None
    assert refusal.startswith("2 of 3 parts are missing")


def test_parts_that_do_not_belong_together_are_told(tmp_path: Path) -> None:
    paths = write_split(tmp_path)
    paths[1].write_bytes(paths[2].read_bytes())
    assert read_parts(paths[0]).problem == f"{paths[1].name} is not part 2 of 3 inside: get the file again"
    write_part(paths[1], 2, 3, {"blk.1.attn_q_a.weight": (4, 8)}, 3)
    assert "2 different tensors of 3" in (read_parts(paths[0]).problem or "")
    renamed = paths[0].rename(tmp_path / "renamed.gguf")
    assert read_parts(renamed).problem == "a part of a split model of 3 files: name it like NAME-00001-of-00003.gguf"
    write_part(tmp_path / "nan.gguf", 1, 2, {}, 0)
    assert split_name("model-00002-of-00001.gguf") is None


def test_a_damaged_part_is_named_with_exit_2(tmp_path: Path) -> None:
    paths = write_split(tmp_path)
    paths[2].write_bytes(paths[2].read_bytes()[:60])
    result = run(paths[0])
    assert (result.exit_code, result.stdout) == (2, "")
    assert paths[2].name in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_file_cut_in_its_tensors_is_described_and_refused(tiny: Path, spoiled: Path) -> None:
    spoiled.write_bytes(tiny.read_bytes()[:-1])
    result = run(spoiled)
    assert result.exit_code == 2
    assert "name            tiny" in result.stdout
    assert "can't run it: the file is cut off" in result.stdout
    assert f"{spoiled}: the file is cut off" in result.stderr
    spoiled.write_bytes(tiny.read_bytes()[:100])
    result = run(spoiled, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "damaged or cut off" in result.stderr


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    for path, message in ((tmp_path / "notes.txt", "not a GGUF"), (tmp_path / "absent.gguf", "no such file"), (tmp_path, "config.json")):
        result = run(path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in result.stderr


def test_a_model_of_another_architecture_is_described_but_not_run(tmp_path: Path) -> None:
    result = run(write(tmp_path / "llama.gguf", architecture="llama"))
    assert result.exit_code == 0
    assert "architecture    llama" in result.stdout
    assert "3 layers, 64 wide, 2 heads" in result.stdout
    assert "can't run it: not a model this engine runs: its architecture is 'llama'" in result.stdout


def test_a_projector_is_called_one(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "mmproj.gguf", "clip")
    writer.add_string("clip.projector_type", "kimik25")
    writer.add_uint32("clip.vision.block_count", 27)
    writer.add_tensor("v.blk.0.ln1.weight", np.zeros(4, np.float32))
    writer.add_tensor("mm.1.weight", np.zeros((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    what = describe(tmp_path / "mmproj.gguf")
    assert (what.projector, what.shape.layers, what.vocabulary, what.defaults) == ("kimik25", 27, None, None)
    assert [share.role for share in what.roles] == ["vision projector", "vision tower"]
    assert "mmproj" in (what.refusal or "")


def test_a_file_for_another_engine_is_said_to_be_one(tiny: Path, spoiled: Path) -> None:
    data = bytearray(tiny.read_bytes())
    at = data.index(b"output_norm.weight") + len("output_norm.weight") + 4 + 8
    data[at : at + 4] = struct.pack("<I", 144)
    spoiled.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"'output_norm.weight' is of type 144.*another engine"):
        read_header(spoiled)


@pytest.mark.parametrize("key", ["general.name", "tokenizer.chat_template", "tokenizer.ggml.model", "deepseek2.rope.scaling.type"])
def test_no_escape_sequence_of_a_file_reaches_the_terminal(tmp_path: Path, key: str) -> None:
    evil = "a\x1b]0;owned\x07\x1b[2J\r\nb\u202e\x9b31m\u2028c"
    writer = gguf.GGUFWriter(tmp_path / "evil.gguf", evil if key == "general.name" else "deepseek2")
    writer.add_string(key, evil)
    writer.add_array("tokenizer.ggml.tokens", ["a"])
    writer.add_tensor(f"v.{evil}", np.zeros(1, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    for arguments in ([], ["--tensors"], ["--json", "--tensors"]):
        result = run(tmp_path / "evil.gguf", *arguments)
        assert result.exit_code == 0
        assert all(line.isprintable() for line in result.stdout.removesuffix("\n").split("\n"))


@given(data=st.binary(max_size=300))
@settings(deadline=None)
def test_random_bytes_are_refused(spoiled: Path, data: bytes) -> None:
    for start in (b"", b"GGUF\3\0\0\0", b"GGUF\3\0\0\0" + struct.pack("<QQ", 1, 1)):
        spoiled.write_bytes(start + data)
        with contextlib.suppress(ModelFileError):
            describe(spoiled)


@given(st.lists(st.tuples(st.integers(4, 9000), st.integers(0, 255)), min_size=1, max_size=8))
@settings(deadline=None)
def test_flipped_bytes_are_described_or_refused(tiny: Path, spoiled: Path, flips: list[tuple[int, int]]) -> None:
    data = bytearray(tiny.read_bytes())
    for place, value in flips:
        data[place] = value
    spoiled.write_bytes(data)
    result = run(spoiled, "--json", "--tensors")
    assert result.exit_code in (0, 2)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    if result.stdout:
        assert json.loads(result.stdout)["architecture"] is not None


@given(st.text(), st.integers(1, 50))
def test_plain_text_is_one_printable_line(text: str, longest: int) -> None:
    shown = plain(text, longest)
    assert shown.isprintable()
    assert len(shown) <= longest
    assert plain(shown, longest) == shown
    if text.isprintable() and len(text) <= longest:
        assert shown == text


def test_sizes_read_as_people_say_them() -> None:
    cases = {0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_499: "999 kB", 999_600: "1.0 MB", 1_500_000_000: "1.5 GB", 584 * 10**9: "584 GB"}
    assert {count: size_of(count) for count in cases} == cases


@pytest.mark.parametrize("claims", [(2**63, 1), (1, 2**63), (0, 70_000), (300_000, 0)])
def test_claims_of_a_header_are_not_believed(spoiled: Path, claims: tuple[int, int]) -> None:
    # A sparse file is as long as one likes, so its length bounds nothing.
    spoiled.write_bytes(b"GGUF\3\0\0\0" + struct.pack("<QQ", *claims))
    with spoiled.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelFileError, match="damaged"):
        read_header(spoiled)


def test_a_header_without_an_end_is_refused_in_bounded_time(spoiled: Path) -> None:
    # An array of 2^60 empty strings in a terabyte of zeros: the walk must stop by itself.
    spoiled.write_bytes(b"GGUF\3\0\0\0" + struct.pack("<QQQ1sIIQ", 0, 1, 1, b"k", 9, 8, 1 << 60))
    with spoiled.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelFileError, match="ends inside its header"):
        read_header(spoiled)


def test_a_checkpoint_s_folder_is_described(tmp_path: Path) -> None:
    config = {
        "vocab_size": 32, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128,
        "moe_intermediate_size": 32, "n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2, "first_k_dense_replace": 1,
        "q_lora_rank": 32, "kv_lora_rank": 32, "qk_nope_head_dim": 32, "qk_rope_head_dim": 32, "v_head_dim": 32, "moe_layer_freq": 1,
        "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 50000.0, "routed_scaling_factor": 2.827,
        "hidden_act": "silu", "attention_bias": False, "rope_interleave": True,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    expert = "model.layers.1.mlp.experts.0.up_proj"
    tensors = {
        "model.embed_tokens.weight": np.zeros((32, 64), np.float32),
        f"{expert}.weight_packed": np.zeros((32, 8), np.int32),
        f"{expert}.weight_scale": np.zeros((32, 2), np.float16),
        "model.layers.1.self_attn.q_a_proj.weight": np.zeros((32, 64), np.float16),
        "model.layers.1.input_layernorm.weight": np.zeros(64, np.float32),
    }
    save_file(tensors, tmp_path / "model.safetensors")
    whole = json.loads(run(tmp_path, "--json", "--tensors").stdout)
    assert "models convert" in whole["refusal"]
    assert {role["role"]: role["parameters"] for role in whole["roles"]} == {
        "embeddings and output": 32 * 64,
        "routed experts": 32 * 64,
        "attention": 32 * 64,
        "norms and router": 64,
    }
    assert [tensor["shape"] for tensor in whole["tensors"] if tensor["name"] == "model.embed_tokens.weight"] == [[64, 32]]
    (tmp_path / "config.json").write_text("[")
    assert run(tmp_path).exit_code == 2
