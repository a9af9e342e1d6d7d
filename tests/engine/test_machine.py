"""Memory under control groups of both versions, CPUs under quotas, measuring and remembering, devices from a process that may fail."""

import json
import os
import sys
from pathlib import Path

import psutil
import pytest

from engine import devices, machine, measure
from engine.errors import EngineError
from engine.machine import Rate
from engine.survey import quick, survey

GIB = 1 << 30
PRETEND = Rate(5e9, "measured", "pretended")


def system(root: Path, files: dict[str, str]) -> Path:
    """A pretended `/` with these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def test_memory_is_the_machine_s_without_control_groups(tmp_path: Path) -> None:
    found = machine.memory(tmp_path)
    assert found.total == psutil.virtual_memory().total
    assert 0 < found.available <= found.total
    assert found.limit == "installed memory"


def test_memory_of_version_two_is_bounded_by_the_tightest_group(tmp_path: Path) -> None:
    root = system(
        tmp_path,
        {
            "proc/self/cgroup": "0::/outer/inner",
            "sys/fs/cgroup/outer/memory.max": str(1 * GIB),
            "sys/fs/cgroup/outer/memory.current": str(700 << 20),
            "sys/fs/cgroup/outer/memory.stat": f"anon 5\ninactive_file {200 << 20}\nactive_file {100 << 20}",
            "sys/fs/cgroup/outer/inner/memory.max": "max",
            "sys/fs/cgroup/outer/inner/memory.current": "5",
        },
    )
    found = machine.memory(root)
    assert (found.total, found.limit) == (1 * GIB, "control group")
    assert found.available == (1024 - 700 + 300) << 20, "copies of files are dropped when memory is wanted"


def test_memory_of_version_one(tmp_path: Path) -> None:
    root = system(
        tmp_path,
        {
            "proc/self/cgroup": "5:devices:/x\n4:memory:/box\n0::/",
            "sys/fs/cgroup/memory/box/memory.limit_in_bytes": str(2 * GIB),
            "sys/fs/cgroup/memory/box/memory.usage_in_bytes": str(1 * GIB),
            "sys/fs/cgroup/memory/box/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB // 2}\ntotal_active_file 0",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        },
    )
    assert machine.memory(root).total == 2 * GIB
    assert machine.memory(root).available == 3 * GIB // 2


def test_in_a_container_the_group_s_path_may_not_be_mounted(tmp_path: Path) -> None:
    root = system(tmp_path, {"proc/self/cgroup": "0::/../../elsewhere/deep", "sys/fs/cgroup/memory.max": str(GIB)})
    assert machine.memory(root).total == GIB


def test_cpus_are_bounded_by_the_quota(tmp_path: Path) -> None:
    assert machine.cpu_count(tmp_path) == len(os.sched_getaffinity(0))
    two = system(tmp_path / "two", {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "50000 100000"})
    assert machine.cpu_count(two) == 1
    free = system(tmp_path / "free", {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"})
    assert machine.cpu_count(free) == len(os.sched_getaffinity(0))
    one = system(
        tmp_path / "one",
        {
            "proc/self/cgroup": "3:cpu,cpuacct:/a",
            "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "100000",
            "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000",
        },
    )
    assert machine.cpu_count(one) == 1


def test_nodes_and_names(tmp_path: Path) -> None:
    assert machine.numa_nodes(tmp_path) == 1
    root = system(
        tmp_path,
        {f"sys/devices/system/node/node{node}/cpulist": "0" for node in range(2)}
        | {"sys/devices/system/node/possible": "0-1", "proc/cpuinfo": "processor\t: 0\nmodel name\t: Fast CPU 9\n"},
    )
    assert machine.numa_nodes(root) == 2
    assert machine.cpu_name(root) == "Fast CPU 9"


def test_a_folder_that_does_not_exist_yet_lies_where_it_would_be_made(tmp_path: Path) -> None:
    assert machine.existing(tmp_path / "a" / "b") == tmp_path
    assert machine.free_bytes(tmp_path / "a" / "b") > 0


def test_rates_are_measured() -> None:
    memory, compute = measure.memory_rate(1, 64 << 20), measure.compute_rate()
    assert 1e8 < memory.value < 1e13
    assert 1e8 < compute.value < 1e15
    assert memory.basis == compute.basis == "measured"


def test_a_file_s_reading_rate(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        for _ in range(2 * measure.READERS):
            file.write(os.urandom(measure.PIECE))
    rate = measure.file_rate(path)
    assert rate is not None
    assert rate.value > 1e5
    assert rate.how.endswith(("O_DIRECT", "its pages dropped first")), "it says which"


def test_a_file_system_that_refuses_o_direct_is_read_through_the_page_cache(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(os.urandom(measure.PIECE) * 2 * measure.READERS)

    def opened(given: Path, flags: int) -> int:
        if flags & os.O_DIRECT:
            raise OSError(22, "Invalid argument", str(given))
        return os.open(given, flags)

    rate = measure.file_rate(path, opened)
    assert rate is not None
    assert rate.how.endswith("its pages dropped first")


def test_a_small_file_says_nothing_and_a_full_disk_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x" * 1000)
    assert measure.file_rate(tmp_path / "small") is None
    assert measure.folder_rate(tmp_path, free=measure.SCRATCH) is None
    assert measure.folder_rate(tmp_path / "missing", free=1 << 60) is None
    assert [path.name for path in tmp_path.iterdir()] == ["small"], "nothing is left behind"


def test_what_was_measured_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "measured.json"
    calls: list[int] = []

    def measured() -> Rate:
        calls.append(1)
        return PRETEND

    assert measure.Remembered(path).get("a", measured, again=False) == PRETEND
    assert measure.Remembered(path).get("a", measured, again=False) == PRETEND
    assert len(calls) == 1
    measure.Remembered(path).get("a", measured, again=True)
    assert len(calls) == 2
    assert measure.Remembered(path).known("b") is None


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"a": 5}', '{"a": ["x", "y"]}', '{"a": [0, "none"]}', '{"a": [-1, ""]}', "\xff"])
def test_a_damaged_memory_is_measured_again(tmp_path: Path, text: str) -> None:
    path = tmp_path / "measured.json"
    path.write_bytes(text.encode("latin-1"))
    assert measure.Remembered(path).get("a", lambda: PRETEND, again=False) == PRETEND
    assert measure.Remembered(path).known("a") == PRETEND


def test_a_cache_that_can_not_be_written_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert measure.Remembered(tmp_path / "file" / "measured.json").get("a", lambda: PRETEND, again=False) == PRETEND


def test_the_devices_of_this_llama_cpp() -> None:
    assert isinstance(devices.found(), tuple)
    assert "CPU" in [device.name for device in devices.devices()]


def listing(*rows: dict[str, object]) -> tuple[str, ...]:
    return (sys.executable, "-c", f"print({json.dumps(list(rows))!r})")


def row(name: str, description: str, kind: int) -> dict[str, object]:
    return {"index": 0, "name": name, "description": description, "kind": kind, "free": 20 * GIB, "total": 24 * GIB}


def test_gpus_are_told_from_processors() -> None:
    cuda, metal, other = devices.found(
        listing(
            row("CPU", "a CPU", 0), row("CUDA0", "NVIDIA GeForce RTX 4090", 1), row("MTL0", "Apple M9", 1), row("Vulkan0", "New Card", 1)
        )
    )
    assert (cuda.name, cuda.free, cuda.unified, cuda.rate.basis, cuda.rate.value) == ("CUDA0", 20 * GIB, False, "published", 1008e9)
    assert metal.unified
    assert other.rate.basis == "assumed"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.abort()", "exit code -6"),
        ("raise SystemExit('libcuda.so.1: no such file')", "no such file"),
        ("print('hello')", "unreadably"),
        ("print('[{}]')", "unreadably"),
        ("pass", "unreadably"),
        ("import time; time.sleep(60)", "timed out"),
    ],
)
def test_a_llama_cpp_that_fails_is_said(code: str, said: str) -> None:
    with pytest.raises(EngineError, match=said):
        devices.found((sys.executable, "-c", code), seconds=0.5 if "sleep" in code else 60)


def test_a_survey_measures_once_and_looks_at_the_disk_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    first = survey(None, tmp_path / "models", measure.Remembered(path)).machine
    assert first.disk.folder == tmp_path
    again = survey(None, tmp_path / "models", measure.Remembered(path)).machine
    assert (again.memory_rate, again.compute, again.disk.rate) == (first.memory_rate, first.compute, first.disk.rate)
    assert quick(None, tmp_path, measure.Remembered(path)).memory_rate == first.memory_rate
    assert quick(None, tmp_path, measure.Remembered(tmp_path / "other.json")).memory_rate is None
