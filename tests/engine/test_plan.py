"""Plans on pretended machines: nothing is lost, nothing overflows, more of anything is never worse, published runs lie in the range."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from engine import advice, fit, known, plan_text
from engine.attention_rate import scale
from engine.layout import CPU, GPU_SHARE, arrange
from engine.machine import Disk, Gpu, Kernels, Machine, Memory, Pace, Rate
from engine.measure import Remembered
from engine.outlook import Wishes, longest_context, outlook
from engine.plan import Plan, plan
from engine.plan_command import plan as command
from engine.shapes import ModelShape, Precision, from_hyperparameters
from engine.speed import EXPECTED, cases, speed
from tests.engine import tinygguf

GIB = 1 << 30
K26 = known.find("kimi-k2.6")
Q2 = known.find("kimi-k2.6:UD-Q2_K_XL")
NANO = known.find("kimi-nano")


def told(value: float) -> Rate:
    return Rate(value, "told", "by the test")


def computer(
    ram: float,
    *,
    rate: float = 70e9,
    disk: float = 7e9,
    gpu: float = 0,
    gpus: int = 1,
    cpus: int = 32,
    compute: float = 0,
    free: int = 1 << 41,
) -> Machine:
    """A machine with `ram` GiB of memory, all but 2 of it free, and GPUs of `gpu` GiB each."""
    cards = tuple(Gpu(f"CUDA{n}", "a card", int(gpu * GIB), int(gpu * GIB), told(1e12)) for n in range(gpus)) if gpu else ()
    memory = Memory(int(ram * GIB), int(max(0, ram - 2) * GIB))
    return Machine("a CPU", cpus, 1, memory, told(rate), told(compute or rate * 15), Disk(Path("/models"), free, told(disk)), cards)


def tensor_names(model: ModelShape) -> list[str]:
    names = ["token_embd.weight", "output.weight", "output_norm.weight"]
    for index, layer in enumerate(model.layers):
        kinds = ("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps", "ffn_gate_shexp", "exp_probs_b") if layer.experts.bytes else ("ffn_gate",)
        names += [f"blk.{index}.{name}.weight" for name in (*kinds, "attn_output", "ffn_norm")]
    return names


def plan_for(model: ModelShape, machine: Machine, wishes: Wishes | None = None) -> Plan:
    return plan(model, machine, wishes or Wishes(), known.siblings(model))


def test_everything_in_memory() -> None:
    layout = arrange(K26, computer(768), 131_072, "f16", 512)
    assert (layout.disk, layout.missing, layout.resident) == (0, 0, 1.0)
    assert layout.ram.experts == K26.routed.bytes
    assert layout.ram.dense == K26.dense.bytes
    assert layout.ram.kv == 131_072 * 70_272
    assert layout.placement.gpu_layers == 0
    assert layout.placement.tensor_overrides == ()


def test_what_memory_can_not_hold_stays_in_the_file() -> None:
    layout = arrange(K26, computer(128), 32_768, "f16", 512)
    assert layout.ram.bytes == layout.budget
    assert layout.ram.experts + layout.disk == K26.routed.bytes
    assert 0.15 < layout.resident < 0.22


def test_a_gpu_takes_all_but_the_routed_experts_first() -> None:
    layout = arrange(K26, computer(768, gpu=16), 32_768, "q8_0", 512)
    assert layout.placement.gpu_layers == len(K26.layers) + 1
    assert layout.gpu.kv == 32_768 * 37_332
    assert layout.gpu.experts == 0
    assert layout.ram.kv == 0
    assert layout.ram.dense_read == 0, "of the embeddings only a row is read"
    (pattern, device) = layout.placement.tensor_overrides[0]
    assert device == CPU
    assert {name for name in tensor_names(K26) if re.search(pattern, name)} == {name for name in tensor_names(K26) if "_exps" in name}


def test_a_large_gpu_takes_whole_layers_of_experts_and_the_overrides_name_the_others() -> None:
    layout = arrange(K26, computer(768, gpu=96), 32_768, "q8_0", 512)
    held = layout.gpu.experts // K26.layers[-1].experts.bytes
    assert held == 8
    ((pattern, _),) = layout.placement.tensor_overrides
    there = [name for name in tensor_names(K26) if "_exps" in name and not re.search(pattern, name)]
    assert len(there) == held * 3
    assert not [name for name in tensor_names(K26) if "_exps" not in name and re.search(pattern, name)]


def test_a_small_gpu_takes_the_last_layers_with_their_cache() -> None:
    layout = arrange(K26, computer(768, gpu=6), 32_768, "f16", 512)
    assert 1 < layout.placement.gpu_layers < len(K26.layers)
    share = (layout.placement.gpu_layers - 1) / len(K26.layers)
    assert layout.gpu_share == share
    assert layout.gpu.kv == pytest.approx(32_768 * 70_272 * share, rel=1e-6)
    assert layout.gpu.kv + layout.ram.kv == 32_768 * 70_272
    assert layout.gpu.dense + layout.ram.dense == K26.dense.bytes


def test_a_model_that_fits_on_the_gpu_needs_no_overrides() -> None:
    layout = arrange(NANO, computer(16, gpu=8), 4096, "f16", 512)
    assert layout.placement.tensor_overrides == ()
    assert layout.gpu.experts == NANO.routed.bytes
    assert layout.disk == 0


def test_a_gpu_that_shares_the_machine_s_memory_does_not_count_twice() -> None:
    card = Gpu("MTL0", "shared", 400 * GIB, 400 * GIB, told(800e9), unified=True)
    whole = arrange(Q2, replace(computer(512), gpus=(card,)), 32_768, "f16", 512)
    assert whole.gpu.experts == Q2.routed.bytes
    assert whole.gpu.bytes + whole.ram.bytes <= 510 * GIB
    small = arrange(K26, replace(computer(512), gpus=(card,)), 32_768, "f16", 512)
    assert small.placement.gpu_layers == 0


@given(
    ram=st.floats(1, 1200),
    gpu=st.one_of(st.just(0.0), st.floats(1, 200)),
    gpus=st.integers(1, 4),
    context=st.integers(1, 262_144),
    batch=st.sampled_from((512, 4096)),
    model=st.sampled_from((K26, Q2, NANO)),
)
@settings(max_examples=60, deadline=None)
def test_no_byte_is_lost_and_no_memory_overflows(ram: float, gpu: float, gpus: int, context: int, batch: int, model: ModelShape) -> None:
    machine = computer(ram, gpu=gpu, gpus=gpus)
    layout = arrange(model, machine, context, "f16", batch)
    assert layout.gpu.experts + layout.ram.experts + layout.disk == model.routed.bytes
    assert layout.gpu.dense + layout.ram.dense == model.dense.bytes
    assert layout.gpu.kv + layout.ram.kv == context * model.kv_bytes("f16")
    assert layout.gpu.bytes <= gpus * gpu * GIB * GPU_SHARE + 1
    assert layout.missing or layout.ram.bytes <= layout.budget
    assert min(layout.gpu.experts, layout.ram.experts, layout.disk, layout.gpu.kv, layout.ram.kv) >= 0


@given(ram=st.floats(32, 900), more=st.floats(0, 300), gpu=st.sampled_from((0, 24, 96)))
@settings(max_examples=25, deadline=None)
def test_more_memory_is_never_slower_and_never_shorter(ram: float, more: float, gpu: float) -> None:
    less, greater = computer(ram, gpu=gpu), computer(ram + more, gpu=gpu)
    wishes = Wishes(context=8192, kv_type="q8_0")
    assert outlook(K26, greater, wishes).decode >= outlook(K26, less, wishes).decode * 0.999
    assert outlook(K26, less, wishes).layout.missing >= outlook(K26, greater, wishes).layout.missing


def test_a_longer_context_is_slower() -> None:
    speeds = plan_for(K26, computer(768)).outlook.speeds
    assert [speed.context for speed in speeds] == [4_096, 32_768, 131_072]
    assert sorted((speed.decode.expected for speed in speeds), reverse=True) == [speed.decode.expected for speed in speeds]
    assert all(speed.decode.low < speed.decode.expected < speed.decode.high for speed in speeds)
    assert all(speed.prefill.low < speed.prefill.expected < speed.prefill.high for speed in speeds)


def test_published_runs_lie_in_the_range() -> None:
    def holds(published: float, model: ModelShape, machine: Machine) -> bool:
        decode = outlook(model, machine, Wishes(context=8192)).speeds[0].decode
        return decode.low <= published <= decode.high

    # Kimi-K2 at 2.892 bits a weight on one EPYC 9965 socket that reads 275 GB/s: 13.95 without context, 12.1 at 8k.
    assert holds(
        13.0, from_hyperparameters("IQ2_KL", known.K2, Precision(2.892, 2.892, 2.892)), computer(768, rate=275e9, cpus=192, compute=15e12)
    )
    # Kimi-K2 Q4_K_XL on two EPYC 9355 and one card of 96 GB, with llama.cpp: 22.05.
    assert holds(22.05, K26, computer(1100, rate=800e9, gpu=96, cpus=64, compute=8e12))
    # A 2.7-bit model of 238 GiB on 96 GB of memory, a card of 24 GB and a PCIe 5.0 drive: about 3.
    assert holds(3.0, replace(Q2, layers=Q2.layers[:43]), computer(96, rate=70e9, disk=12e9, gpu=24))


def test_many_cpus_get_less_of_the_memory_s_rate_than_few() -> None:
    layout = arrange(K26, computer(768), 4096, "f16", 512)
    assert cases(computer(768, cpus=8), layout)[1].memory > cases(computer(768, cpus=64), layout)[1].memory


KERNELS = Kernels(Pace(told(800e9), told(1000e9)), Pace(told(50e9), told(60e9)))


def seconds_of_attention(model: ModelShape, machine: Machine, context: int) -> tuple[float, float]:
    """Of a token of a prompt, and of an answer, as expected: what a context costs beyond a short one."""
    layout = arrange(model, machine, 4096, "f16", 512)
    near, far = speed(model, machine, layout, 512), speed(model, machine, layout, context)
    return 1 / far.prefill.expected - 1 / near.prefill.expected, 1 / far.decode.expected - 1 / near.decode.expected


def test_attention_takes_as_long_as_its_kernels_were_measured_to_take() -> None:
    machine = replace(computer(768), kernels=KERNELS)
    prefill, decode = seconds_of_attention(K26, machine, 100_512)
    operations = 61 * 2 * 64 * 100_000 * (576 + 512)
    assert decode == pytest.approx(operations / (800e9 * EXPECTED.kernels))
    assert prefill == pytest.approx(operations / 2 / (1000e9 * EXPECTED.kernels))


def test_a_small_model_has_one_thread_and_few_heads() -> None:
    prefill, decode = seconds_of_attention(NANO, replace(computer(16), kernels=KERNELS), 3584)
    shape = NANO.attention
    operations = len(NANO.layers) * 2 * shape.heads * 3072 * (shape.cell + shape.latent)
    assert decode == pytest.approx(operations / (50e9 * EXPECTED.kernels * scale(shape.heads, 1)))
    assert prefill == pytest.approx(operations / 2 / (60e9 * EXPECTED.kernels * scale(shape.heads, 512)))


def test_measured_kernels_leave_less_to_guess() -> None:
    def width(machine: Machine) -> float:
        decode = plan_for(K26, machine).outlook.speeds[-1].decode
        return decode.high / decode.low

    own = computer(768, compute=2e12)
    assert width(replace(own, kernels=KERNELS)) < width(own) / 2


def test_the_figures_name_the_kernels_where_they_attend() -> None:
    def named(machine: Machine, model: ModelShape = K26) -> list[str]:
        return [f"{figure.name} {figure.value}" for figure in plan_for(model, machine).figures if figure.name.startswith("attention")]

    own = replace(computer(768), kernels=KERNELS)
    assert named(own) == ["attention, answering 800 GFLOP/s", "attention, reading a prompt 1,000 GFLOP/s"]
    assert named(own, NANO) == ["attention, answering 50 GFLOP/s", "attention, reading a prompt 60 GFLOP/s"]
    assert named(replace(own, gpus=computer(1, gpu=6).gpus)) == [], "with layers on a GPU attention is llama.cpp's own"
    assert named(computer(768)) == []


def test_the_longest_context_keeps_everything_where_it_is() -> None:
    machine = computer(575)
    longest = longest_context(K26, machine, "f16")
    assert 4096 < longest < K26.context
    assert arrange(K26, machine, longest, "f16", 512).disk == 0
    assert arrange(K26, machine, longest + 1, "f16", 512).disk > 0
    assert longest_context(K26, machine, "q8_0") == pytest.approx(longest * 70_272 / 37_332, rel=0.01)


def test_wishes_are_kept() -> None:
    placement = plan_for(K26, computer(768, gpu=24), Wishes(context=10_000, kv_type="q8_0")).placement
    assert (placement.context, placement.kv_type) == (10_000, "q8_0")
    assert plan_for(NANO, computer(16), Wishes(kv_type="q8_0")).placement.kv_type == "q8_0"


def test_experts_from_afar_are_read_in_large_batches() -> None:
    assert plan_for(K26, computer(256, gpu=24)).placement.batch > 512
    assert plan_for(NANO, computer(16)).placement.batch == 512


def test_a_machine_that_is_too_small_says_what_would_do() -> None:
    answer = plan_for(K26, computer(16))
    assert not answer.runs
    assert answer.outlook.speeds == ()
    assert "memory" in answer.problems[0]
    changes = [advice.change for advice in answer.advice]
    assert "a GPU of 16 GiB" in changes
    assert "32 GiB of memory" in changes or "64 GiB of memory" in changes
    assert "a server with 768 GiB of memory" in changes


def test_a_disk_without_room_is_a_problem_unless_the_model_is_here() -> None:
    answer = plan_for(K26, computer(768, free=100 * GIB))
    assert answer.problems == ("disk: the file has 584 GB, 107 GB are free at /models",)
    assert plan_for(NANO, computer(16, free=0)).runs


def test_a_context_beyond_the_model_is_a_problem() -> None:
    assert "made for 4,096" in plan_for(NANO, computer(16), Wishes(context=5000)).problems[0]


def test_advice_is_what_helps_and_by_how_much() -> None:
    answer = plan_for(K26, computer(128))
    now = answer.outlook.decode
    gains = {advice.change: advice.decode for advice in answer.advice}
    assert all(decode > now for decode in gains.values() if decode)
    assert gains["a disk of 12 GB/s (PCIe 5.0 NVMe)"] < gains["768 GiB of memory"]
    assert gains["kimi-k2.6:UD-Q2_K_XL"] == plan_for(Q2, computer(128)).outlook.decode
    assert "a q8_0 cache" in gains
    assert plan_for(NANO, computer(16)).advice == ()


def test_confidence_is_never_more_than_what_it_rests_on() -> None:
    assert plan_for(K26, computer(768)).confidence == "medium"
    assert plan_for(K26, computer(128)).confidence == "low"
    assert plan_for(K26, computer(768, gpu=24)).confidence == "low"
    assert plan_for(K26, replace(computer(768), numa_nodes=2)).confidence == "low"
    assert plan_for(K26, replace(computer(768), memory_rate=None)).confidence == "none"
    assert all(figure.basis != "measured" for figure in plan_for(K26, computer(128, gpu=24)).figures)


@pytest.mark.parametrize(
    "machine",
    [
        computer(16),
        computer(128),
        computer(128, gpu=24),
        computer(768, gpu=96),
        replace(computer(64), compute=None),
        replace(computer(64), kernels=KERNELS),
    ],
)
@pytest.mark.parametrize("model", [K26, Q2, NANO])
def test_the_text_fits_the_page_and_the_json_holds_all(model: ModelShape, machine: Machine) -> None:
    answer = plan_for(model, machine)
    lines = plan_text.text(answer).splitlines()
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in "".join(lines)
    report = json.loads(plan_text.as_json(answer))
    assert (report["v"], report["runs"], report["model"]["bytes"]) == (1, answer.runs, model.bytes)
    assert report["placement"]["gpu_layers"] == answer.placement.gpu_layers
    assert sum(share["bytes"] for share in report["shares"] if share["what"] == "routed experts") == model.routed.bytes


def test_sizes_for_people() -> None:
    assert [advice.size(count) for count in (0, 1500, 5_949_312, 583_700_000_000, 2.5e12)] == [
        "0 kB",
        "1.5 kB",
        "5.95 MB",
        "584 GB",
        "2.5 TB",
    ]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    cache = Remembered(tmp_path / "cache" / "kimicode" / "measured.json")
    assert cache.known("anything") is None
    app = typer.Typer()
    app.command()(command)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_the_command(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    first = run("kimi-nano", "--json")
    assert first.exit_code == 0
    report = json.loads(first.stdout)
    assert report["runs"] is True
    assert report["machine"]["memory_rate"]["basis"] == "measured"
    assert json.loads(run("kimi-nano", "--json").stdout)["machine"]["memory_rate"] == report["machine"]["memory_rate"]
    assert "It runs here." in run("kimi-nano").stdout
    asked = json.loads(run("kimi-k2.6", "--json", "--ram", "768", "--gpu-memory", "24", "--context", "20000", "--kv-type", "q8_0").stdout)
    assert asked["placement"]["gpu_layers"] == 62
    assert (asked["placement"]["context"], asked["placement"]["kv_type"]) == (20_000, "q8_0")
    assert json.loads(run("kimi-k2.6", "--json", "--ram", "768", "--gpu-memory", "0").stdout)["placement"]["gpu_layers"] == 0
    rates = json.loads(run("kimi-k2.6", "--json", "--ram-rate", "100", "--disk-rate", "12").stdout)["machine"]
    assert (rates["memory_rate"]["value"], rates["disk"]["rate"]["value"], rates["disk"]["rate"]["basis"]) == (100e9, 12e9, "told")
    assert json.loads(run("kimi-nano", "--json", "--attention", "stock").stdout)["machine"]["kernels"] is None
    own = tinygguf.write(tmp_path / "own.gguf")
    assert json.loads(run(str(own), "--json").stdout)["model"]["files"] == [str(own)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        ("kimi-k2.6:Q9",),
        ("kimi-nano", "--kv-type", "f8"),
        ("missing.gguf",),
        ("kimi-nano", "--ram", "0"),
        ("kimi-nano", "--attention", "quick"),
    ],
)
def test_bad_input_ends_with_2(run, arguments: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr


def test_the_line_for_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fit.main(["kimi-k2.6", "kimi-nano"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["memory_rate"] is None, "nothing is measured for it"
    large, small = report["models"]
    assert large["runs"] or large["advice"]
    assert small["runs"]
    assert "kimi-nano" in small["found"]
    assert list(tmp_path.iterdir()) == []
