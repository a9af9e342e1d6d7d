import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.agent.schedule import AT_ONCE, run_calls, waits
from kimicode.tools.base import Accesses

A, B, FOLDER = Path("/w/a"), Path("/w/b"), Path("/w")
accesses = st.lists(
    st.builds(
        Accesses,
        reads=st.lists(st.sampled_from([A, B, FOLDER]), max_size=2).map(tuple),
        writes=st.lists(st.sampled_from([A, B]), max_size=1).map(tuple),
        everything=st.booleans(),
    ),
    max_size=12,
)


def test_conflicting_calls_wait():
    read, write, shell = Accesses(reads=(A,)), Accesses(writes=(A,)), Accesses(everything=True)
    assert waits([read, read, write, read, Accesses(reads=(B,)), shell]) == ((), (), (0, 1), (2,), (), (0, 1, 2, 3, 4))
    assert waits([write, Accesses(reads=(FOLDER,))]) == ((), (0,))


@settings(deadline=None)
@given(accesses, st.randoms(use_true_random=False))
def test_order_and_exclusion(declared, random):
    reports, active = [], set()

    async def start(index):
        assert not any(declared[index].conflicts(declared[other]) for other in active)
        assert all(other in done for other in range(index) if declared[other].conflicts(declared[index]))
        active.add(index)
        assert len(active) <= AT_ONCE
        for _ in range(random.randint(0, 4)):
            await asyncio.sleep(0)
        active.remove(index)
        done.add(index)
        return index * 10

    done = set()
    asyncio.run(run_calls(declared, start, lambda index, result: reports.append((index, result))))
    assert reports == [(index, index * 10) for index in range(len(declared))]


def test_calls_without_conflict_run_side_by_side():
    async def scenario():
        together = asyncio.Barrier(3)

        async def start(index):
            await together.wait()

        await run_calls([Accesses()] * 3, start, lambda *_: None)

    asyncio.run(scenario())


def test_a_fault_cancels_the_rest_and_every_call_is_reported():
    reports = []

    async def start(index):
        if index == 1:
            raise ValueError("fault")
        if index == 2:
            await asyncio.Event().wait()
        return "ok"

    with pytest.raises(ValueError, match="fault"):
        asyncio.run(run_calls([Accesses()] * 4, start, lambda index, result: reports.append((index, result))))
    assert reports == [(0, "ok"), (1, None), (2, None), (3, "ok")]


def test_nothing_to_do():
    asyncio.run(run_calls([], lambda _: None, lambda *_: None))
