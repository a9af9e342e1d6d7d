"""Commits that wait: none is lost, none is reviewed by two, and none is tried for ever."""

import multiprocessing
import os
from pathlib import Path

import pytest

from kimicode.review.background import MAX_TRIES, MAX_WAITING, Desk


def name(number: int) -> str:
    return f"{number:040x}"


def no(*given: object) -> None:
    raise AssertionError(given)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk.of(tmp_path / "cache", tmp_path / "repository")


def put(desk: Desk, *numbers: int) -> None:
    """Let commits wait, of distinct ages."""
    for number in numbers:
        desk.add(name(number))
        os.utime(desk.log.parent / name(number), ns=(number, number))


def test_nothing_waits_and_nothing_is_made(desk: Desk, tmp_path: Path) -> None:
    assert desk.waiting() == ()
    assert not desk.busy()
    assert desk.drain(no, no) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_newest_is_first(desk: Desk) -> None:
    put(desk, 1, 3, 2)
    done: list[str] = []
    assert desk.waiting() == (name(3), name(2), name(1))
    assert desk.drain(done.append, no) == 3
    assert done == [name(3), name(2), name(1)]
    assert desk.waiting() == ()


def test_what_comes_during_a_review_is_reviewed_too(desk: Desk) -> None:
    put(desk, 1)
    done: list[str] = []

    def review(commit: str) -> None:
        assert desk.busy()
        done.append(commit)
        if len(done) == 1:
            put(desk, 2)

    assert desk.drain(review, no) == 2
    assert done == [name(1), name(2)]


def test_a_second_worker_leaves_the_work_to_the_first(desk: Desk) -> None:
    put(desk, 1)
    assert desk.drain(lambda _: (desk.drain(no, no) == 0 or no()) and None, no) == 1


def test_very_many_are_given_up_oldest_first(desk: Desk) -> None:
    put(desk, *range(1, MAX_WAITING + 4))
    lost: list[str] = []
    assert desk.drain(lambda _: None, lambda commit, why: lost.append(commit)) == MAX_WAITING
    assert lost == [name(3), name(2), name(1)]


def test_a_review_that_ends_its_process_is_not_tried_for_ever(desk: Desk) -> None:
    put(desk, 1)

    def fail(commit: str) -> None:
        raise RuntimeError(commit)

    for _ in range(MAX_TRIES):
        with pytest.raises(RuntimeError):
            desk.drain(fail, no)
        assert desk.waiting() == (name(1),)
    lost: list[tuple[str, str]] = []
    assert desk.drain(no, lambda commit, why: lost.append((commit, why))) == 0
    assert [commit for commit, _ in lost] == [name(1)]
    assert desk.waiting() == ()


def _work(cache: Path, record: Path, numbers: range) -> None:
    desk = Desk.of(cache, Path("/repository"))

    def review(commit: str) -> None:
        with record.open("a") as file:
            file.write(f"{commit}\n")

    for number in numbers:
        desk.add(name(number))
        desk.drain(review, no)


def test_many_processes_review_each_commit_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    record = tmp_path / "record"
    processes = [context.Process(target=_work, args=(tmp_path / "cache", record, range(at, at + 5))) for at in (0, 100, 200)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(record.read_text().split()) == sorted(name(at + more) for at in (0, 100, 200) for more in range(5))
    assert Desk.of(tmp_path / "cache", Path("/repository")).waiting() == ()
