"""The parts of the experts benchmark that can be wrong unnoticed: its routing, its slice, its peers' formats, its arithmetic."""

from pathlib import Path
from xml.etree import ElementTree

import experts_figures
import experts_kt
import experts_plot
import experts_resident
import experts_route
import experts_slice
import experts_tables
import gguf
import mla_slice
import numpy as np
import pytest
from experts_resident import Times
from experts_route import PUBLISHED, Routing
from experts_slice import Slice
from experts_streamed import Decoded, Found, Point
from mla_slice import BIAS, Shape

from engine.errors import EngineError
from engine.gguf import read_header
from engine.llama import Entry, Llama, Options

SMALL = Shape(
    experts=16, used=2, width=256, heads=2, q_rank=64, kv_rank=64, nope=32, rope=32, value=32, dense=256, expert=64, vocabulary=64, mixed=3
)


def test_a_skewed_router_is_found_in_memory_as_often_as_published() -> None:
    found = dict(experts_route.curve(Routing.SKEWED, 384, 8))
    for share, hits in PUBLISHED[1:]:
        assert found[share] == pytest.approx(hits, abs=0.025)
    assert sum(experts_route.frequencies(384, 8)) == pytest.approx(8)


def test_a_uniform_router_uses_all_experts_alike() -> None:
    for share, hits in experts_route.curve(Routing.UNIFORM, 384, 8):
        assert hits == pytest.approx(share, abs=0.05)


