"""Configurations that are not K2's, or that llama.cpp would misread, are refused by file and name."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.convert import config, vision
from engine.errors import ModelFileError
from tests.engine.convert.checkpoints import Sizes, text_config

YARN = {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 64, "mscale": 1.0, "mscale_all_dim": 1.0}
VISION = {"vt_hidden_size": 64, "vt_num_hidden_layers": 2, "vt_num_attention_heads": 2, "vt_intermediate_size": 96, "patch_size": 14}
VISION |= {"init_pos_emb_height": 8, "init_pos_emb_width": 6, "init_pos_emb_time": 4}


def write(folder: Path, **changes: object) -> Path:
    """A configuration with `changes`; None removes a setting."""
    values = text_config(Sizes(), int4=True) | changes
    (folder / "config.json").write_text(json.dumps({name: value for name, value in values.items() if value is not None}))
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": None}, r"config\.json: hidden_size is missing, but must be a whole number"),
        ({"hidden_size": "64"}, r'hidden_size is "64", but must be a whole number'),
        ({"hidden_size": True}, "hidden_size is true"),
        ({"rms_norm_eps": "small"}, "must be a number"),
        ({"norm_topk_prob": 1}, "must be true or false"),
        ({"n_group": 8}, "n_group is 8, but must be 1, because llama.cpp knows no other"),
        ({"hidden_act": "gelu"}, 'hidden_act is "gelu", but must be "silu"'),
        ({"attention_bias": True}, "attention_bias is true"),
        ({"scoring_func": "tanh"}, "must be softmax or sigmoid"),
        ({"q_lora_rank": None}, "q_lora_rank is missing"),
        ({"num_hidden_layers": 27}, r"num_hidden_layers is 27, but must be another than \(26, 27\)"),
        ({"n_routed_experts": 5000}, "expert_count is not from expert_used_count to 1024"),
        ({"rope_scaling": 3}, "rope_scaling is 3, but must be an object"),
        ({"rope_scaling": {"type": "linear"}}, 'type is "linear", but must be "yarn"'),
        ({"rope_scaling": YARN | {"mscale": 0.7}}, "mscale is 0.7, but must be equal to mscale_all_dim"),
        ({"rope_scaling": YARN | {"factor": None}}, "factor is null, but must be a number"),
        ({"quantization_config": {"quant_method": "fp8"}}, "cast other checkpoints to bfloat16 first"),
        ({"eos_token_id": [-1]}, "eos_token_id is -1"),
    ],
)
def test_what_is_wrong_is_said_with_the_setting(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        config.read(write(tmp_path, **changes)).metadata()


@pytest.mark.parametrize("setting", ["num_bits", "group_size", "symmetric"])
def test_only_k2_s_kind_of_int4(tmp_path: Path, setting: str) -> None:
    quantization = json.loads(json.dumps(text_config(Sizes(), int4=True)["quantization_config"]))
    quantization["config_groups"]["group_0"]["weights"][setting] = None
    with pytest.raises(ModelFileError, match=f"{setting} is null"):
        config.read(write(tmp_path, quantization_config=quantization))
    quantization["config_groups"]["group_0"]["weights"][setting] = 64
    with pytest.raises(ModelFileError, match=f"{setting} is 64"):
        config.read(write(tmp_path, quantization_config=quantization))


def test_both_spellings_of_rotary_settings_mean_the_same(tmp_path: Path) -> None:
    old = config.read(write(tmp_path, rope_scaling=YARN | {"rope_type": None, "type": "yarn"})).metadata()
    new = config.read(write(tmp_path, rope_scaling=None, rope_theta=None, rope_parameters=YARN | {"rope_theta": 50000.0})).metadata()
    assert old == new
    plain = config.read(write(tmp_path, rope_scaling=None)).metadata()
    assert not any("scaling" in name for name in plain)


def test_a_missing_or_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"config\.json: no such file or directory; download it into this folder"):
        config.read(tmp_path)
    (tmp_path / "config.json").write_bytes(b"\xff")
    with pytest.raises(ModelFileError, match=r"config\.json: not a JSON object; download it again"):
        config.read(tmp_path)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(SCALARS, lambda values: st.lists(values, max_size=3), max_leaves=4)


@given(st.sampled_from(sorted(text_config(Sizes(), int4=True))), JSON)
def test_no_value_causes_anything_but_a_refusal(tmp_path_factory: pytest.TempPathFactory, name: str, value: object) -> None:
    folder = write(tmp_path_factory.getbasetemp(), **{name: value})
    with contextlib.suppress(ModelFileError):
        assert config.read(folder).metadata()["general.architecture"] == "deepseek2"


@pytest.mark.parametrize(
    ("tower", "message"),
    [
        (None, "no vision_config: this model has no vision tower; leave --mmproj out"),
        (VISION | {"merge_kernel_size": [2, 3]}, "must be square"),
        (VISION | {"merge_kernel_size": "2"}, "must be two whole numbers"),
        (VISION | {"patch_size": 0.5}, "patch_size is 0.5"),
    ],
)
def test_a_vision_tower_that_mtmd_does_not_know(tmp_path: Path, tower: dict[str, object] | None, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        vision.read(write(tmp_path, vision_config=tower))


def test_the_vision_tower_s_sizes(tmp_path: Path) -> None:
    tower = vision.read(write(tmp_path, vision_config=VISION))
    assert (tower.hidden, tower.layers, tower.heads, tower.grid, tower.merge, tower.output) == (64, 2, 2, (8, 6), 2, 64)
    assert tower.patches == 16_384
