"""A model whose experts stay on disk: how large its store is, which files feed it, and what becomes of it where files fail."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import EngineError, ModelFileError
from engine.expert_cache import CALM_SECONDS, LOOK_SECONDS, STEPS, Keeper, Pressure, copies_of, only, reserve_of
from engine.expert_files import expert_files
from engine.layout import CPU, EXPERT_TENSORS, RESERVE, STORE, Placement
from engine.machine import Memory
from engine.parts import read_parts
from engine.placement import overrides, place

NANO = Path(__file__).parents[2] / "engine" / "nano" / "kimi-nano.gguf"
GB = 10**9
EASY = Pressure(now=40 * GB, planned=40 * GB, least=GB, available=8 * GB, reserve=4 * GB)


def test_a_store_keeps_its_size_while_there_is_room() -> None:
    assert EASY.size == 40 * GB
    assert replace(EASY, available=4 * GB).size == 40 * GB
    assert replace(EASY, available=2 * GB).size == 40 * GB, "half of the reserve may go"


def test_what_is_given_up_brings_the_reserve_back() -> None:
    short = replace(EASY, available=2 * GB - 1)
    assert short.size == 38 * GB - (2 * GB), "steps of 2 GB: 2 GB and a byte are two of them"
    assert short.available + short.now - short.size >= short.reserve
    assert replace(short, now=5 * GB, available=0).size == GB, "never under the least"
    assert replace(short, now=GB // 2, available=0).size == GB // 2


def test_memory_is_taken_back_step_by_step_when_there_has_been_room_for_a_while() -> None:
    small = replace(EASY, now=20 * GB, available=7 * GB)
    assert small.roomy
    assert small.size == 20 * GB
    assert replace(small, calm=CALM_SECONDS).size == 20 * GB + small.step
    assert replace(small, calm=CALM_SECONDS, now=39 * GB).size == 40 * GB
    assert not replace(small, available=7 * GB - 1).roomy, "a step and a half must be free beside the reserve"


@pytest.mark.parametrize("available", [0, GB, 2 * GB - 1, 3 * GB, 5 * GB, 7 * GB])
@pytest.mark.parametrize("now", [GB, 7 * GB, 39 * GB, 40 * GB])
def test_a_change_is_never_undone_by_the_next_look(available: int, now: int) -> None:
    before = replace(EASY, now=now, available=available, calm=CALM_SECONDS)
    after = replace(before, now=before.size, available=available + now - before.size)
    step = after.size - after.now
    assert step * (before.size - now) >= 0


def test_a_plan_smaller_than_its_steps_works() -> None:
    tiny = Pressure(now=STEPS - 1, planned=STEPS - 1, least=1, available=0, reserve=100)
    assert (tiny.step, tiny.size) == (1, 1)


def test_the_reserve_is_the_layout_s() -> None:
    assert reserve_of(Memory(8 * GB, 0)) == RESERVE
    assert reserve_of(Memory(1000 * GB, 0)) == 40 * GB


class World:
    """A store, a machine and a clock for a `Keeper`."""

    def __init__(self, planned: int = 40 * GB, floor: int = 0) -> None:
        self.sizes: list[int] = []
        self.said: list[str] = []
        self.available = 20 * GB
        self.now = 0.0
        self.looks = 0
        self.floor = floor
        self.keeper = Keeper(self, planned, GB, look=self.look, clock=lambda: self.now, say=self.said.append)

    def resize(self, memory: int) -> None:
        if memory < self.floor:
            raise EngineError("too little")
        self.sizes.append(memory)

    def look(self) -> Memory:
        self.looks += 1
        return Memory(100 * GB, self.available)

    def wait(self, seconds: float) -> None:
        """Let so much time pass, with a computation every tenth of a second."""
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.keeper.check()


def test_the_machine_is_looked_at_once_a_second() -> None:
    world = World()
    world.wait(10)
    assert 10 <= world.looks <= 11
    assert world.sizes == []
    assert LOOK_SECONDS == 1


def test_a_store_shrinks_at_once_says_so_once_and_grows_back_slowly() -> None:
    world = World()
    world.available = GB
    world.wait(1)
    assert world.sizes == [36 * GB]
    world.available = 0
    world.wait(1)
    assert world.sizes == [36 * GB, 32 * GB]
    (sentence,) = world.said
    assert "memory is short, 1.0 GB are left: experts" in sentence
    assert "--expert-memory" in sentence
    world.available = 50 * GB
    world.wait(CALM_SECONDS - 2)
    assert len(world.sizes) == 2
    world.wait(5 * CALM_SECONDS)
    assert world.sizes[2:] == [34 * GB, 36 * GB, 38 * GB, 40 * GB]
    assert world.keeper.size == world.keeper.planned


def test_room_for_a_moment_is_not_taken() -> None:
    world = World()
    world.available = GB
    world.wait(1)
    for _ in range(10):
        world.available = 50 * GB
        world.wait(CALM_SECONDS / 2)
        world.available = 5 * GB
        world.wait(2)
    assert world.sizes == [36 * GB]


def test_a_store_that_can_not_shrink_is_not_asked_again() -> None:
    world = World(floor=39 * GB)
    world.available = GB
    world.wait(20)
    assert (world.sizes, world.said, world.keeper.size) == ([], [], 40 * GB)


def test_copies_must_be_there_and_as_long(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "model.gguf").write_bytes(b"12345")
    file = first / "model.gguf"
    assert copies_of([file], []) == ((file,),)
    assert copies_of([file], [second]) == ((file,), (second / "model.gguf",))
    (second / "model.gguf").write_bytes(b"1234")
    with pytest.raises(ModelFileError, match=r"second/model.gguf has 4 bytes and .*first/model.gguf has 5"):
        copies_of([file], [second])
    (second / "model.gguf").unlink()
    with pytest.raises(ModelFileError, match=r"second/model.gguf: No such file or directory; copy model.gguf there"):
        copies_of([file], [second])


def test_experts_that_are_elsewhere_are_not_the_store_s() -> None:
    files = expert_files(read_parts(NANO))
    assert files is not None
    some = only(files, {2, 3})
    filled = [layer for layer in range(some.layers) if some.ranges[layer].any()]
    assert filled == [2, 3]
    np.testing.assert_array_equal(some.ranges[2], files.ranges[2])
    assert only(files, range(files.layers)).bytes == files.bytes


def placement(layers: int, *given: tuple[str, str], gpu_experts: tuple[int, ...] = ()) -> Placement:
    return Placement(layers, given, 64, "f16", 64, 1, gpu_experts)


@pytest.mark.parametrize(
    ("given", "stored", "kept"),
    [
        (None, lambda layer: STORE, lambda layer: None),
        (placement(0), lambda layer: STORE, lambda layer: None),
        (placement(0, (EXPERT_TENSORS, STORE)), lambda layer: STORE, lambda layer: CPU),
        (placement(0, (EXPERT_TENSORS, CPU)), lambda layer: STORE, lambda layer: CPU),
        (
            placement(9, (rf"blk\.(1|12){EXPERT_TENSORS}", STORE), gpu_experts=(2,)),
            lambda layer: STORE if layer in (1, 12) else None,
            lambda layer: CPU if layer in (1, 12) else None,
        ),
    ],
)
def test_experts_go_to_the_store_or_stay(
    given: Placement | None, stored: Callable[[int], str | None], kept: Callable[[int], str | None]
) -> None:
    for where, wanted in ((overrides(given, stored=True), stored), (overrides(given, stored=False), kept)):
        for layer in (1, 2, 12):
            for part in ("gate", "up", "down", "gate_up"):
                assert place(f"blk.{layer}.ffn_{part}_exps.weight", where) == wanted(layer)
            assert place(f"blk.{layer}.ffn_gate_shexp.weight", where) is None
