"""A workspace and its index: brought up to date in one process or several, shared, interrupted, killed, and always right afterwards."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimicode.repo.codebase import Codebase
from kimicode.repo.contents import blob_name
from kimicode.repo.extract import extract
from kimicode.repo.reading import Wanted, outcome
from tests.repo.places import Folder, paths
from tests.repo.test_snapshot import STEPS, apply

HERE = Path(__file__).parents[2]


@pytest.fixture
def work(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    folder.git("init", "-q")
    return folder


def many(folder: Folder, count: int, lines: int = 30) -> None:
    for number in range(count):
        folder.write(f"p{number % 7}/m{number}.py", "".join(f"def f_{number}_{line}():\n    return g(h)\n" for line in range(lines)))


def right(codebase: Codebase) -> bool:
    """True where the index says of every source file what a fresh look at it says."""
    tree = codebase.refresh().tree
    expected = {
        file.path: symbols
        for file in tree.files
        if file.path.endswith(".py") and (symbols := extract(file.path, (tree.root / file.path).read_bytes())) is not None
    }
    return codebase.index.symbols_of(tree.files) == expected


def test_first_everything_then_only_what_changed(work: Folder, tmp_path: Path) -> None:
    work.commit(a="def one(): pass", b="def two(): pass")
    work.write("README.md", "x")
    codebase = work.codebase(tmp_path / "cache")
    assert codebase.refresh().indexed == 2
    assert codebase.refresh().indexed == 0
    work.write("a.py", "def three(): pass")
    (work.path / "b.py").unlink()
    refreshed = codebase.refresh()
    assert (refreshed.indexed, refreshed.missing, refreshed.notice) == (1, (), "")
    assert [path for path, _ in codebase.index.definitions(refreshed.tree, "three")] == ["a.py"]
    assert codebase.index.definitions(refreshed.tree, "one") == codebase.index.definitions(refreshed.tree, "two") == ()


@pytest.mark.parametrize("processes", [1, 3])
def test_many_files_are_read_by_processes_that_are_gone_afterwards(work: Folder, tmp_path: Path, processes: int) -> None:
    many(work, 150)
    codebase = work.codebase(tmp_path / "cache", processes=processes)
    told: list[tuple[int, int]] = []
    assert codebase.refresh(progress=lambda done, of: told.append((done, of))).indexed == 150
    assert told[-1] == (150, 150)
    assert not workers()
    assert right(codebase)
    assert codebase.refresh().indexed == 0


def workers() -> list[psutil.Process]:
    found = []
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "kimicode.repo.worker" in " ".join(each.cmdline()):
                found.append(each)
    return found


def test_clones_and_worktrees_index_nothing_again(work: Folder, tmp_path: Path) -> None:
    many(work, 40)
    work.commit()
    assert work.codebase(tmp_path / "cache").refresh().indexed == 40
    work.git("clone", "-q", str(work.path), str(tmp_path / "clone"))
    work.git("worktree", "add", "-q", str(tmp_path / "other"))
    for name in ("clone", "other"):
        codebase = Folder(tmp_path, name).codebase(tmp_path / "cache")
        assert codebase.refresh().indexed == 0
        assert right(codebase)
        assert codebase.tree().name == work.tree().name


def test_what_is_committed_later_is_known_already(work: Folder, tmp_path: Path) -> None:
    work.write("a.py", "def one(): pass")
    codebase = work.codebase(tmp_path / "cache")
    assert codebase.refresh().indexed == 1
    work.commit()
    assert codebase.refresh().indexed == 0


def test_only_some_files(work: Folder, tmp_path: Path) -> None:
    work.commit(a="def one(): pass", b="def two(): pass")
    codebase = work.codebase(tmp_path / "cache")
    refreshed = codebase.refresh(only=["b.py", "nowhere.py"])
    assert refreshed.indexed == 1
    assert set(codebase.index.symbols_of(refreshed.tree.files)) == {"b.py"}
    assert codebase.refresh().indexed == 1


def test_without_time_what_is_missing_is_said_and_made_up_for_later(work: Folder, tmp_path: Path) -> None:
    many(work, 60)
    work.commit()
    work.write("p1/new.py", "def new(): pass")
    codebase = work.codebase(tmp_path / "cache")
    first = codebase.refresh(seconds=0)
    assert (first.indexed, len(first.missing)) == (0, 61)
    assert first.missing[0] == "p1/new.py"
    assert codebase.refresh(seconds=600).missing == ()
    assert right(codebase)


def test_a_subfolder_and_a_folder_without_git(work: Folder, tmp_path: Path) -> None:
    many(work, 20)
    work.commit()
    assert work.codebase(tmp_path / "cache", below="p1").refresh().indexed == 3
    plain = Folder(tmp_path, "plain")
    many(plain, 30)
    codebase = plain.codebase(tmp_path / "cache")
    assert codebase.refresh().indexed == 27
    assert right(codebase)
    assert plain.codebase(tmp_path / "cache").refresh().indexed == 0


def test_files_that_can_not_be_read_are_passed_over(work: Folder, tmp_path: Path) -> None:
    work.commit(a="def one(): pass")
    (work.path / "big.py").write_bytes(b"x = 1\n" * 2_000_000)
    (work.path / "binary.py").write_bytes(b"\0" * 100)
    (work.path / "odd\udcff.py").write_text("def odd(): pass")
    codebase = work.codebase(tmp_path / "cache")
    tree = codebase.refresh().tree
    symbols = codebase.index.symbols_of(tree.files)
    assert {path: each.problem for path, each in symbols.items()} == {
        "a.py": "", "big.py": "too large", "binary.py": "binary", "odd\udcff.py": ""
    }  # fmt: skip
    assert codebase.refresh().indexed == 0


def test_a_file_that_git_would_convert_is_known_by_what_git_calls_it_or_by_what_it_holds(work: Folder, tmp_path: Path) -> None:
    work.write(".gitattributes", "*.py text\nw.py working-tree-encoding=UTF-16LE\n")
    work.write("crlf.py", "def one():\r\n    pass\r\n")
    (work.path / "w.py").write_bytes("def wide(): pass\n".encode("utf-16le"))
    work.git("add", "-A")
    work.git("commit", "-q", "-m", "m")
    codebase = work.codebase(tmp_path / "cache")
    refreshed = codebase.refresh()
    tree = refreshed.tree
    assert refreshed.indexed == 2
    assert [path for path, _ in codebase.index.definitions(tree, "one")] == ["crlf.py"]
    assert codebase.index.missing(tree.files) == []
    again = work.codebase(tmp_path / "cache").refresh()
    assert codebase.index.missing(again.tree.files) == []


def test_a_content_is_never_stored_under_the_name_of_another(work: Folder, tmp_path: Path) -> None:
    """A file that changes between being listed and being read: what was listed is not what is read."""
    work.commit(a="def one(): pass")
    wanted = Wanted(b"a.py", "Python", work.tree().files[0].key)
    work.write("a.py", "def two(): pass")
    made = outcome(work.path, wanted).made
    assert made is not None
    assert made.key == blob_name(b"def two(): pass", wide=False)
    assert made.names == ("two",)


REFRESH = """
import os, sys
from pathlib import Path
from kimicode.repo.codebase import Codebase
codebase = Codebase(Path(sys.argv[1]), os.environ, cache=Path(sys.argv[2]), processes=2)
print("ready", flush=True)
sys.stdin.readline()
print(codebase.refresh(progress=lambda done, of: print("progress", done, flush=True)).indexed, flush=True)
"""


def start(work: Folder, cache: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", REFRESH, str(work.path), str(cache)],
        cwd=HERE, env=work.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_two_processes_at_once_are_both_right_and_share_the_work(work: Folder, tmp_path: Path) -> None:
    many(work, 300)
    processes = [start(work, tmp_path / "cache") for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    counts = [int(process.communicate()[0].splitlines()[-1]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert max(counts) <= 300
    codebase = work.codebase(tmp_path / "cache")
    assert codebase.refresh().indexed == 0
    assert right(codebase)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_an_end_in_the_middle_leaves_what_is_done(work: Folder, tmp_path: Path, sent: signal.Signals) -> None:
    many(work, 700, lines=5)
    with start(work, tmp_path / "cache") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith("progress")
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(sent)
        process.stdout.read()
    assert process.returncode != 0
    assert psutil.wait_procs(children, timeout=20)[1] == []
    codebase = work.codebase(tmp_path / "cache")
    left = codebase.refresh().indexed
    assert 0 < left < 700
    assert right(codebase)


def test_closing_ends_a_refresh_in_another_thread(work: Folder, tmp_path: Path) -> None:
    many(work, 700, lines=5)
    codebase = work.codebase(tmp_path / "cache")
    begun, results = threading.Event(), []
    thread = threading.Thread(target=lambda: results.append(codebase.refresh(progress=lambda done, of: begun.set())))
    thread.start()
    assert begun.wait(60)
    codebase.close()
    thread.join(60)
    assert not thread.is_alive()
    assert results[0].missing
    assert not workers()


def test_threads_take_turns(work: Folder, tmp_path: Path) -> None:
    many(work, 40)
    codebase = work.codebase(tmp_path / "cache")
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(codebase.refresh().indexed)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 0, 0, 40]


def test_a_file_that_ends_its_reader_is_passed_over(work: Folder, tmp_path: Path) -> None:
    """Readers are killed as soon as they are there, again and again; the files are read nevertheless, or said to be unreadable."""
    many(work, 120)
    codebase = work.codebase(tmp_path / "cache")
    stop = threading.Event()

    def kill() -> None:
        killed = 0
        while not stop.is_set() and killed < 12:
            for each in workers():
                try:
                    each.kill()
                    killed += 1
                except psutil.NoSuchProcess:
                    pass
            stop.wait(0.02)

    thread = threading.Thread(target=kill)
    thread.start()
    refreshed = codebase.refresh()
    stop.set()
    thread.join()
    assert refreshed.missing == ()
    assert set(codebase.index.symbols_of(refreshed.tree.files)) == set(paths(refreshed.tree))


def test_an_index_that_is_damaged_between_two_refreshes_is_filled_again(work: Folder, tmp_path: Path) -> None:
    many(work, 60)
    work.commit()
    codebase = work.codebase(tmp_path / "cache")
    codebase.refresh()
    codebase.index.close()
    (path,) = (tmp_path / "cache").glob("*.sqlite")
    path.write_bytes(b"garbage" * 1000)
    assert right(codebase)
    assert codebase.refresh().missing == ()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, large=st.booleans())
def test_any_sequence_of_changes_gives_what_a_fresh_index_gives(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]], large: bool
) -> None:
    home = tmp_path_factory.mktemp("any")
    work = Folder(home)
    work.git("init", "-q")
    codebase = work.codebase(home / "cache")
    for step in steps:
        apply(work, step)
        if large:
            codebase.refresh()
    assert right(codebase)
    codebase.close()


def test_nothing_is_written_but_the_cache(work: Folder, tmp_path: Path) -> None:
    many(work, 40)
    work.commit()

    def everything() -> dict[str, tuple[int, int]]:
        found = {str(each): each.lstat() for root in (work.path, tmp_path) for each in root.rglob("*") if "cache" not in each.parts}
        return {path: (each.st_mtime_ns, each.st_ino) for path, each in found.items()}

    before = everything()
    assert right(work.codebase(tmp_path / "cache"))
    assert everything() == before
    assert os.listdir(tmp_path / "cache")
