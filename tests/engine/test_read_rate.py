"""How a drive is read best: found out by another process, remembered by drive, asked for once."""

import sys
from pathlib import Path
from typing import Final

import pytest

from engine import read_rate
from engine.errors import EngineError
from engine.machine import EXPERT_ROWS, ExpertPace, Kernels, Rate
from engine.measure import Remembered
from engine.native.build import build
from engine.native.reader import ReadRate
from engine.survey import Looking, survey

FOUND: Final = ReadRate(1 << 20, 8, True, True, 2e9)


@pytest.fixture
def known(tmp_path: Path) -> Remembered:
    return Remembered(tmp_path / "measured.json")


def test_another_process_finds_out(tmp_path: Path) -> None:
    build()
    file = tmp_path / "model"
    file.write_bytes(bytes(10_000_000))
    found = read_rate.measured(file)
    assert found.bytes_per_second > 0
    assert found.depth > 0
    assert found.piece % 4096 == 0


def test_what_fails_is_said(tmp_path: Path) -> None:
    build()
    with pytest.raises(EngineError, match=r"none: how it is read best could not be measured: .*No such file"):
        read_rate.measured(tmp_path / "none")
    with pytest.raises(EngineError, match="could not be measured: exit code 3"):
        read_rate.measured(tmp_path, command=(sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(EngineError, match="unreadable result"):
        read_rate.measured(tmp_path, command=(sys.executable, "-c", "print('nothing')"))


def test_it_is_remembered_by_drive(known: Remembered, tmp_path: Path) -> None:
    assert read_rate.recall(known, tmp_path) == (0, 0)
    read_rate.keep(known, tmp_path, FOUND)
    assert read_rate.recall(known, tmp_path) == (1 << 20, 8)
    assert read_rate.recall(Remembered(tmp_path / "measured.json"), tmp_path) == (1 << 20, 8)
    assert read_rate.recall(known, Path("/proc")) == (0, 0)


def test_a_large_file_is_tried_once_and_its_rate_is_the_disk_s(known: Remembered, tmp_path: Path) -> None:
    file, tried = tmp_path / "model.gguf", list[Path]()
    with file.open("wb") as empty:
        empty.truncate(read_rate.SMALLEST)

    def look(found: ReadRate | None, *, again: bool = False) -> Rate | None:
        return survey(file, tmp_path, known, again=again, looking=_looking(tried, found)).machine.disk.rate

    assert look(FOUND) == Rate(2e9, "measured", "scattered reads of 1,024 KiB, 8 at a time, direct, by io_uring")
    assert look(FOUND) == look(FOUND)
    assert tried == [file]
    slower = ReadRate(4 << 20, 2, True, False, 1e9)
    assert (rate := look(slower, again=True)) is not None
    assert (rate.value, rate.how) == (1e9, "scattered reads of 4,096 KiB, 2 at a time, direct, by threads")
    assert read_rate.recall(known, tmp_path) == (4 << 20, 2)


def test_a_file_that_can_not_be_tried_is_measured_as_ever(known: Remembered, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    with file.open("wb") as empty:
        empty.truncate(read_rate.SMALLEST)
    rate = survey(file, tmp_path, known, looking=_looking([], None)).machine.disk.rate
    assert rate is not None
    assert "8 MiB" in rate.how
    assert read_rate.recall(known, tmp_path) == (0, 0)


def _looking(tried: list[Path], found: ReadRate | None) -> Looking:
    def try_it(file: Path) -> ReadRate:
        tried.append(file)
        if found is None:
            raise EngineError("no reader")
        return found

    build()
    return Looking(measure=_none, measure_experts=_pace, measure_reading=try_it)


def _pace(kind: str, _threads: int) -> ExpertPace:
    return ExpertPace(kind, (Rate(1e10, "measured", ""),) * len(EXPERT_ROWS))


def _none(*_: object) -> Kernels:
    raise EngineError("no attention")
