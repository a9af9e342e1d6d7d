"""Locks by path: exclusive between threads and processes, shared by nobody, free of circles."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kimicode.files.locks import LockTimeout, locked


def test_threads_exclude_each_other(at, locks: Path) -> None:
    inside, overlaps, total = 0, 0, 0

    def work() -> None:
        nonlocal inside, overlaps, total
        for _ in range(20):
            with locked([at("a")], folder=locks, timeout_s=60):
                inside += 1
                overlaps += inside != 1
                total += 1
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (overlaps, total) == (0, 160)


def test_a_held_lock_is_a_clear_error_and_others_are_free(at, locks: Path) -> None:
    with locked([at("a"), at("b")], folder=locks, timeout_s=1):
        for wanted in ([at("a")], [at("c"), at("b")]):
            with pytest.raises(LockTimeout, match=r"another kimicode process was changing it for all of 0\.01 s"), _try(wanted, locks):
                pass
        with _try([at("c")], locks):
            pass
    with _try([at("a"), at("b")], locks):
        pass


def test_the_same_place_twice_is_one_lock(at, locks: Path) -> None:
    with _try([at("a"), at("a")], locks):
        pass


def test_opposite_orders_do_not_wait_in_a_circle(at, locks: Path) -> None:
    places = [at(f"f{n}") for n in range(10)]
    done = []

    def work(order: int) -> None:
        for _ in range(30):
            with locked(places[::order], folder=locks, timeout_s=60):
                done.append(order)

    threads = [threading.Thread(target=work, args=(order,)) for order in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 60


def test_very_many_places_exclude_everything_with_few_descriptors(at, locks: Path) -> None:
    many = [at(f"f{n}") for n in range(5_000)]
    with locked(many, folder=locks, timeout_s=1):
        assert [path.name for path in locks.iterdir()] == ["all"]
        with pytest.raises(LockTimeout, match=r"f0: |a: "), _try([at("a")], locks):
            pass
    with locked([at("a")], folder=locks, timeout_s=1), pytest.raises(LockTimeout, match="5000 files"), _try(many, locks):
        pass


_HOLDER = """
import sys
from pathlib import Path
from kimicode.files.locks import locked
from kimicode.files.place import Place
with locked([Place(Path(sys.argv[1]), ("a",))], folder=Path(sys.argv[2]), timeout_s=1):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_killed_process_holds_nothing(tree: Path, at, locks: Path) -> None:
    command = [sys.executable, "-c", _HOLDER, tree, locks]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockTimeout), _try([at("a")], locks):
            pass
        holder.kill()
        with locked([at("a")], folder=locks, timeout_s=60):
            pass


def _try(places, locks: Path):
    return locked(places, folder=locks, timeout_s=0.01)