def test_each_layer_has_an_order_of_its_own_and_the_same_each_time() -> None:
    first, again, other = (experts_route.biases(Routing.SKEWED, 384, 8, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(np.sort(first), np.sort(other))


def small(folder: Path) -> Slice:
    what = Slice(folder / "slice.gguf", SMALL)
    mla_slice.make(what.path, what.shape)
    return what


def test_another_routing_changes_the_biases_of_all_layers_and_nothing_else(tmp_path: Path) -> None:
    what = small(tmp_path)
    experts_slice.route(what, Routing.UNIFORM)
    before = what.path.read_bytes()
    experts_slice.route(what, Routing.SKEWED)
    after = what.path.read_bytes()
    tensors = [tensor for tensor in read_header(what.path).tensors if tensor.name.endswith(BIAS)]
    changed = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))
    places = {index // 4 * 4 for index in changed.tolist()}
    assert places == {tensor.offset + 4 * expert for tensor in tensors for expert in range(SMALL.experts)}
    for layer, tensor in enumerate(tensors):
        held = np.frombuffer(after, np.float32, SMALL.experts, tensor.offset)
        assert np.array_equal(held, experts_route.biases(Routing.SKEWED, SMALL.experts, SMALL.used, layer))
    assert not mla_slice.make(what.path, what.shape)


def test_biases_are_not_written_into_a_file_with_other_layers(tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    mla_slice.make(path, Shape(**{**vars(SMALL), "mixed": 2}))
    with pytest.raises(EngineError, match="2 layers have biases, not 3"):
        experts_slice.route(Slice(path, SMALL), Routing.SKEWED)


def test_a_slice_of_several_layers_loads_and_its_sizes_add_up(tmp_path: Path) -> None:
    what = small(tmp_path)
    assert what.expert_bytes == 3 * 256 * 64 // 32 * 18
    assert what.experts_bytes == what.expert_bytes * 16 * 3
    assert what.bytes == pytest.approx(what.path.stat().st_size, rel=0.02)
    with Llama(what.path, Options(cells=256)) as llama:
        llama.decode([Entry(token, token, 0, token == 30) for token in range(31)])
        assert 0.3 < float(llama.logits(30).std()) < 3


def test_the_slice_of_one_layer_is_the_one_that_there_was() -> None:
    """Files that lie in users' cache folders are used again."""
    assert mla_slice.digest(Shape()) == "9f734befeb5de1f719a0a7bcbcfe86d0aed0d8f574bc72864782fbe667dadc0e"


def test_the_real_slice_is_larger_than_memory_of_24_gib() -> None:
    what = experts_slice.slice_at(Path("any"))
    assert what.experts_bytes == 4 * 384 * 24_772_608
    assert 39e9 < what.bytes < 41e9
    assert experts_figures.token_bytes(what) == 4 * 8 * 24_772_608


def test_kt_kernels_weights_are_the_same_numbers() -> None:
    blocks = gguf.quants.quantize(np.random.default_rng(0).standard_normal((4, 96), np.float32), gguf.GGMLQuantizationType.Q4_0)
    packed, scales = experts_kt.converted(blocks.reshape(4, 3, 18))
    assert packed.shape == (4, 48)
    values = np.stack([packed & 15, packed >> 4], axis=-1).reshape(4, 96).astype(np.int8) - 8
    weights = values.reshape(4, 3, 32) * experts_kt.widened(scales)[..., None]
    right = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType.Q4_0)
    assert np.allclose(weights.reshape(4, 96), right, rtol=2**-8)


@pytest.mark.parametrize(("value", "bits"), [(1.0, 0x3F80), (-2.5, 0xC020), (1.00390625, 0x3F80), (1.01171875, 0x3F82), (1.005, 0x3F81)])
def test_bf16_is_rounded_to_the_nearest_and_in_the_middle_to_the_even(value: float, bits: int) -> None:
    assert experts_kt.rounded(np.array([value], np.float32)).tolist() == [bits]


def test_times_in_memory_become_ratios_to_stocks_better_way_and_shares_of_the_rate() -> None:
    times = Times(
        {1: {"repacked": 0.02, "plain": 0.03, "ours": 0.01}}, {1: {"kt": 0.05, "ours": 0.01}}, {1: 8.0}, {1: 8.0}, 384, 25_000_000, 40e9
    )
    found = experts_figures.resident(times, 40e9)
    assert found["moe_batch1_vs_stock"] == 2
    assert found["moe_batch1_gb_s_ours"] == pytest.approx(20)
    assert found["moe_batch1_bandwidth_share"] == pytest.approx(0.5)
    assert found["moe_batch1_vs_kt"] == 5
    rows = list(experts_tables.resident(times, found))
    assert rows[2] == "| 1 | 20 | 30 | 10 | 20.0 | 2.00 | 50% |"
    assert rows[-1] == "| 1 | 4.0 | 20.0 | 5.00 |"


FOUND = Found(
    load={"ours": 2.0, "mapped": 30.0},
    decoded={"ours": Decoded(0.1, 60e6, 0.9, 50e6), "mapped": Decoded(0.4, 300e6), "ik": Decoded(0.2, 300e6)},
    prefill={"ours": 50.0, "mapped_512": 300.0, "mapped_2048": 125.0},
    streams=Decoded(0.05, 30e6, 0.95, 25e6),
    again=0.06,
    points={"ours": [Point(0.4, Decoded(0.1, 60e6, 0.9, 50e6)), Point(0.06, Decoded(0.5, 500e6, 0.4, 480e6))]},
    reading=0.9e9,
)


def test_tokens_become_ratios_and_shares_of_what_drive_and_processor_allow() -> None:
    found = experts_figures.streamed({Routing.SKEWED: FOUND, Routing.UNIFORM: FOUND}, 1e9)
    assert found["streamed_decode_vs_mmap"] == found["streamed_decode_vs_mmap_uniform"] == 4
    assert found["streamed_decode_vs_ik_prefetch"] == 2
    assert found["streamed_load_s"] == 2
    assert found["streamed_decode_of_drive"] == pytest.approx(0.5)
    assert found["streamed_decode_of_possible"] == pytest.approx(0.6)
    assert found["streams8_reads_a_token"] == 0.5
    assert found["streamed_prefill2048_vs_mmap"] == 2.5
    assert found["streamed_prefill2048_vs_mmap_512"] == 6
    assert found["streamed_reader_of_drive"] == pytest.approx(0.9)


def test_what_was_not_measured_has_no_figure_and_a_dash() -> None:
    found = Found(load={"ours": 2.0}, decoded={"ours": Decoded(0.1, None)})
    said = experts_figures.streamed({Routing.UNIFORM: found}, 0.0)
    assert said == {"streamed_decode_tokens_s_ours_uniform": 10, "streamed_load_s_uniform": 2}
    assert list(experts_tables.streamed({Routing.UNIFORM: found}))[2] == "| uniform | kimicode | 10.00 | – | – | 2 | – |"


def test_tables_have_one_width_and_show_both_prompts() -> None:
    rows = list(experts_tables.streamed({Routing.SKEWED: FOUND}))
    assert len({row.count("|") for row in rows}) == 1
    assert "| 300 or 125 |" in rows[3]
    what = experts_slice.slice_at(Path("any"))
    lines = list(experts_tables.curve({Routing.SKEWED: FOUND}, what))
    assert lines[3] == "| 6% | skewed | kimicode | 0.480 | 0.500 |"
    assert len(lines) == 2 + 2 + len(PUBLISHED)


def test_the_plot_has_a_diagram_of_bytes_and_one_of_time() -> None:
    read = {"a < b": [(0.06, 0.5), (0.24, 0.1)], "published": [(0.06, 0.4), (0.48, 0.05)]}
    root = ElementTree.fromstring(experts_plot.svg("title & more", read, {"a < b": [(0.06, 0.7), (0.24, 0.2)]}))
    texts = {element.text for element in root}
    assert {"a < b", "published", "title & more", "GB read a token", "seconds a token"} <= texts
    assert sum(element.tag.endswith("circle") for element in root) == 6


def test_a_layers_choices_are_distinct_experts_and_counted(tmp_path: Path) -> None:
    case = experts_resident.write_case(tmp_path, 64, 16, 8, few=False)
    ids = np.fromfile(case.folder / "ids", np.int32).reshape(case.sets, 8, experts_resident.USED)
    assert all(len(set(row)) == experts_resident.USED for chosen in ids.tolist() for row in chosen)
    assert 8 <= case.distinct <= 16
