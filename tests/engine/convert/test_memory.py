"""A model converts in a small part of the memory that it would take itself."""

import json
from pathlib import Path

import numpy as np

from engine.convert.conversion import Options
from tests.engine.convert import crash
from tests.engine.convert.checkpoints import Sizes, Stored, Weights, bfloat16, text_config, write_safetensors, write_vocabulary

SIZES = Sizes(hidden=1024, layers=2, experts=80, expert_width=2048, dense_width=4096)
MEBIBYTE = 1024 * 1024


def test_peak_memory_is_far_below_the_model_s_size(tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.mkdir()
    (source / "config.json").write_text(json.dumps(text_config(SIZES, int4=True)))
    write_vocabulary(source)
    write_safetensors(source / "model.safetensors", repeated())
    size = (source / "model.safetensors").stat().st_size // MEBIBYTE
    assert size > 250
    taken = crash.memory(source, tmp_path / "k2.gguf", Options(workers=2))
    assert (tmp_path / "k2.gguf").stat().st_size // MEBIBYTE > 250
    assert taken < size // 3


def repeated() -> dict[str, Stored]:
    """All tensors of a model of `SIZES`; experts share one random matrix of each shape, so that this is quick and small."""
    one = Weights(Sizes(hidden=SIZES.hidden, layers=2, experts=1, expert_width=SIZES.expert_width, dense_width=SIZES.dense_width), "")
    tensors = one.all(int4=True)
    first = "model.layers.1.mlp.experts.0."
    for name, stored in [item for item in tensors.items() if item[0].startswith(first)]:
        tensors |= {name.replace(".0.", f".{expert}.", 1): stored for expert in range(1, SIZES.experts)}
    tensors["model.layers.1.mlp.gate.weight"] = ("BF16", bfloat16(np.zeros((SIZES.experts, SIZES.hidden), np.float32)))
    tensors["model.layers.1.mlp.gate.e_score_correction_bias"] = ("F32", np.zeros(SIZES.experts, np.float32))
    return tensors
