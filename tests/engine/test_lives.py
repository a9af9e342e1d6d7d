"""Where a model's parts live, for doctor: planned without measuring, or as an engine that runs says."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from engine import control, hits, known, lives
from engine.layout import ExpertWish, arrange
from engine.machine import Disk, Hit, Machine, Memory
from engine.measure import Remembered
from engine.places import Places
from engine.plan import Share

GIB = 1 << 30
K26 = known.find("kimi-k2.6")


def computer(ram: int, *, store: bool = True) -> Machine:
    return Machine("a CPU", 8, 1, Memory(ram * GIB, ram * GIB), None, None, Disk(Path("/models"), 1 << 41), store=store)


def test_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    monkeypatch.setenv("KIMICODE_HOME", str(tmp_path / "home"))
    assert lives.main(["kimi-nano"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["model"], report["runs"], report["running"]) == ("kimi-nano", True, None)
    assert report["places"].startswith("RAM: 2.33 MB attention")
    assert report["experts"] == "mapped by llama.cpp, all of them in memory"
    assert list(tmp_path.iterdir()) == [], "nothing is measured, started or made"


def test_a_model_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert lives.main(["nothing"]) == 2
    assert "neither a file nor a known model" in capsys.readouterr().err


def test_places_are_named_once_each() -> None:
    shares = (Share("experts", "GPU", 2_000_000_000), Share("experts", "RAM", 3_000_000_000), Share("cache", "RAM", 1_000_000))
    assert lives.places(shares) == "GPU: 2 GB experts; RAM: 3 GB experts, 1 MB cache"


def test_a_store_says_how_it_reads_and_what_it_would_find(tmp_path: Path) -> None:
    machine = computer(128)
    layout = arrange(K26, machine, 32_768, "f16", 512)
    file = tmp_path / "model.gguf"
    file.touch()
    how = f"{'direct' if lives.direct(file) else 'buffered'} reads by {'io_uring' if lives.uring() else 'threads'}"
    assert lives.experts(layout, machine, file).endswith(f"GB, {how}, 49% of uses found in memory (assumed)")
    counted = replace(machine, hits=(Hit(layout.resident, 0.71, "counted"),))
    assert lives.experts(layout, counted, file).endswith("71% of uses found in memory (measured)")
    roomy = arrange(K26, computer(768), 32_768, "f16", 512)
    assert lives.experts(roomy, computer(768), file).endswith(f"{how}, all of them in memory")
    mapped = arrange(K26, replace(machine, store=False), 32_768, "f16", 512, ExpertWish())
    assert lives.experts(mapped, machine, None).startswith("mapped by llama.cpp, 4")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            {"hit_rate": 0.7123, "cache_bytes": 12_000_000_000, "planned_bytes": 1, "read_bytes": 5_000_000_000},
            "71% of uses found in memory, 12 GB of it, 5 GB read from disk so far",
        ),
        ("mapped", "experts mapped by llama.cpp"),
        (None, "the engine is loading"),
        ({"hit_rate": "many"}, "the engine is loading"),
    ],
)
def test_what_an_engine_says(told: object, said: str) -> None:
    assert lives.fared(told, "loading") == said


def test_what_a_running_engine_holds_is_the_model_s() -> None:
    machine = replace(computer(64), memory=Memory(64 * GIB, 1 * GIB))
    running = control.Running(Places(Path("x.sock")), os.getpid(), Path("m.gguf"), "ok", {})
    assert 1 * GIB < lives.without(machine, running).memory.available <= 64 * GIB
    assert lives.without(machine, None) == machine
    gone = replace(running, pid=2**22 + 1)
    assert lives.without(machine, gone) == machine


def test_no_engine_serves_a_model_that_is_not_here(tmp_path: Path) -> None:
    assert lives.serving(K26, {"KIMICODE_HOME": str(tmp_path)}) is None
    assert lives.serving(known.find("kimi-nano"), {"KIMICODE_HOME": str(tmp_path)}) is None


def test_a_file_that_can_not_be_opened_is_not_read_directly(tmp_path: Path) -> None:
    assert lives.direct(tmp_path / "missing") is False


def test_what_was_counted_here_is_used(tmp_path: Path) -> None:
    rates = Remembered(tmp_path / "measured.json")
    hits.keep(rates, K26, 0.1, 6000, 4000, "a text")
    said = str(lives.report("kimi-k2.6", {"KIMICODE_HOME": str(tmp_path)}, rates)["experts"])
    streams = said.startswith("a store") and "all of them" not in said
    assert ("(measured)" in said) == streams
