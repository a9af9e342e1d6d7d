"""Placements given to llama.cpp itself: a model loads and answers the same with its experts placed by an override."""

import ctypes
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import llama_cpp.llama_cpp as api
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.layout import EXPERT_TENSORS, Placement
from engine.placement import PlacementError, apply
from tests.engine import tinygguf

TOKENS = (104, 101, 108, 108, 111)


def placed(overrides: Sequence[tuple[str, str]], layers: int = 0) -> Placement:
    return Placement(layers, tuple(overrides), 64, "f16", 64)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tinygguf.write(tmp_path_factory.mktemp("model") / "tiny.gguf")


def logits(path: Path, placement: Placement | None) -> NDArray[np.float32]:
    """The last token's scores after `TOKENS`, from a model loaded with `placement`."""
    api.llama_backend_init()
    parameters = api.llama_model_default_params()
    alive = None if placement is None else apply(parameters, placement)
    model = api.llama_model_load_from_file(str(path).encode(), parameters)
    assert model is not None
    del alive
    settings = api.llama_context_default_params()
    settings.n_ctx, settings.n_threads, settings.n_threads_batch = 64, 1, 1
    context = api.llama_init_from_model(model, settings)
    try:
        tokens = (api.llama_token * len(TOKENS))(*TOKENS)
        batch = api.llama_batch_get_one(tokens, len(TOKENS))
        assert api.llama_decode(context, batch) == 0
        size = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))
        return np.ctypeslib.as_array(api.llama_get_logits_ith(context, -1), shape=(size,)).copy()
    finally:
        api.llama_free(context)
        api.llama_model_free(model)


@pytest.mark.parametrize("pattern", [EXPERT_TENSORS, rf"blk\.(1|2){EXPERT_TENSORS}", r"blk\.[0-2]\.attn_.*", "^output.weight$"])
def test_an_override_changes_the_place_and_not_the_answer(model_file: Path, pattern: str) -> None:
    assert np.array_equal(logits(model_file, placed([(pattern, "CPU")], layers=99)), logits(model_file, None))


def test_what_llama_cpp_reads_is_what_was_asked(model_file: Path) -> None:
    parameters = api.llama_model_default_params()
    alive = apply(parameters, placed([("a", "CPU"), ("b", "CPU")], layers=7))
    assert parameters.n_gpu_layers == 7
    assert alive is not None
    entries = (ctypes.c_void_p * 6).from_address(parameters.tensor_buft_overrides)
    assert ctypes.string_at(entries[0]) == b"a"
    assert ctypes.string_at(entries[2]) == b"b"
    assert entries[1] == entries[3] is not None
    assert entries[4] is None, "the list ends with a null pattern"


def test_no_overrides_leave_the_parameters_alone() -> None:
    parameters = api.llama_model_default_params()
    apply(parameters, placed([]))
    assert not parameters.tensor_buft_overrides
    assert parameters.n_gpu_layers == 0


@pytest.mark.parametrize("pattern", ["(", "a{", "[z-a]", "[a-b-c]", "a**", "(?<=x)y", "", "é", "a\\", "*", "[[:alpha:]]", "a\n"])
def test_a_pattern_that_could_end_the_process_is_refused(pattern: str) -> None:
    with pytest.raises(PlacementError, match="pattern"):
        apply(api.llama_model_default_params(), placed([(pattern, "CPU")]))


def test_an_unknown_device_is_named_with_those_that_exist() -> None:
    with pytest.raises(PlacementError, match=r"no device 'CUDA9' here; it has CPU"):
        apply(api.llama_model_default_params(), placed([("a", "CUDA9")]))


def test_too_many_overrides_are_refused() -> None:
    with pytest.raises(PlacementError, match="join patterns"):
        apply(api.llama_model_default_params(), placed([("a", "CPU")] * int(api.llama_max_tensor_buft_overrides())))


def test_its_errors_are_the_engine_s() -> None:
    assert issubclass(PlacementError, EngineError)
    assert PlacementError.exit_code == 2


def test_llama_cpp_says_which_tensors_it_placed(model_file: Path) -> None:
    # In a process of its own: the log belongs to whoever set it first.
    code = (
        "from pathlib import Path; from tests.engine.test_placement import *;"
        f"logits(Path({str(model_file)!r}), placed([(EXPERT_TENSORS, 'CPU')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    placed_there = re.findall(r"tensor (\S+) .*buffer type overridden to CPU", done.stderr)
    assert sorted(placed_there) == [f"blk.{layer}.ffn_{name}_exps.weight" for layer in (1, 2) for name in ("down", "gate", "up")]
