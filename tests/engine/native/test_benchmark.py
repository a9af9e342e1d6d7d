"""The parts of the attention benchmark that can be wrong unnoticed: its data, its widened caches, its slice, its arithmetic."""

import struct
from pathlib import Path
from xml.etree import ElementTree

import gguf
import numpy as np
import pytest

from benchmarks import mla_case, mla_figures, mla_plot, mla_slice, mla_state, mla_tables
from benchmarks.mla_case import Case, View
from benchmarks.mla_figures import Measured
from benchmarks.mla_slice import Shape
from benchmarks.mla_state import Layouts, StateError
from engine.errors import EngineError
from engine.llama import Entry, Llama, Options
from engine.native.library import Cell
from tests.engine import tinygguf

CASES = (
    Case("one", 1, 40),
    Case("open", 3, 32),
    Case("causal", 5, 37, view=View.CAUSAL),
    Case("shared", 4, 64 + 4 * 6, view=View.SHARED, prefix=64),
    Case("separate", 4, 4 * 9, view=View.SEPARATE),
)
SMALL = Shape(experts=4, used=2, width=256, heads=2, q_rank=64, kv_rank=64, nope=32, rope=32, value=32, dense=256, expert=64, vocabulary=64)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_operations_are_counted_for_the_pairs_that_the_mask_lets_through(case: Case) -> None:
    mask = mla_case.mask(case)
    assert mask.shape == (case.queries, case.keys)
    assert np.count_nonzero(mask == 0) == case.pairs
    assert case.operations == 2 * 64 * (576 + 512) * case.pairs


def test_views_show_what_they_say() -> None:
    causal, shared, separate = (mla_case.mask(case) == 0 for case in CASES[2:])
    assert [np.flatnonzero(row)[-1] for row in causal] == [32, 33, 34, 35, 36]
    assert [tuple(np.flatnonzero(row[64:])) for row in shared] == [tuple(range(6 * n, 6 * n + 6)) for n in range(4)]
    assert [tuple(np.flatnonzero(row)) for row in separate] == [tuple(range(9 * n, 9 * n + 9)) for n in range(4)]


@pytest.mark.parametrize("kind", list(Cell))
def test_both_orders_of_a_cell_hold_the_same_values(kind: Cell, tmp_path: Path) -> None:
    what = mla_case.data(Case("any", 2, 7, kind))
    found = []
    for name, rotated_first in (("behind", False), ("before", True)):
        folder = tmp_path / name
        folder.mkdir()
        mla_case.write(folder, what, rotated_first=rotated_first)
        queries = np.fromfile(folder / "q", np.float32).reshape(2, 64, 576)
        cells = gguf.quants.dequantize(np.fromfile(folder / "cells", np.uint8).reshape(7, -1), gguf.GGMLQuantizationType(kind.value))
        latent = slice(64, None) if rotated_first else slice(0, 512)
        found.append((np.einsum("qhw,kw->qhk", queries, cells, dtype=np.float64), cells[:, latent]))
    assert np.allclose(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])


def test_a_widened_state_is_one_that_llama_saves(tmp_path: Path) -> None:
    with Llama(tinygguf.write(tmp_path / "tiny.gguf"), Options(cells=512)) as llama:
        llama.decode([Entry(1, 0, 0, True)])
        wide = mla_state.widen(llama.save(0, 0, 1), Layouts.LLAMA, 300)
        llama.forget(0)
        llama.restore(0, wide, 0, 300)
        assert llama.save(0, 0, 300) == wide
        llama.decode([Entry(1, 300, 0, True)])
        assert np.isfinite(llama.logits(0)).all()


def state(owners: int, layers: int, kind: int = 1) -> bytes:
    """The state of one token as ik_llama.cpp writes it, with so many owners listed."""
    cell = struct.pack("<Iii", 1, 0, owners) + b"\0\0\0\0" * owners
    return cell + struct.pack("<II", 2, layers) + layers * (struct.pack("<iQ", kind, 8) + bytes(8)) + bytes(8)


def test_the_other_layout_has_no_beginning_and_no_owners() -> None:
    wide = mla_state.widen(state(0, 2), Layouts.IK, 3)
    assert struct.unpack_from("<I6i", wide) == (3, 0, 0, 1, 0, 2, 0)
    assert wide[28:36] == struct.pack("<II", 2, 2)
    assert len(wide) == 36 + 2 * (12 + 3 * 8) + 8


@pytest.mark.parametrize(
    "bad", [b"", state(0, 1)[:-1], state(0, 1) + b"\0", state(0, 1)[:-1] + b"\1", state(0, 1, kind=8), state(1, 1), state(0, 2)[:-17]]
)
def test_a_state_of_another_layout_is_refused(bad: bytes) -> None:
    with pytest.raises(StateError):
        mla_state.widen(bad, Layouts.IK, 3)


def test_the_slice_is_made_once_loads_and_computes_numbers_of_a_sane_size(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "slice.gguf"
    assert mla_slice.make(path, SMALL)
    assert not mla_slice.make(path, SMALL)
    assert not mla_slice.is_made(path, Shape(experts=8))
    with Llama(path, Options(cells=256)) as llama:
        llama.decode([Entry(token, token, 0, token == 30) for token in range(31)])
        assert 0.3 < float(llama.logits(30).std()) < 3


def test_a_slice_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "slice.gguf"
    mla_slice.make(path, SMALL)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert mla_slice.make(path, SMALL)
    assert path.read_bytes() == whole


def test_a_slice_for_which_there_is_no_room_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="make room"):
        mla_slice.make(tmp_path / "slice.gguf", Shape(experts=10**8))
    assert not list(tmp_path.iterdir())


