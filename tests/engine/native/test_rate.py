"""The kernels' speed: measured by the clock, in a process that may fail, once for each build; other shapes scaled from it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest

from engine import attention_rate as rate
from engine.attention_rate import Shape
from engine.errors import EngineError
from engine.machine import Kernels, Pace, Rate
from engine.measure import Remembered
from engine.native.library import Library
from engine.native.plugin import Attention
from engine.survey import Looking, quick, survey


def told(value: float) -> Rate:
    return Rate(value, "measured", "by the test")


KERNELS = Kernels(Pace(told(4e12), told(5e12)), Pace(told(1e11), told(2e11)))


@dataclass
class Processor:
    """A clock, and work that takes as long as `speed` operations a second say; every call after the first `slow` is undisturbed."""

    speed: float
    slow: int = 0
    now: float = 1000.0
    shapes: list[Shape] = field(default_factory=list)

    def prepare(self, shape: Shape) -> Callable[[], object]:
        self.now += 7  # making arrays takes time that must not count
        calls = 0

        def work() -> None:
            nonlocal calls
            calls += 1
            self.shapes.append(shape)
            self.now += shape.operations / self.speed * (10 if calls <= self.slow else 1)

        return work

    def clock(self) -> float:
        return self.now


@pytest.mark.parametrize(("speed", "queries"), [(2e9, 8), (180e9, 72), (20e12, 512)])
def test_the_batch_is_as_large_as_the_processor_is_fast(speed: float, queries: int) -> None:
    processor = Processor(speed)
    found = rate.pace(processor.prepare, "a kernel", processor.clock)
    assert found.decode.value == pytest.approx(speed)
    assert found.prefill.value == pytest.approx(speed)
    assert {(shape.queries, shape.keys) for shape in processor.shapes} == {(1, 8192), (queries, 2048)}
    assert (found.decode.how, found.prefill.how) == ("a kernel, 1 query", f"a kernel, {queries} queries")
    assert found.decode.basis == found.prefill.basis == "measured"


def test_the_best_of_several_tries_counts_and_all_take_a_second_at_most() -> None:
    processor = Processor(150e9, slow=1)
    assert rate.pace(processor.prepare, "", processor.clock).decode.value == pytest.approx(150e9)
    assert processor.now - 1000 - 2 * 7 < 1 + 10 * rate.SECONDS / 2


def test_an_operation_is_what_was_asked_for() -> None:
    assert Shape(3, 100).operations == 2 * 64 * 3 * 100 * (576 + 512)


@pytest.mark.parametrize("queries", [1, 4, 512])
def test_fewer_heads_are_slower_and_k2_s_are_what_was_measured(queries: int) -> None:
    scales = [rate.scale(heads, queries) for heads in (1, 4, 16, 64, 128)]
    assert scales == sorted(scales)
    assert scales[3] == 1
    assert rate.scale(4, 512) > 2 * rate.scale(4, 1), "a batch's queries share a tile"
    assert 0.2 < rate.scale(4, 1) < 0.35


def child(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_another_process_measures() -> None:
    line = msgspec.json.encode(KERNELS).decode()
    code = f"import sys; print({line!r} if sys.argv[1:] == ['fast', '7'] else sys.argv)"
    assert rate.measured(Attention.FAST, 7, child(code)) == KERNELS


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.abort()", "exit code -6"),
        ("raise SystemExit('no kernel')", "no kernel"),
        ("print('hello')", "unreadable"),
        ("print('{}')", "unreadable"),
        ("pass", "unreadable"),
        ("import time; time.sleep(60)", "timed out"),
    ],
)
def test_a_process_that_fails_is_said(code: str, said: str) -> None:
    with pytest.raises(EngineError, match=said):
        rate.measured(Attention.PRECISE, 2, child(code), seconds=0.5 if "sleep" in code else 60)


def test_the_kernel_that_the_engine_would_load_is_measured(library: Library) -> None:
    found = rate.measured(Attention.PRECISE, 1)
    kernel, _, rest = found.all.decode.how.partition(", ")
    assert kernel == next(name for name in library.kernels() if name.endswith("-exact"))
    assert rest == "1 thread, 1 query"
    rates = (found.all.decode, found.all.prefill, found.one.decode, found.one.prefill)
    assert all(1e8 < each.value < 1e14 for each in rates)


def test_a_wish_that_is_none_ends_with_a_word(capsys: pytest.CaptureFixture[str], library: Library) -> None:
    assert rate.main(["stock", "1"]) == EngineError.exit_code
    assert "llama.cpp" in capsys.readouterr().err


def test_what_was_measured_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    rate.keep(Remembered(path), "a machine", KERNELS)
    assert rate.recall(Remembered(path), "a machine") == KERNELS
    assert rate.recall(Remembered(path), "another") is None
    path.write_text(path.read_text().replace("a machine, a batch, one", "lost"))
    assert rate.recall(Remembered(path), "a machine") is None, "a part is nothing"


@dataclass
class Meter:
    """Pretends to measure; `error` is raised instead."""

    error: EngineError | None = None
    kernels: Kernels = KERNELS
    calls: list[tuple[Attention, int]] = field(default_factory=list)

    def __call__(self, wish: Attention, threads: int) -> Kernels:
        self.calls.append((wish, threads))
        if self.error is not None:
            raise self.error
        return self.kernels


def test_each_build_and_each_wish_is_measured_once(tmp_path: Path) -> None:
    known, meter = Remembered(tmp_path / "measured.json"), Meter()
    library = tmp_path / "library.so"
    library.write_bytes(b"one build")
    looking = Looking(Attention.PRECISE, library, meter)

    def look(looking: Looking, *, again: bool = False) -> Kernels | None:
        return survey(None, tmp_path, known, again=again, looking=looking).machine.kernels

    assert quick(None, tmp_path, known, looking).kernels is None, "nothing is measured for it"
    assert meter.calls == []
    assert look(looking) == look(looking) == KERNELS
    assert quick(None, tmp_path, known, looking).kernels == KERNELS
    cpus = quick(None, tmp_path, known, looking).cpus
    assert meter.calls == [(Attention.PRECISE, cpus)]
    look(replace(looking, wish=Attention.FAST))
    assert meter.calls[1:] == [(Attention.FAST, cpus)]
    look(looking, again=True)
    assert len(meter.calls) == 3
    library.write_bytes(b"another build")
    assert quick(None, tmp_path, known, looking).kernels is None
    look(looking)
    assert len(meter.calls) == 4


def test_llama_cpp_s_own_attention_is_not_measured(tmp_path: Path) -> None:
    known, meter = Remembered(tmp_path / "measured.json"), Meter()
    library = tmp_path / "library.so"
    without = survey(None, tmp_path, known, looking=Looking(Attention.PRECISE, library, meter))
    library.touch()
    wished = survey(None, tmp_path, known, looking=Looking(Attention.STOCK, library, meter))
    assert without.machine.kernels is wished.machine.kernels is None
    assert not [words for words in (*without.complaints, *wished.complaints) if "attention" in words]
    assert meter.calls == []


def test_what_a_busy_processor_does_is_not_remembered(tmp_path: Path) -> None:
    known, library = Remembered(tmp_path / "measured.json"), tmp_path / "library.so"
    library.touch()
    busy = Kernels(KERNELS.one, KERNELS.all)
    looking = Looking(Attention.PRECISE, library, Meter(kernels=busy))
    found = survey(None, tmp_path, known, looking=looking)
    several = found.machine.cpus > 1
    assert found.machine.kernels == busy
    assert any("others keep them busy" in words for words in found.complaints) == several
    assert (quick(None, tmp_path, known, looking).kernels is None) == several


def test_kernels_that_fail_cost_a_word_and_nothing_else(tmp_path: Path) -> None:
    known = Remembered(tmp_path / "measured.json")
    library = tmp_path / "library.so"
    library.touch()
    found = survey(None, tmp_path, known, looking=Looking(Attention.PRECISE, library, Meter(EngineError("kernels broke"))))
    assert found.machine.kernels is None
    assert found.machine.memory_rate is not None
    assert "kernels broke; the plan has llama.cpp's own attention" in found.complaints
