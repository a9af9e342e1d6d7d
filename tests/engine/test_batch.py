"""Continuous batching over a decoder that notices every wrong cell: each answer is what it would be alone."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.batch import Batcher, Ended, Failed, Pace, Prefilled, Sampled, Step, Task
from engine.errors import DecodeError
from engine.pool import Pool
from engine.sampling import Sampler, Sampling
from engine.store import BLOCK_TOKENS, BlockStore
from tests.engine.fakedecoder import END, FakeDecoder, answer


def batcher(decoder: FakeDecoder, *, store: BlockStore | None = None, parallel: int = 4, context: int | None = None) -> Batcher:
    return Batcher(decoder, Pool(decoder, store), context=context or decoder.cells, ends=frozenset({END}), parallel=parallel)


def task(prompt: Sequence[int], room: int = 20, priority: int = 0) -> Task:
    return Task(prompt, Sampler(Sampling(temperature=0)), room, priority)


def run(batching: Batcher, limit: int = 10_000) -> dict[Task, list[Step]]:
    """All steps of all tasks until nobody is left."""
    found: dict[Task, list[Step]] = {}
    for _ in range(limit):
        if not batching.busy:
            return found
        for owner, step in batching.step():
            found.setdefault(owner, []).append(step)
    raise AssertionError("the batcher does not come to an end")


def said(steps: list[Step]) -> list[int]:
    return [step.token for step in steps if isinstance(step, Sampled)]


def prompt(seed: int, length: int) -> list[int]:
    return [1 + (seed * 7919 + n * n * 31 + n) % 60 for n in range(length)]


def test_one_answer() -> None:
    decoder = FakeDecoder()
    batching = batcher(decoder)
    one = task(prompt(1, 100))
    batching.submit(one)
    steps = run(batching)[one]
    assert said(steps) == answer(one.prompt, 20)
    reads = [step for step in steps if isinstance(step, Prefilled)]
    assert reads[-1] == Prefilled(0, 100, 100)
    assert steps[-1] == Ended()
    assert len(decoder.computed) == 100 + len(said(steps)) - 1


def test_the_next_request_of_a_conversation_computes_only_what_is_new() -> None:
    decoder = FakeDecoder()
    batching = batcher(decoder)
    first = task(prompt(1, 100))
    batching.submit(first)
    reply = said(run(batching)[first])
    second = task([*first.prompt, *reply, 5, 6, 7])
    batching.submit(second)
    steps = run(batching)[second]
    assert said(steps) == answer(second.prompt, 20)
    assert next(step for step in steps if isinstance(step, Prefilled)).cached == 100 + len(reply) - 1
    assert decoder.used == len(second.prompt) + len(said(steps)) - 1


def test_the_same_prompt_again_computes_its_last_token_only() -> None:
    decoder = FakeDecoder()
    batching = batcher(decoder)
    for _ in range(2):
        batching.submit(task(prompt(3, 64), room=1))
        run(batching)
    assert len(decoder.computed) == 65


def test_a_common_beginning_of_requests_that_come_together_is_computed_once() -> None:
    decoder = FakeDecoder(cells=2048)
    batching = batcher(decoder, parallel=8)
    tasks = [task([*prompt(1, 500), number, number], room=5) for number in range(1, 9)]
    for one in tasks:
        batching.submit(one)
    found = run(batching)
    assert [said(found[one]) for one in tasks] == [answer(one.prompt, 5) for one in tasks]
    assert decoder.computed.count(prompt(1, 500)[0]) < 2 * 500
    assert len(decoder.computed) <= 500 + 8 * (2 + 5)
    assert decoder.used <= 500 + 8 * (2 + 5)


def test_running_answers_go_on_while_a_long_prompt_is_read_and_the_pace_is_kept() -> None:
    now = [0.0]

    class Slow(FakeDecoder):
        def decode(self, entries: Sequence[object]) -> None:
            now[0] += 0.01 + 0.005 * len(entries)
            super().decode(entries)  # type: ignore[arg-type]

    decoder = Slow(cells=4096, batch=512)
    batching = Batcher(decoder, Pool(decoder), context=4096, ends=frozenset(), parallel=4, stall=0.1, clock=lambda: now[0])
    writer, reader = task(prompt(1, 5), room=200), task(prompt(2, 2000), room=1)
    batching.submit(writer)
    batching.step()
    batching.submit(reader)
    gaps, last = [], now[0]
    while reader.written == 0:
        assert any(owner is writer and isinstance(step, Sampled) for owner, step in batching.step())
        gaps.append(now[0] - last)
        last = now[0]
    # 0.1 s of reading, one step of writing, and the first portion, which is a guess.
    assert max(gaps[3:]) <= 0.1 + 0.02
    assert len(gaps) < 2000 / 15


def test_interactive_requests_pass_a_swarm_and_take_its_seats() -> None:
    decoder = FakeDecoder(cells=4096, sequences=16)
    batching = batcher(decoder, parallel=2)
    swarm = [task(prompt(number, 50), room=30, priority=1) for number in range(4)]
    for one in swarm:
        batching.submit(one)
    batching.step()
    urgent = task(prompt(9, 50), room=3)
    batching.submit(urgent)
    ended: list[Task] = []
    outputs: dict[Task, list[int]] = {one: [] for one in [*swarm, urgent]}
    while batching.busy:
        for owner, step in batching.step():
            if isinstance(step, Sampled):
                outputs[owner].append(step.token)
            elif isinstance(step, Ended):
                ended.append(owner)
    assert urgent in ended[:2]
    assert batching.state.preempted == 1
    # Nobody's answer suffers: what had been written before it lost its seat stays.
    done = [30 if END not in answer(one.prompt, 30) else None for one in swarm]
    assert [outputs[one] for one in swarm] == [answer(one.prompt, 30) for one in swarm], done


def test_a_swarm_does_not_starve_while_interactive_prompts_are_read() -> None:
    decoder = FakeDecoder(cells=8192, batch=64)
    batching = batcher(decoder, parallel=2)
    slow, swarm = task(prompt(1, 4000), room=1), task(prompt(2, 200), room=1, priority=1)
    for one in (swarm, slow):
        batching.submit(one)
    ended = []
    while batching.busy:
        ended += [owner for owner, step in batching.step() if isinstance(step, Ended)]
    assert ended == [swarm, slow]


def test_when_cells_run_out_the_youngest_waits_and_goes_on_later() -> None:
    decoder = FakeDecoder(cells=256)
    batching = batcher(decoder)
    tasks = [task(prompt(number, 60), room=60) for number in range(4)]
    for one in tasks:
        batching.submit(one)
    found = run(batching)
    assert [said(found[one]) for one in tasks] == [answer(one.prompt, 60) for one in tasks]


def test_an_answer_ends_where_the_context_does() -> None:
    decoder = FakeDecoder(cells=64)
    batching = batcher(decoder, context=40)
    one = task([5] * 30, room=1000)
    batching.submit(one)
    steps = run(batching)[one]
    assert len(said(steps)) == min(10, len(answer([5] * 30, 1000)))
    assert steps[-1] == Ended()


def test_a_cancelled_request_frees_its_seat_at_once_and_keeps_what_it_computed() -> None:
    decoder = FakeDecoder()
    batching = batcher(decoder, parallel=1)
    one, two = task(prompt(1, 40), room=1000), task(prompt(2, 40), room=2)
    batching.submit(one)
    batching.submit(two)
    while one.written < 3:
        batching.step()
    batching.cancel(one)
    assert batching.state.active == 0
    steps = run(batching)
    assert set(steps) == {two}
    again = task(prompt(1, 40), room=3)
    batching.submit(again)
    assert next(step for step in run(batching)[again] if isinstance(step, Prefilled)).cached == 39


def test_a_failed_batch_fails_its_requests_and_no_other() -> None:
    decoder = FakeDecoder()
    batching = batcher(decoder, parallel=2)
    one, two = task(prompt(1, 40)), task(prompt(2, 40))
    batching.submit(one)
    decoder.fail = True
    (failed,) = run(batching)[one]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, DecodeError)
    assert decoder.used == 0
    batching.submit(two)
    assert said(run(batching)[two]) == answer(two.prompt, 20)


def test_a_request_that_must_wait_for_cells_loses_nothing_of_what_is_known() -> None:
    decoder = FakeDecoder(cells=256)
    batching = batcher(decoder, parallel=2)
    known = task(prompt(2, 60), room=1)
    batching.submit(known)
    run(batching)
    long, waiting = task(prompt(1, 150), room=40), task([*prompt(2, 60), *prompt(3, 60)], room=30)
    batching.submit(long)
    batching.step()
    batching.submit(waiting)
    found = run(batching)
    assert next(step for step in found[waiting] if isinstance(step, Prefilled)).cached == 60
    assert said(found[long]) == answer(long.prompt, 40)


def store(folder: Path, limit: int = 1 << 30) -> BlockStore:
    return BlockStore(folder, limit, b"fake")


def test_what_was_evicted_comes_back_from_disk(tmp_path: Path) -> None:
    decoder = FakeDecoder(cells=700)
    batching = batcher(decoder, store=store(tmp_path / "kv"))
    first = prompt(1, 3 * BLOCK_TOKENS + 50)
    for tokens in (first, prompt(2, 600)):
        batching.submit(task(tokens, room=1))
        run(batching)
    assert batching.pool.evicted == 1
    decoder.computed.clear()
    again = task(first, room=4)
    batching.submit(again)
    steps = run(batching)[again]
    assert said(steps) == answer(first, 4)
    assert next(step for step in steps if isinstance(step, Prefilled)).cached == len(first) - 1
    assert len(decoder.computed) == 1 + len(said(steps)) - 1


def test_what_was_saved_survives_the_process(tmp_path: Path) -> None:
    tokens = prompt(4, 2 * BLOCK_TOKENS + 7)
    before = batcher(FakeDecoder(), store=store(tmp_path / "kv"))
    before.submit(task(tokens, room=1))
    run(before)
    while before.save_some():
        pass
    decoder = FakeDecoder()
    after = batcher(decoder, store=store(tmp_path / "kv"))
    one = task([*tokens, 3, 4], room=5)
    after.submit(one)
    assert said(run(after)[one]) == answer(one.prompt, 5)
    assert decoder.computed[:2] == [3, 4]


def test_a_damaged_block_is_computed_again(tmp_path: Path) -> None:
    tokens = prompt(4, 3 * BLOCK_TOKENS)
    before = batcher(FakeDecoder(), store=store(tmp_path / "kv"))
    before.submit(task(tokens, room=1))
    run(before)
    while before.save_some():
        pass
    victim = sorted((tmp_path / "kv").glob("*/*.kv"))[1]
    victim.write_bytes(victim.read_bytes()[:-1] + b"\xff")
    after = batcher(FakeDecoder(), store=store(tmp_path / "kv"))
    one = task(tokens, room=5)
    after.submit(one)
    assert said(run(after)[one]) == answer(tokens, 5)
    assert not victim.exists()


REQUEST = st.tuples(st.integers(0, 3), st.integers(1, 300), st.integers(0, 3), st.integers(1, 40), st.integers(0, 1), st.integers(0, 60))


@given(st.lists(REQUEST, min_size=1, max_size=10), st.integers(1, 4), st.booleans())
@settings(max_examples=60, deadline=None)
def test_whatever_comes_and_goes_each_answer_is_what_it_is_alone(
    tmp_path_factory: pytest.TempPathFactory, requests: list[tuple[int, int, int, int, int, int]], parallel: int, on_disk: bool
) -> None:
    """Few cells, few sequences, prompts that share beginnings, answers given up at any step."""
    decoder = FakeDecoder(cells=400, batch=48, sequences=5)
    kept = store(tmp_path_factory.mktemp("kv") / "kv") if on_disk else None
    batching = batcher(decoder, store=kept, parallel=parallel)
    tasks: dict[Task, int] = {}
    outputs: dict[Task, list[int]] = {}
    for family, length, own, room, priority, patience in requests:
        tasks[task([*prompt(family, length), *[own + 1] * own], room, priority)] = patience
    waiting = list(tasks)
    ended: set[Task] = set()
    for step in range(20_000):
        if waiting and step % 3 == 0:
            batching.submit(waiting.pop(0))
        for owner, event in batching.step():
            assert owner not in ended
            if isinstance(event, Sampled):
                outputs.setdefault(owner, []).append(event.token)
            elif isinstance(event, Ended):
                ended.add(owner)
        assert batching.pool.used == decoder.used <= decoder.cells
        for one, patience in tasks.items():
            if patience > 50 and step == patience and one not in ended and one not in waiting:
                batching.cancel(one)
                ended.add(one)
                tasks[one] = -1
        if not waiting and not batching.busy:
            break
    else:
        raise AssertionError("the batcher does not come to an end")
    for one, patience in tasks.items():
        wanted = answer(one.prompt, min(one.room, 400 - len(one.prompt)))
        got = outputs.get(one, [])
        assert got == (wanted if patience >= 0 else wanted[: len(got)])


def test_the_pace_gives_the_least_portion_to_the_slowest_machine() -> None:
    pace = Pace(0.25, 2.0)
    pace.learn(1.0, read=0, writing=3)
    pace.learn(5.0, read=32, writing=3)
    assert pace.portion(writing=True) == 4
    assert pace.portion(writing=False) == 16
