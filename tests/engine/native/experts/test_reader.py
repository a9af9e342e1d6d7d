"""The reader: every byte or an error, whatever the drive, the files and the system do, by threads and by rings, under the sanitizers."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.engine.native.programs import compiled, output

PARTS: Final = tuple(
    f"experts/{name}" for name in ("files", "reader", "reader_queue", "reader_ring", "reader_system", "reader_threads", "uring")
)
WATCHED: Final = {
    # The check of virtual tables opens files, of which one case has too few.
    "memory": ("-g1", "-fsanitize=address,undefined", "-fno-sanitize=vptr", "-fno-sanitize-recover=all"),
    "threads": ("-g1", "-fsanitize=thread"),
}
MODES: Final = ("threads", "own", "kernel")
"""What reads: threads, a ring of the test's own, and the kernel's where there is one."""

PIECE: Final = 65536
SIZE: Final = 40 * PIECE + 1234
CHANGED: Final = "copy0 changed while the engine uses it: restart the engine"


@dataclass(frozen=True)
class Cases:
    """A compiled program and what it reads with."""

    program: Path
    mode: str
    folder: Path

    def run(self, case: str) -> list[tuple[str, str]]:
        """Names and what was said of each."""
        lines = output(self.program, self.mode, case, self.folder).splitlines()
        return [(name, said.replace(f"{self.folder}/", "")) for name, _, said in (line.partition(": ") for line in lines)]

    def said(self, case: str) -> dict[str, str]:
        """The same where each name comes once."""
        found = self.run(case)
        assert len(dict(found)) == len(found)
        return dict(found)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each sanitizer."""

    def made(watched: str) -> Path:
        return compiled(tmp_path_factory.mktemp(watched), "experts/try_reader", PARTS, "-O0", *WATCHED[watched])

    with ThreadPoolExecutor(len(WATCHED)) as pool:
        return dict(zip(WATCHED, pool.map(made, WATCHED), strict=True))


@pytest.fixture(params=MODES)
def cases(request: pytest.FixtureRequest, programs: dict[str, Path], tmp_path: Path) -> Cases:
    return Cases(programs["memory"], request.param, tmp_path)


@pytest.fixture(params=[(watched, mode) for watched in WATCHED for mode in MODES], ids="-".join)
def watched_cases(request: pytest.FixtureRequest, programs: dict[str, Path], tmp_path: Path) -> Cases:
    """Those that threads take part in."""
    watched, mode = request.param
    return Cases(programs[watched], mode, tmp_path)


def counts(*, reads: int, retries: int = 0, failures: int = 0, size: int = SIZE) -> dict[str, str]:
    return {"bytes": f"{size}", "reads": f"{reads}", "retries": f"{retries}", "failures": f"{failures}"}


def test_ranges_are_read_wherever_they_begin_and_end(cases: Cases) -> None:
    found = cases.run("plain")
    assert {said for name, said in found if name in ("all", "part")} == {""}
    rest = {name: said for name, said in found if name not in ("all", "part")}
    assert rest.pop("outside") == f"copy0: it has {SIZE} bytes, and not the 1235 that should be at {40 * PIECE}: download it again"
    assert rest == {"nowhere": "there is no file 1 to read from", "busy": "1"}


def test_ranges_that_continue_each_other_are_one_read(cases: Cases) -> None:
    found = cases.said("together")
    assert (found["error"], found["same"], found["reads"]) == ("", "1", "2")


@pytest.mark.parametrize(("case", "elsewhere"), [("once", "0"), ("elsewhere", "1")])
def test_what_fails_once_is_read_again_from_another_copy_if_there_is_one(case: str, elsewhere: str, watched_cases: Cases) -> None:
    assert watched_cases.said(case) == {"error": "", "elsewhere": elsewhere, **counts(reads=41, retries=1)}


def test_what_fails_twice_fails_its_job_alone(cases: Cases) -> None:
    found = cases.said("always")
    assert found["error"].startswith(f"copy0: {PIECE} bytes at {3 * PIECE} can't be read: Input/output error; it was tried twice: check")
    assert (found["other"], found["retries"], found["failures"]) == ("", "1", "1")


def test_short_reads_and_interruptions_go_on_where_they_stopped(cases: Cases) -> None:
    assert cases.said("pieces") == {"error": "", **counts(reads=41)}


