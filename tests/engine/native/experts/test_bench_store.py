"""The benchmark with a store that holds half of kimi-nano's experts: what it counts is what the next plan rests on."""

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

from engine import hits, known
from engine.bench_command import Asked, run
from engine.layout import Experts, ExpertWish, place_bytes
from engine.measure import Remembered
from engine.native.library import Library
from engine.outlook import Wishes
from engine.plan import plan
from engine.survey import quick

NANO = known.find("kimi-nano")
HALF = 16 * place_bytes(NANO)

CODE = """
import sys, threading
from pathlib import Path
from engine import bench_report
from engine.bench_command import Asked, run
from engine.layout import Experts, ExpertWish
from engine.measure import Remembered
asked = Asked("kimi-nano", 160, 64, ExpertWish(Experts(sys.argv[2]), int(sys.argv[3])))
print(bench_report.as_json(run(asked, Remembered(Path(sys.argv[1])), threading.Event())))
"""


def test_what_a_store_counts_is_what_the_next_plan_rests_on(tmp_path: Path, library: Library) -> None:
    path = tmp_path / "measured.json"
    # In a process of its own: there llama.cpp takes experts from a store from the start.
    command = [sys.executable, "-c", CODE, str(path), Experts.STORE.value, str(HALF)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["reading"]["places"], report["reading"]["experts"]) == (16, 32)
    rows = {row["name"]: row for row in report["rows"]}
    assert 0 < rows["experts found in memory"]["measured"] < 1
    assert rows["read for a token"]["measured"] > 0
    remembered = hits.recall(Remembered(path), NANO)
    assert [hit.share for hit in remembered] == [0.5]
    assert remembered[0].rate == rows["experts found in memory"]["measured"] == report["remembered"]["rate"]
    machine = replace(quick(NANO.files[0], tmp_path, Remembered(path)), hits=remembered)
    answer = plan(NANO, machine, Wishes(experts=ExpertWish(Experts.STORE, HALF)))
    figure = next(figure for figure in answer.figures if figure.name == "experts found in memory")
    assert (figure.basis, figure.value.split()[0]) == ("measured", f"{remembered[0].rate:.0%}")


def test_mapped_experts_are_not_counted(tmp_path: Path, library: Library) -> None:
    path = tmp_path / "measured.json"
    report = run(Asked("kimi-nano", 4, 32, ExpertWish(Experts.MAPPED)), Remembered(path), threading.Event())
    assert (report.reading, report.kept) == (None, None)
    assert hits.recall(Remembered(path), NANO) == ()
