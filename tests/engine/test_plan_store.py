"""Plans with the engine's own store of experts: who gets it, how much memory, what goes where with GPUs, how fast that is."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import known, plan_text
from engine.expert_speed import bytes_read, layers_beside
from engine.hits import union
from engine.layout import GPU_SHARE, SECTOR, STORE, Experts, ExpertWish, Layout, arrange, place_bytes
from engine.machine import EXPERT_ROWS, Disk, ExpertPace, Gpu, Hit, Machine, Memory, Rate
from engine.outlook import Wishes, longest_context, outlook
from engine.plan import Plan, plan
from engine.shapes import Amount, ModelShape
from engine.speed import EXPECTED, STREAMS, cases, speed

GIB = 1 << 30
K26 = known.find("kimi-k2.6")
Q2 = known.find("kimi-k2.6:UD-Q2_K_XL")
NANO = known.find("kimi-nano")
TIED = replace(K26, head=Amount())
MAPPED = ExpertWish(Experts.MAPPED)


def told(value: float) -> Rate:
    return Rate(value, "told", "by the test")


PACE = ExpertPace("Q4_0", (told(60e9), told(50e9), told(25e9), told(8e9)))


def computer(ram: float, *, gpu: float = 0, gpus: int = 1, rate: float = 70e9, disk: float = 7e9, store: bool = True) -> Machine:
    cards = tuple(Gpu(f"CUDA{n}", "a card", int(gpu * GIB), int(gpu * GIB), told(1e12)) for n in range(gpus)) if gpu else ()
    memory = Memory(int(ram * GIB), int(max(0, ram - 2) * GIB))
    there = Disk(Path("/models"), 1 << 41, told(disk))
    return Machine("a CPU", 32, 1, memory, told(rate), told(rate * 15), there, cards, store=store, experts=PACE)


def layout_of(machine: Machine, model: ModelShape = K26, context: int = 32_768, experts: ExpertWish | None = None) -> Layout:
    return arrange(model, machine, context, "f16", 512, experts or ExpertWish())


def sent_away(model: ModelShape, layout: Layout) -> set[int]:
    """The layers whose experts the overrides send to the store."""
    names = {index: f"blk.{index}.ffn_down_exps.weight" for index, layer in enumerate(model.layers) if layer.experts.bytes}
    found = {index for index, name in names.items() for pattern, _ in layout.placement.tensor_overrides if re.search(pattern, name)}
    assert {device for _, device in layout.placement.tensor_overrides} <= {STORE}
    return found


def test_the_store_gets_what_the_others_leave() -> None:
    layout = layout_of(computer(128))
    left = layout.budget - (layout.ram.bytes - layout.ram.experts)
    assert layout.placement.expert_memory is not None
    assert left - place_bytes(K26) < layout.placement.expert_memory <= left
    places = layout.placement.expert_memory // place_bytes(K26)
    assert layout.placement.expert_memory == places * place_bytes(K26)
    assert layout.resident == pytest.approx(places / (60 * 384))
    assert layout.ram.experts + layout.disk == K26.routed.bytes
    assert layout.placement.tensor_overrides == (), "without GPUs llama.cpp asks the store's device first"
    assert layout.missing == 0


def test_a_place_is_an_expert_and_the_sectors_around_its_parts() -> None:
    assert place_bytes(K26) == 3 * 2048 * 7168 * 18 // 32 + 6 * SECTOR
    assert place_bytes(replace(NANO, layers=())) == 6 * SECTOR


def test_all_experts_have_a_place_where_there_is_room() -> None:
    layout = layout_of(computer(768))
    assert layout.placement.expert_memory == 60 * 384 * place_bytes(K26)
    assert (layout.disk, layout.resident) == (0, 1.0)


def test_who_gets_a_store() -> None:
    assert layout_of(computer(128, store=False)).placement.expert_memory is None
    assert layout_of(computer(128), experts=MAPPED).placement.expert_memory is None
    assert layout_of(computer(16), NANO, 4096).placement.expert_memory is None, "under a GiB of experts"
    small = layout_of(computer(16), NANO, 4096, ExpertWish(Experts.STORE))
    assert small.placement.expert_memory is not None
    assert small.disk == 0
    assert layout_of(computer(16, store=False), NANO, 4096, ExpertWish(Experts.STORE)).placement.expert_memory is None


def test_mapped_experts_are_placed_as_without_a_store() -> None:
    for machine in (computer(128), computer(128, gpu=24), computer(768, gpu=96)):
        assert layout_of(machine, experts=MAPPED) == layout_of(replace(machine, store=False))


def test_a_store_takes_no_more_than_it_may_and_no_less_than_it_needs() -> None:
    assert layout_of(computer(128), experts=ExpertWish(most=10 * GIB)).placement.expert_memory == 10 * GIB // place_bytes(
        K26
    ) * place_bytes(K26)
    assert layout_of(computer(128), experts=ExpertWish(most=0)).placement.expert_memory == 8 * place_bytes(K26)
    assert layout_of(computer(128), experts=ExpertWish(most=900 * GIB)) == layout_of(computer(128))


def test_a_store_runs_with_a_few_places() -> None:
    rest = layout_of(computer(128)).ram
    needed = rest.bytes - rest.experts + 8 * place_bytes(K26)
    enough = next(ram for ram in range(8, 64) if layout_of(computer(ram)).missing == 0)
    assert layout_of(computer(enough)).budget >= needed > layout_of(computer(enough - 1)).budget
    short = layout_of(computer(enough - 1))
    assert short.missing == needed - short.budget
    assert layout_of(computer(enough), experts=MAPPED).missing > 0, "mapped, one token's experts must fit"


def test_with_a_gpu_the_store_keeps_the_experts_of_its_layers() -> None:
    layout = layout_of(computer(128, gpu=24))
    assert layout.placement.gpu_layers == len(K26.layers) + 1
    assert sent_away(K26, layout) == set(range(1, 61))
    assert layout.placement.gpu_experts == ()
    assert layout.ram.kv == layout.ram.workspace == layout.ram.dense_read == 0
    assert layout.placement.expert_memory is not None
    assert layout.placement.expert_memory <= layout.budget - layout.ram.dense


@pytest.mark.parametrize("gpus", [1, 2, 4])
def test_experts_of_a_layer_are_on_a_gpu_or_in_the_store_never_both(gpus: int) -> None:
    layout = layout_of(computer(256, gpu=80, gpus=gpus))
    kept = set(layout.placement.gpu_experts)
    assert kept
    assert sent_away(K26, layout) == set(range(1, 61)) - kept
    assert layout.gpu.experts == sum(K26.layers[index].experts.bytes for index in kept)
    assert layout.gpu.experts + layout.ram.experts + layout.disk == K26.routed.bytes
    assert layers_beside(K26, layout).layers == 60 - len(kept)
    assert layers_beside(K26, layout).expert_bytes == pytest.approx(K26.routed.bytes / 60 / 384)


def test_a_small_gpu_leaves_all_experts_to_the_store() -> None:
    layout = layout_of(computer(128, gpu=6))
    assert 1 < layout.placement.gpu_layers < len(K26.layers)
    assert sent_away(K26, layout) == set(range(1, 61)), "also those of layers that are on no GPU"


def test_a_model_on_gpus_needs_no_store() -> None:
    layout = layout_of(computer(128, gpu=200, gpus=4))
    assert layout.gpu.experts == K26.routed.bytes
    assert (layout.placement.expert_memory, layout.placement.tensor_overrides) == (None, ())


def test_a_gpu_that_shares_memory_holds_the_whole_model_or_nothing() -> None:
    card = Gpu("MTL0", "shared", 400 * GIB, 400 * GIB, told(800e9), unified=True)
    whole = layout_of(replace(computer(512), gpus=(card,)), Q2)
    assert whole.placement.expert_memory is None
    assert whole.placement.gpu_experts == tuple(range(1, 61))
    part = layout_of(replace(computer(512), gpus=(card,)), K26)
    assert part.placement.gpu_layers == 0
    assert part.placement.expert_memory is not None


def test_tied_embeddings_are_in_memory_and_again_on_the_gpu() -> None:
    layout = layout_of(computer(128, gpu=24), TIED)
    assert layout.gpu.dense + layout.ram.dense == TIED.dense.bytes + TIED.embedding.bytes
    alone = layout_of(computer(128), TIED)
    assert alone.ram.dense == TIED.dense.bytes
    assert alone.ram.dense_read == TIED.dense.bytes - TIED.other.bytes


def test_layers_of_different_sizes_get_places_of_the_largest() -> None:
    small, large = K26.layers[1], replace(K26.layers[2], experts=Amount(K26.layers[2].experts.weights, K26.layers[2].experts.bytes * 2))
    mixed = replace(K26, layers=(K26.layers[0], *[small] * 30, *[large] * 30))
    layout = layout_of(computer(128), mixed)
    assert layout.placement.expert_memory is not None
    assert place_bytes(mixed) > 1.99 * place_bytes(K26)
    assert layout.resident == pytest.approx(layout.placement.expert_memory // place_bytes(mixed) / (60 * 384))


@given(
    ram=st.floats(1, 1200),
    gpu=st.one_of(st.just(0.0), st.floats(1, 200)),
    gpus=st.integers(1, 4),
    context=st.integers(1, 262_144),
    most=st.one_of(st.none(), st.integers(0, 1 << 40)),
    model=st.sampled_from((K26, Q2, TIED)),
)
@settings(max_examples=60, deadline=None)
def test_no_byte_is_lost_and_no_memory_overflows(
    ram: float, gpu: float, gpus: int, context: int, most: int | None, model: ModelShape
) -> None:
    layout = arrange(model, computer(ram, gpu=gpu, gpus=gpus), context, "f16", 512, ExpertWish(most=most))
    assert layout.gpu.experts + layout.ram.experts + layout.disk == model.routed.bytes
    assert layout.gpu.bytes <= gpus * gpu * GIB * GPU_SHARE + 1
    memory = layout.placement.expert_memory
    assert (memory is None) == (layout.gpu.experts == model.routed.bytes)
    if memory is not None and not layout.missing:
        assert layout.ram.bytes - layout.ram.experts + memory <= layout.budget
        assert layout.ram.experts <= memory
    assert min(layout.ram.experts, layout.disk, layout.missing) >= 0


@given(ram=st.floats(32, 900), more=st.floats(0, 300), gpu=st.sampled_from((0, 24, 96)))
@settings(max_examples=15, deadline=None)
def test_more_memory_is_never_slower(ram: float, more: float, gpu: float) -> None:
    wishes = Wishes(context=8192, kv_type="q8_0")
    less, greater = (speed_of(computer(size, gpu=gpu), wishes) for size in (ram, ram + more))
    assert greater >= less * 0.999


def speed_of(machine: Machine, wishes: Wishes) -> float:
    layout = arrange(K26, machine, wishes.context or 4096, "q8_0", 512, wishes.experts)
    return 0.0 if layout.missing else speed(K26, machine, layout, 4096).decode.expected


def test_a_token_takes_its_dense_bytes_its_experts_and_what_is_missing() -> None:
    machine = replace(computer(768), hits=())
    layout = layout_of(machine)
    factors = cases(machine, layout)[1]
    found = 1 / speed(K26, machine, layout, 1).decode.expected
    dense = layout.ram.dense_read / (70e9 * factors.memory)
    experts = K26.routed.bytes * K26.used / (60e9 * EXPECTED.experts)
    attention = 2 * 61 * 64 * (576 + 512) / (70e9 * 15 * EXPECTED.attend_one)
    assert found == pytest.approx(dense + experts + attention + 61 * EXPECTED.layer_seconds)


def test_from_disk_a_token_takes_the_reads_and_a_product_a_layer() -> None:
    machine = replace(computer(128, disk=1e9), hits=(Hit(0.2, 0.2, "equal use"),))
    layout = layout_of(machine)
    all_there = replace(layout, ram=replace(layout.ram, experts=K26.routed.bytes), disk=0)
    more = 1 / speed(K26, machine, layout, 1).decode.expected - 1 / speed(K26, machine, all_there, 1).decode.expected
    expert = K26.routed.bytes / 60 / 384
    reads = 60 * 8 * (1 - layout.resident) * expert / (1e9 * EXPECTED.store_disk)
    products = 60 * 7 * expert / (60e9 * EXPECTED.experts)
    assert more == pytest.approx(reads - products, rel=0.01), "all but one product hide behind reads"


def test_the_store_is_faster_than_mapping_where_experts_are_on_disk() -> None:
    for ram in (64, 128, 256):
        store = outlook(K26, computer(ram), Wishes(context=8192))
        mapped = outlook(K26, computer(ram), Wishes(context=8192, experts=MAPPED))
        assert store.decode > 1.5 * mapped.decode


def test_what_was_counted_decides_how_fast_it_is() -> None:
    machine = computer(128)
    share = layout_of(machine).resident
    good, bad = (replace(machine, hits=(Hit(share, rate, "counted"),)) for rate in (0.9, 0.2))
    assert outlook(K26, good, Wishes()).decode > 2 * outlook(K26, bad, Wishes()).decode
    figure = next(figure for figure in plan(K26, good, Wishes()).figures if figure.name == "experts found in memory")
    assert figure.basis == "measured"


def test_answers_together_read_less_each() -> None:
    machine = computer(128)
    layout = layout_of(machine)
    found = speed(K26, machine, layout, 4096)
    assert found.together.expected > found.decode.expected
    assert found.together.low < found.together.expected < found.together.high
    beside = layers_beside(K26, layout)
    assert bytes_read(beside, STREAMS, 0.5) / bytes_read(beside, 1, 0.5) == pytest.approx(union(384, 8, STREAMS) / 8 / STREAMS)


def test_prompts_from_disk_are_read_in_larger_batches_while_answers_stay_as_fast() -> None:
    planned = outlook(K26, computer(256), Wishes(context=32_768))
    first = speed(K26, computer(256), layout_of(computer(256)), 32_768)
    assert planned.layout.placement.batch > 512
    assert planned.speeds[-1].prefill.expected > first.prefill.expected
    assert planned.speeds[-1].decode.expected >= 0.95 * first.decode.expected
    assert outlook(K26, computer(768), Wishes(context=32_768)).layout.placement.batch <= 4096


def test_the_longest_context_leaves_one_token_s_experts() -> None:
    machine = computer(40)
    longest = longest_context(K26, machine, "f16")
    assert layout_of(machine, context=longest).resident >= K26.used
    assert layout_of(machine, context=longest + 400).resident < K26.used


def test_kernels_that_were_not_measured_are_bound_by_memory_and_computing() -> None:
    machine = replace(computer(768), experts=None)
    layout = layout_of(machine)
    factors = cases(machine, layout)[1]
    found = 1 / speed(K26, machine, layout, 1).decode.expected
    attention = 2 * 61 * 64 * (576 + 512) / (70e9 * 15 * EXPECTED.attend_one)
    read = (layout.ram.dense_read + K26.routed.bytes * K26.used) / (70e9 * factors.memory)
    assert found == pytest.approx(read + attention + 61 * EXPECTED.layer_seconds)


def plan_of(machine: Machine, experts: ExpertWish | None = None) -> Plan:
    return plan(K26, machine, Wishes(experts=experts or ExpertWish()), known.siblings(K26))


def test_the_plan_says_what_the_store_gets_and_what_it_rests_on() -> None:
    answer = plan_of(computer(128))
    figures = {figure.name: figure for figure in answer.figures}
    assert figures["experts, 1 row"].value == "60 GB/s"
    assert figures[f"experts, {EXPERT_ROWS[-1]} rows"].value == f"{8e9 * 2 * 128 / 0.5625 / 1e9:,.0f} GFLOP/s"
    assert figures["share of disk's rate used"].value == "92% (80% to 100%)"
    assert figures["experts found in memory"].basis == "assumed"
    assert "engine's store of routed experts" in plan_text.text(answer)
    assert "`kimicode engine bench` counts it" in answer.why
    report = json.loads(plan_text.as_json(answer))
    assert report["placement"]["expert_memory"] == answer.placement.expert_memory
    assert report["speeds"][0]["together"]["expected"] > 0


def test_the_plan_of_mapped_experts_has_nothing_of_the_store() -> None:
    answer = plan_of(computer(128), MAPPED)
    names = {figure.name for figure in answer.figures}
    assert not {name for name in names if name.startswith("experts, ")}
    assert "engine's store" not in plan_text.text(answer)
    assert json.loads(plan_text.as_json(answer))["placement"]["expert_memory"] is None


def test_what_was_counted_and_measured_makes_a_plan_more_certain() -> None:
    share = layout_of(computer(128)).resident
    assert plan_of(replace(computer(128), hits=(Hit(share, 0.6, "counted"),))).confidence == "medium"
    assert plan_of(computer(128)).confidence == "low"
    assert plan_of(computer(768)).confidence == "medium"


def test_a_machine_that_is_too_small_says_what_it_lacks() -> None:
    assert "all but the routed experts, cache and a few of the routed experts" in plan_of(computer(12)).problems[0]


@pytest.mark.parametrize("machine", [computer(12), computer(64), computer(128, gpu=24), computer(768, gpu=96), computer(768)])
def test_the_text_fits_the_page(machine: Machine) -> None:
    assert max(map(len, plan_text.text(plan_of(machine)).splitlines())) <= 100