def test_a_system_that_always_interrupts_is_an_error(cases: Cases) -> None:
    assert "can't be read: Resource temporarily unavailable" in cases.said("interrupted")["error"]


def test_a_file_that_ends_too_early_is_an_error(cases: Cases) -> None:
    assert "can't be read: the file ends after 0 of them; it was tried twice" in cases.said("ended")["error"]


def test_a_truncated_file_has_changed(cases: Cases) -> None:
    assert cases.said("truncated") == {"before": "", "after": CHANGED, "for good": CHANGED}


@pytest.mark.parametrize("case", ["written", "replaced"])
def test_a_file_with_other_bytes_has_changed(case: str, cases: Cases) -> None:
    assert cases.said(case) == {"after": CHANGED}


def test_what_can_not_be_read_from_is_refused(cases: Cases) -> None:
    assert cases.said("opening") == {
        "size": "copy1: it is no copy of copy0, whose size is another one: copy it again",
        "content": f"copy1: it is no copy of copy0: they differ behind byte {40 * PIECE}: copy it again",
        "missing": "copy3: it can't be opened: No such file or directory",
        "folder": "copy3: it can't be read: it is no regular file",
        "piece": "a reader's pieces must have a multiple of 4096 bytes, at most 1 GiB",
        "depth": "a reader's depth must be 1 to 1024",
        "none": "there are no files to read from",
    }


def test_too_few_descriptors_cost_the_ring_or_are_an_error(cases: Cases) -> None:
    assert cases.said("descriptors") == {
        "few": "",
        "fewer": "copy1: it can't be opened: Too many open files: raise the limit of open files (ulimit -n)",
    }


def test_a_ring_that_is_refused_is_done_without(cases: Cases) -> None:
    found = cases.run("ring")
    assert {said for name, said in found if name == "error"} == {""}
    assert {said for name, said in found if name == "uring"} == {"0"}
    notes = [said for name, said in found if name == "note"]
    if cases.mode == "threads":
        assert set(notes) == {"threads"}
    else:
        assert notes == [
            "threads, without io_uring: the system has none",
            "threads, without io_uring: it is forbidden here (kernel.io_uring_disabled, or a container's rules)",
            "threads, without io_uring: too many files are open (ulimit -n)",
            "threads, without io_uring: there is too little memory for it (ulimit -l)",
            "io_uring, depth 2 instead of 8: memory is short (ulimit -l)",
        ]


def test_a_system_that_forbids_rings_is_read_by_threads(programs: dict[str, Path], tmp_path: Path) -> None:
    found = Cases(programs["memory"], "kernel", tmp_path).run("forbidden")
    assert [said for name, said in found if name == "error"] == ["", ""]
    assert all(said.startswith("threads, without io_uring") for name, said in found if name == "note")


@pytest.mark.parametrize("case", ["buffered", "late"])
def test_without_direct_reads_the_page_cache_does_not_grow(case: str, cases: Cases) -> None:
    found = cases.said(case)
    assert found.pop("note").endswith(", through the page cache: the file system has no direct reads")
    assert found == {"error": "", "direct": "0", "forgotten": "1"}


def test_a_slow_drive_gets_little_to_do(programs: dict[str, Path], tmp_path: Path) -> None:
    found = Cases(programs["memory"], "threads", tmp_path).run("slow")
    assert {said for name, said in found if name == "error"} == {""}
    assert {name: said for name, said in found if name != "error"} == {"both": "1", "mostly fast": "1"}


def test_urgent_jobs_come_first_and_cancelled_ones_never(watched_cases: Cases) -> None:
    assert watched_cases.said("order") == {"cancelled": "1", "too late": "0", "unknown": "0", "order": "0453127", "done": "0", "never": "1"}


def test_a_closed_reader_ends_what_it_began(programs: dict[str, Path], tmp_path: Path) -> None:
    found = Cases(programs["memory"], "threads", tmp_path).run("closing")
    assert [said for name, said in found if name == "over"] == ["0", "0", "1"]
    assert [said for name, said in found if name == "job"] == ["", *["the reader was closed"] * 3]
    assert ("right", "1") in found


def test_nothing_is_lost_among_many_jobs_and_faults(watched_cases: Cases) -> None:
    found = watched_cases.said("soak")
    assert (found["wrong"], found["unexpected"]) == ("0", "0")
    assert all(int(found[kind]) > 0 for kind in ("read", "failed", "cancelled", "closed"))