def test_the_real_slice_has_the_real_size() -> None:
    assert sum(tensor.bytes for tensor in mla_slice.tensors(Shape())) == pytest.approx(10.2e9, rel=0.01)


MEASURED = Measured(
    times={
        "attention_8k": {"stock": 20.0, "ik": 10.0, "precise": 5.0, "fast": 4.0},
        "attention_8k_q8_0": {"stock": 30.0, "precise": 5.5, "fast": 4.4},
        "shared_prefix": {"stock": 200.0, "precise": 38.0, "fast": 30.0},
        "separate_prefixes": {"stock": 150.0, "precise": 45.0, "fast": 36.0},
    },
    operations=dict.fromkeys(("attention_8k", "attention_8k_q8_0", "shared_prefix", "separate_prefixes"), 60.0),
    peaks={"precise": 15.0, "fast": 20.0},
    steps={"decode_depth_0": {"stock": 0.050, "precise": 0.040, "fast": 0.025}},
)


def test_a_factored_case_counts_the_form_of_fewer_operations_and_its_queries_lie_in_the_columns_of_its_keys() -> None:
    small, large = (Case("any", queries, 8192, factored=True) for queries in (8, 512))
    assert small.operations == Case("any", 8, 8192).operations
    assert large.operations == 2.0 * 64 * ((128 + 64 + 128) * 512 * 8192 + 2 * 128 * 512 * 8192)
    what = mla_case.data(Case("any", 3, 5, factored=True))
    assert what.matrices is not None
    latent, keys = what.queries[:, 0, :512].T, what.matrices.keys[0]
    left = latent - keys @ np.linalg.lstsq(keys, latent, rcond=None)[0]
    assert np.linalg.norm(left) < 1e-4 * np.linalg.norm(latent)
    assert what.read(np.ones((3, 64, 512), np.float32)).shape == (3, 64, 128)


def test_attention_of_a_prompt_is_what_a_step_takes_longer() -> None:
    steps = {
        "step_prefill_512_depth_0": {"stock": 3.0, "fast": 2.5, "precise": 3.0},
        "step_prefill_512_depth_8k": {"stock": 18.0, "fast": 5.0, "precise": 2.9},
    }
    found = mla_figures.figures(Measured({}, {}, {}, steps))
    assert found["step_prefill_512_attention_vs_stock"] == 6
    assert "step_prefill_512_attention_vs_stock_precise" not in found


def test_ratios_and_their_bounds() -> None:
    found = mla_figures.figures(MEASURED)
    assert found["attention_8k_vs_stock"] == 5
    assert found["attention_8k_vs_stock_precise"] == 4
    assert found["attention_8k_vs_ik"] == 2.5
    assert found["attention_8k_bound_vs_stock"] == pytest.approx(20 / 3)
    assert found["peak_share_attention_8k"] == 0.75
    assert found["q8_vs_f16_time"] == pytest.approx(1.1)
    assert found["decode_depth_0_vs_stock"] == pytest.approx(2)
    assert found["decode_depth_0_ms_fast"] == pytest.approx(25)
    assert not any(name.startswith("attention_8k_q8_0_vs_ik") for name in found)


def test_separate_prefixes_count_by_the_quicker_way() -> None:
    """Together they take 36, one after the other 8 times 4: a shared prefix isn't praised for a slow way that nobody has to take."""
    found = mla_figures.figures(MEASURED)
    assert found["shared_prefix_vs_separate"] == pytest.approx(32 / 30)
    assert found["shared_prefix_vs_separate_precise"] == pytest.approx(40 / 38)
    assert found["shared_prefix_vs_stock_separate"] == 5


def test_tables_have_a_dash_for_what_was_not_measured() -> None:
    found = mla_figures.figures(MEASURED)
    rows = list(mla_tables.operations(MEASURED.times, found))
    assert len({row.count("|") for row in rows}) == 1
    assert rows[2].startswith("| attention_8k | 20,000 | 10,000 | 5,000 | 4,000 |")
    assert "| 5.00 (6.7) |" in rows[2]
    assert rows[3].split(" | ")[2] == mla_tables.NOTHING
    assert list(mla_tables.steps(MEASURED.steps, found))[2] == "| decode_depth_0 | 50 | – | 40 | 25 | 1.25 | 2.00 |"


def test_the_plot_is_xml_with_a_line_a_series() -> None:
    series = {"a < b": [(256.0, 0.5), (1024.0, 2.0)], "c": [(256.0, 0.1), (1024.0, 0.3)]}
    root = ElementTree.fromstring(mla_plot.svg("title & more", series))
    lines = [element for element in root if element.tag.endswith("polyline")]
    assert len(lines) == 2
    first, last = (tuple(map(float, point.split(","))) for point in lines[0].attrib["points"].split())
    assert last[0] > first[0]
    assert last[1] < first[1]
    assert {"a < b", "title & more", "keys in the cache"} <= {element.text for element in root}


def test_labels_do_not_overlap_and_stay_in_order() -> None:
    places = mla_plot.label_places([100.0, 20.0, 101.0, 99.0])
    assert [places[index] for index in (1, 3, 0, 2)] == sorted(places)
    assert min(np.diff(sorted(places))) >= 17
    assert places[1] == 20
