"""The matrices around llama.cpp's attention are found in its graph, and the expanded form says what the absorbed one says."""

from pathlib import Path

import numpy as np
import pytest

from engine.llama import KvType
from engine.native.library import Form, Library
from engine.native.plugin import Attention
from tests.engine.native.forms import run, write
from tests.engine.native.watched import run as watch

LAYERS = 5


@pytest.mark.parametrize("value", [64, 32])
@pytest.mark.parametrize("cells", [KvType.F16, KvType.Q8_0])
def test_forms_agree(library: Library, cells: KvType, value: int, tmp_path: Path) -> None:
    results = run(write(tmp_path / "model.gguf", value), cells, Attention.PRECISE)
    assert {form: result.computed for form, result in results.items()} == {
        Form.CHEAPER: (LAYERS, 0),
        Form.ABSORBED: (LAYERS, 0),
        Form.EXPANDED: (0, LAYERS),
    }
    absorbed, expanded = results[Form.ABSORBED].scores, results[Form.EXPANDED].scores
    assert np.array_equal(results[Form.CHEAPER].scores, absorbed)
    assert not np.array_equal(expanded, absorbed)
    errors = np.linalg.norm(expanded - absorbed, axis=1) / np.linalg.norm(absorbed, axis=1)
    assert np.median(errors) < 1e-3
    assert errors.max() < 0.05


def test_whoever_reads_attention_itself_gets_all_of_it(tmp_path: Path) -> None:
    watched = watch(write(tmp_path / "model.gguf"))
    assert watched[Form.ABSORBED].read == LAYERS
    assert watched[Form.EXPANDED] == watched[Form.ABSORBED]
    assert watched[Form.EXPANDED].expanded == 0
