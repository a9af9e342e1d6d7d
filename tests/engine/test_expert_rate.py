"""The speed of products with experts: measured by the clock, in a process that may fail, once for each build and type."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from engine import expert_rate as rate
from engine.errors import EngineError
from engine.expert_rate import SECONDS, has_store, kind_of, pace
from engine.machine import EXPERT_ROWS, ExpertPace, Rate
from engine.measure import Remembered
from engine.survey import Looking, quick, survey
from tests.engine import tinygguf

PACE = ExpertPace("Q4_0", tuple(Rate(value, "measured", "by the test") for value in (4e10, 3e10, 2e10, 1e10)))
ROW_BYTES = 4032


@dataclass
class Processor:
    """A clock, and products that take a second for so many `bytes` and for so many `products` of a row with a row."""

    bytes: float
    products: float
    now: float = 100.0
    calls: list[tuple[int, int]] = field(default_factory=list)

    def multiply(self, first: int, count: int) -> object:
        self.calls.append((first, count))
        slow = 3 if self.calls.count((first, count)) == 1 else 1
        self.now += max(first * ROW_BYTES / self.bytes, first * count / self.products) * slow
        return None

    def clock(self) -> float:
        return self.now


def test_the_best_of_several_tries_counts_for_each_number_of_rows() -> None:
    processor = Processor(bytes=20e9, products=3e7)
    found = pace("Q4_0", processor.multiply, 60_000, ROW_BYTES, "a kernel, 2 threads", processor.clock)
    assert [each.value for each in found.rates] == pytest.approx([20e9, *(3e7 * ROW_BYTES / rows for rows in (8, 32, 128))])
    assert [each.how for each in found.rates][::3] == ["a kernel, 2 threads, 1 row at a time", "a kernel, 2 threads, 128 rows at a time"]
    assert {each.basis for each in found.rates} == {"measured"}
    assert processor.calls[0] == (60_000, 1), "all of the weights, which are larger than the caches"


def test_a_slow_processor_multiplies_less() -> None:
    processor = Processor(bytes=20e9, products=3e5)
    pace("Q4_0", processor.multiply, 60_000, ROW_BYTES, "", processor.clock)
    assert processor.now - 100 < 2 + len(EXPERT_ROWS) * 5 * SECONDS
    assert min(first for first, _ in processor.calls) >= 1


def child(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_another_process_measures() -> None:
    line = msgspec.json.encode(PACE).decode()
    assert rate.measured("Q4_0", 7, child(f"import sys; print({line!r} if sys.argv[1:] == ['Q4_0', '7'] else sys.argv)")) == PACE


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
        rate.measured("Q4_0", 2, child(code), seconds=0.5 if "sleep" in code else 60)


def test_what_was_measured_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    rate.keep(Remembered(path), "a machine", PACE)
    assert rate.recall(Remembered(path), "a machine", "Q4_0") == PACE
    assert rate.recall(Remembered(path), "another", "Q4_0") is None
    path.write_text(path.read_text().replace("32 rows", "lost"))
    assert rate.recall(Remembered(path), "a machine", "Q4_0") is None, "a part is nothing"


def test_the_type_of_a_file_s_experts(tmp_path: Path) -> None:
    assert kind_of(None) == kind_of(tmp_path / "missing") == "Q4_0"
    (tmp_path / "damaged.gguf").write_bytes(b"GGUF")
    assert kind_of(tmp_path / "damaged.gguf") == "Q4_0"
    assert kind_of(tinygguf.write(tmp_path / "tiny.gguf")) == "F32"


def test_a_library_with_a_store_is_one_that_has_its_functions(tmp_path: Path) -> None:
    assert not has_store(tmp_path / "missing.so")
    (tmp_path / "library.so").write_bytes(b"\x7fELF...")
    assert not has_store(tmp_path / "library.so")
    (tmp_path / "library.so").write_bytes(b"\x7fELF...kimicode_store_open...")
    assert has_store(tmp_path / "library.so") == (sys.platform == "linux")


@dataclass
class Meter:
    """Pretends to measure; `error` is raised instead."""

    error: EngineError | None = None
    calls: list[tuple[str, int]] = field(default_factory=list)

    def __call__(self, kind: str, threads: int) -> ExpertPace:
        self.calls.append((kind, threads))
        if self.error is not None:
            raise self.error
        return ExpertPace(kind, PACE.rates)


@pytest.fixture
def looking(tmp_path: Path) -> Callable[[Meter], Looking]:
    library = tmp_path / "library.so"
    library.write_bytes(b"a build with kimicode_store_open")

    def broken(*_: object) -> None:
        raise EngineError("no attention")

    return lambda meter: Looking(library=library, measure=broken, measure_experts=meter)  # type: ignore[arg-type]


def test_each_build_and_each_type_is_measured_once(tmp_path: Path, looking: Callable[[Meter], Looking]) -> None:
    known, meter = Remembered(tmp_path / "measured.json"), Meter()
    look = looking(meter)
    before = quick(None, tmp_path, known, look)
    assert (before.store, before.experts) == (True, None), "nothing is measured for it"
    for _ in range(2):
        assert survey(None, tmp_path, known, looking=look).machine.experts == PACE
    assert quick(None, tmp_path, known, look).experts == PACE
    assert meter.calls == [("Q4_0", before.cpus)]
    model = tinygguf.write(tmp_path / "tiny.gguf")
    assert quick(model, tmp_path, known, look).experts is None
    survey(model, tmp_path, known, looking=look)
    assert meter.calls[1:] == [("F32", before.cpus)]
    look.library.write_bytes(b"another build with kimicode_store_open")
    survey(None, tmp_path, known, looking=look)
    assert meter.calls[2:] == [("Q4_0", before.cpus)]
    survey(None, tmp_path, known, looking=look, again=True)
    assert len(meter.calls) == 4


def test_products_that_fail_cost_a_word_and_nothing_else(tmp_path: Path, looking: Callable[[Meter], Looking]) -> None:
    known = Remembered(tmp_path / "measured.json")
    found = survey(None, tmp_path, known, looking=looking(Meter(EngineError("products broke"))))
    assert found.machine.experts is None
    assert found.machine.memory_rate is not None
    assert "products broke; the plan has llama.cpp's own speed" in found.complaints


def test_without_a_store_nothing_is_measured(tmp_path: Path) -> None:
    meter = Meter()
    found = survey(None, tmp_path, Remembered(tmp_path / "m.json"), looking=Looking(library=tmp_path / "none.so", measure_experts=meter))
    assert (found.machine.store, found.machine.experts, meter.calls) == (False, None, [])


def test_a_type_that_nothing_multiplies_ends_with_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert rate.main(["I32", "1"]) == EngineError.exit_code
    said = capsys.readouterr().err
    assert "experts of type I32" in said or "can't be loaded" in said
