"""The benchmark: what is warm before it counts, what is counted, what is said; and the whole on kimi-nano."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from engine import bench_report, hits, known
from engine.bench import SETTLED, WARM_SECONDS, WARM_TOKENS, Counts, Job, Measured, Outside, Phase, StoppedError, distinct, measure
from engine.bench_command import Asked, bench, run
from engine.bench_report import Bench, Reading, Row, Unit
from engine.errors import EngineError, ModelFileError
from engine.layout import ExpertWish, arrange
from engine.llama import Entry
from engine.machine import Disk, ExpertPace, Hit, Machine, Memory, Rate
from engine.measure import Remembered
from engine.plan import Share

GIB = 1 << 30
K26 = known.find("kimi-k2.6")


@dataclass
class Decoder:
    """A model that takes a second a token, with a store whose first `cold` uses miss and which has `places` places."""

    cold: int = 0
    places: int = 10
    now: float = 0.0
    used: int = 0
    batches: list[tuple[int, int]] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    waited: int = 0
    forgotten: int = 0

    def decode(self, entries: Sequence[Entry]) -> None:
        assert [entry.wanted for entry in entries] == [False] * (len(entries) - 1) + [True]
        self.batches.append((entries[0].position, len(entries)))
        self.seen += [entry.token for entry in entries]
        self.used += len(entries)
        self.now += len(entries)

    def logits(self, row: int) -> object:
        self.waited += 1
        assert row == self.batches[-1][1] - 1
        return None

    def forget(self, sequence: int, start: int = 0) -> None:
        self.forgotten += 1

    def counts(self) -> Counts:
        missed = min(self.used, self.cold)
        return Counts(self.used - missed, missed, missed * 1000, missed * 0.5, self.places)

    def outside(self, *, stopped: bool = False) -> Outside:
        return Outside(self.counts, lambda: self.now, lambda: stopped)


def job(prompt: int = 10, tokens: int = 5, batch: int = 4, spare: int = WARM_TOKENS) -> Job:
    return Job(prompt, tokens, batch, prompt + tokens + spare)


def test_a_prompt_is_read_twice_and_the_answer_goes_on_behind_the_second() -> None:
    decoder = Decoder()
    found = measure(decoder, distinct(1000), job(), decoder.outside())
    prompt = [(0, 4), (4, 4), (8, 2)]
    assert decoder.batches[:6] == [*prompt, *prompt]
    assert decoder.batches[6:] == [(10 + n, 1) for n in range(SETTLED + 5)]
    assert len(set(decoder.seen)) == len(decoder.seen), "nothing repeats"
    assert decoder.waited == len(decoder.batches), "results are waited for"
    assert (found.prefill.tokens, found.prefill.seconds, found.decode.tokens, found.decode.seconds) == (10, 10, 5, 5)
    assert found.settled
    assert decoder.forgotten == 1


def test_what_happens_before_does_not_count() -> None:
    decoder = Decoder(cold=18, places=100)
    found = measure(decoder, distinct(1000), job(), decoder.outside())
    assert found.prefill.counts == Counts(2, 8, 8000, 4.0, 100)
    assert found.decode.counts == Counts(5, 0, 0, 0.0, 100)


def test_a_store_that_goes_on_missing_is_warm_when_its_places_were_filled_anew() -> None:
    decoder = Decoder(cold=10_000, places=20)
    found = measure(decoder, distinct(1000), job(), decoder.outside())
    assert found.settled
    assert len(decoder.batches) == 6 + 20 + 5
    assert found.decode.counts == Counts(0, 5, 5000, 2.5, 20)


def test_a_store_that_does_not_get_warm_in_time_is_measured_as_it_is() -> None:
    slow = Decoder(cold=10_000, places=10_000)
    assert not measure(slow, distinct(1000), job(), slow.outside()).settled
    assert len(slow.batches) == 6 + int(WARM_SECONDS) + 1 + 5
    small = Decoder(cold=10_000, places=10_000)
    assert not measure(small, distinct(1000), job(spare=3), small.outside()).settled
    assert len(small.batches) == 6 + 3 + 5


def test_without_a_store_one_token_is_warm_enough() -> None:
    decoder = Decoder()
    found = measure(decoder, distinct(1000), job(), Outside(clock=lambda: decoder.now))
    assert (found.settled, found.prefill.counts, found.decode.counts) == (True, None, None)
    assert len(decoder.batches) == 6 + 1 + 5


def test_an_answer_that_takes_too_long_is_measured_by_what_there_is() -> None:
    decoder = Decoder()
    found = measure(decoder, distinct(10_000), job(tokens=2000), decoder.outside())
    assert found.decode.tokens == found.decode.seconds == 601


def test_it_stops_when_it_should() -> None:
    decoder = Decoder()
    with pytest.raises(StoppedError):
        measure(decoder, distinct(1000), job(), decoder.outside(stopped=True))
    assert decoder.batches == []
    assert StoppedError.exit_code == 130


def test_tokens_repeat_only_when_all_have_been() -> None:
    source = distinct(50)
    first, second = ([next(source) for _ in range(50)] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert [next(distinct(50)) for _ in range(1)] == first[:1], "the same every time"


def test_rates_of_counts() -> None:
    counts = Counts(hits=30, misses=10, bytes=2000, busy_seconds=0.5, places=4)
    assert (counts.hit_rate, counts.disk_rate) == (0.75, 4000)
    assert (Counts(0, 0, 0, 0.0, 4).hit_rate, Counts(0, 0, 0, 0.0, 4).disk_rate) == (1.0, 0.0)
    assert Phase(10, 4.0, None).rate == 2.5
    ahead = Counts(hits=30, misses=10, bytes=2000, busy_seconds=0.5, places=4, announced_used=10)
    assert (ahead.kept, ahead.hit_rate) == (20, 0.5), "what is read ahead is read all the same"
    assert ahead.since(Counts(10, 5, 500, 0.25, 4, 2)) == Counts(20, 5, 1500, 0.25, 4, 8)


def told(value: float) -> Rate:
    return Rate(value, "told", "by the test")


PACE = ExpertPace("Q4_0", (told(60e9), told(50e9), told(25e9), told(8e9)))
MACHINE = Machine(
    "a CPU", 8, 1, Memory(128 * GIB, 120 * GIB), told(70e9), told(1e12), Disk(Path("/m"), 1 << 41, told(7e9)), store=True, experts=PACE
)


def found_with(hit: float) -> Measured:
    uses = 480 * 10
    missed = round(uses * (1 - hit))
    counts = Counts(uses - missed, missed, missed * 24_772_608, missed * 24_772_608 / 6.44e9, 4000)
    return Measured(Phase(512, 16.0, counts), Phase(10, 4.0, counts), settled=True)


def test_every_figure_stands_beside_its_prediction() -> None:
    layout = arrange(K26, MACHINE, 8192, "f16", 512)
    known_hits = replace(MACHINE, hits=(Hit(layout.resident, 0.5, "counted"),))
    rows = {row.name: row for row in bench_report.rows(K26, known_hits, layout, 512, found_with(0.5))}
    assert rows["prompt of 512 tokens"].measured == 32
    assert rows["answer"].measured == 2.5
    assert rows["answer"].predicted == pytest.approx(rows["answer, by the hits it had"].predicted), "the hits were right"
    assert (rows["experts found in memory"].predicted, rows["experts found in memory"].measured) == (pytest.approx(0.5), 0.5)
    assert rows["read for a token"].ratio == pytest.approx(1, abs=0.01)
    assert rows["disk, while it reads"].ratio == pytest.approx(1, abs=0.01)


def test_mapped_experts_have_speeds_alone() -> None:
    layout = arrange(K26, replace(MACHINE, store=False), 8192, "f16", 512)
    found = Measured(Phase(512, 16.0, None), Phase(10, 4.0, None), settled=True)
    assert [row.unit for row in bench_report.rows(K26, MACHINE, layout, 512, found)] == [Unit.TOKENS, Unit.TOKENS]


def a_report() -> Bench:
    layout = arrange(K26, MACHINE, 8192, "f16", 512)
    rows = (
        Row("answer", Unit.TOKENS, 3.0, 2.5),
        Row("slow", Unit.TOKENS, 0.5, 0.25),
        Row("found", Unit.SHARE, 0.62, 0.5),
        Row("read", Unit.BYTES, 6e9, 5e9),
        Row("disk", Unit.RATE, 6e9, 0.0),
    )
    reading = Reading(direct=True, uring=False, places=4000, experts=23_040, held=4000)
    return Bench(K26, layout, (Share("routed experts", "disk", 10**9),), 3.21, reading, rows, Hit(0.17, 0.5, "x"), ("word " * 30,))


def test_the_text() -> None:
    assert bench_report.text(a_report()).splitlines() == [
        "kimi-k2.6:UD-Q4_K_XL: 584 GB, loaded in 3.2 s",
        "  disk       1 GB  routed experts",
        "Store: 4,000 places for 23,040 experts, direct reads by threads",
        "",
        f"{'':<30}     predicted      measured   ratio",
        f"{'answer':<30}       3.0 t/s       2.5 t/s    1.20",
        f"{'slow':<30}     0.500 t/s     0.250 t/s    2.00",
        f"{'found':<30}         62.0%         50.0%    1.24",
        f"{'read':<30}          6 GB          5 GB    1.20",
        f"{'disk':<30}     6.00 GB/s     0.00 GB/s",
        ("word " * 20).strip(),
        "  " + ("word " * 10).strip(),
    ]


def test_the_json() -> None:
    report = json.loads(bench_report.as_json(a_report()))
    assert report["rows"][0] == {"name": "answer", "unit": "tokens/s", "predicted": 3.0, "measured": 2.5, "ratio": 1.2}
    assert report["rows"][-1]["ratio"] is None
    assert report["reading"] == {"direct": True, "uring": False, "places": 4000, "experts": 23_040, "held": 4000}
    assert report["remembered"]["rate"] == 0.5


def test_the_share_of_experts_that_have_a_place() -> None:
    assert Reading(True, True, 50, 100, 0).share == 0.5
    assert Reading(True, True, 200, 100, 0).share == 1.0
    assert Reading(True, True, 0, 0, 0).share == 1.0
    assert Reading(True, True, 50, 100, 25).held_share == 0.25


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For all tests: the machine is measured once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with what was measured."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "kimicode" / "measured.json"


def invoke(*arguments: str):  # type: ignore[no-untyped-def]
    app = typer.Typer()
    app.command()(bench)
    return CliRunner().invoke(app, list(arguments))


def test_kimi_nano_is_measured(cache: Path) -> None:
    done = invoke("--model", "kimi-nano", "--tokens", "4", "--prompt", "40", "--experts", "mapped", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert [row["name"] for row in report["rows"]] == ["prompt of 40 tokens", "answer"]
    assert all(row["predicted"] > 0 and row["measured"] > 0 for row in report["rows"])
    assert (report["reading"], report["remembered"]) == (None, None)


def test_a_text_is_measured(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "text.md").write_text("A short text.")
    done = invoke("--model", "kimi-nano", "--tokens", "2", "--prompt", "20", "--text", str(tmp_path / "text.md"))
    assert done.exit_code == 0, done.output
    assert "prompt of 20 tokens" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "nothing"), "neither a file nor a known model"),
        (("--model", "missing.gguf"), "no such file"),
        (("--model", "kimi-k2.6"), "kimi-k2.6:UD-Q4_K_XL is not here"),
        (("--model", "kimi-nano", "--prompt", "5000"), "ask for less"),
        (("--model", "kimi-nano", "--experts", "nobody"), "nobody"),
        (("--model", "kimi-nano", "--text", "missing.txt"), "missing.txt"),
        (("--model", "kimi-nano", "--tokens", "0"), "greater than or equal to 1"),
    ],
)
def test_bad_input_ends_with_2(cache: Path, arguments: tuple[str, ...], said: str) -> None:
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


def test_an_empty_text_says_nothing(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(ModelFileError, match="empty text"):
        run(Asked("kimi-nano", 2, 20, ExpertWish(), tmp_path / "empty"), Remembered(cache), threading.Event())


def test_a_stop_ends_it(cache: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(EngineError):
        run(Asked("kimi-nano", 2, 20, ExpertWish()), Remembered(cache), stop)


def test_ctrl_c_ends_with_130(cache: Path) -> None:
    code = (
        "import typer, engine.bench_command as c, engine.bench_command\n"
        "measure = c.measure\n"
        "def told(*a):\n    print('measuring', flush=True)\n    return measure(*a)\n"
        "c.measure = told\n"
        "app = typer.Typer(); app.command()(c.bench); app()\n"
    )
    arguments = ("--model", "kimi-nano", "--tokens", "3000", "--prompt", "500")
    child = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "measuring\n"
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert (child.returncode, errors.strip()) == (130, "stopped")


def test_what_was_counted_is_remembered_for_the_plan(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    hits.keep(Remembered(path), K26, 0.17, 3000, 2000, "random tokens")
    layout = arrange(K26, MACHINE, 8192, "f16", 512)
    machine = replace(MACHINE, hits=hits.recall(Remembered(path), K26))
    rows = {row.name: row for row in bench_report.rows(K26, machine, layout, 512, found_with(0.6))}
    assert rows["experts found in memory"].ratio == pytest.approx(1, abs=0.1)
