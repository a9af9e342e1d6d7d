"""The cache's memory is spread over the nodes that this process may run on, once a range, and otherwise left alone."""

from pathlib import Path

import pytest

from tests.engine.native.programs import compiled, output

HUGE = ["huge 101 8192", "huge 200 4096"]
"""Whole pages only, each range once."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("numa"), "try_numa", ("numa",))


def machine(folder: Path, memory: str, processors: list[str], huge: str = "always [madvise] never") -> Path:
    """A folder as /sys: the nodes with memory, and the processors of each node."""
    (folder / "huge").write_text(f"{huge}\n", "ascii")
    (folder / "nodes").mkdir()
    (folder / "nodes" / "has_memory").write_text(f"{memory}\n", "ascii")
    for node, its in enumerate(processors):
        (folder / "nodes" / f"node{node}").mkdir()
        (folder / "nodes" / f"node{node}" / "cpulist").write_text(f"{its}\n", "ascii")
    return folder


def told(program: Path, root: Path, processors: int, *, bound: bool = False) -> tuple[str, list[str]]:
    nodes, *calls = output(program, root, processors, int(bound)).splitlines()
    return nodes, calls


def test_one_node_gets_huge_pages_and_nothing_else(program: Path, tmp_path: Path) -> None:
    assert told(program, machine(tmp_path, "0", ["0-3"]), 4) == ("nodes 0", HUGE)


@pytest.mark.parametrize("count", [2, 8])
def test_pages_are_spread_over_all_nodes(count: int, program: Path, tmp_path: Path) -> None:
    processors = [f"{node * 4}-{node * 4 + 3}" for node in range(count)]
    nodes, calls = told(program, machine(tmp_path, f"0-{count - 1}", processors), count * 4)
    assert nodes == " ".join(["nodes", *map(str, range(count))])
    mask = f"{(1 << count) - 1:x}"
    assert calls == [HUGE[0], f"interleave 101 8192 {mask}", HUGE[1], f"interleave 200 4096 {mask}"]


def test_a_node_where_this_process_may_not_run_gets_none(program: Path, tmp_path: Path) -> None:
    nodes, calls = told(program, machine(tmp_path, "0-2", ["0-1,6", "2,3", "4-5"]), 4)
    assert (nodes, calls[1]) == ("nodes 0 1", "interleave 101 8192 3")


def test_a_node_without_processors_or_memory_gets_none(program: Path, tmp_path: Path) -> None:
    nodes, calls = told(program, machine(tmp_path, "0,2-3", ["0", "1", "", "2"]), 8)
    assert (nodes, calls[1]) == ("nodes 0 3", "interleave 101 8192 9")


def test_memory_with_a_policy_stays_where_it_is(program: Path, tmp_path: Path) -> None:
    assert told(program, machine(tmp_path, "0-1", ["0", "1"]), 2, bound=True)[1] == HUGE


def test_huge_pages_are_not_asked_for_where_they_are_off(program: Path, tmp_path: Path) -> None:
    assert told(program, machine(tmp_path, "0", ["0"], "always madvise [never]"), 1)[1] == []


def test_a_system_that_says_nothing_is_left_alone(program: Path, tmp_path: Path) -> None:
    assert told(program, tmp_path, 4) == ("nodes", [])
