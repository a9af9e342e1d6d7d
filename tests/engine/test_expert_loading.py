"""A model whose experts stay on disk: how large its store is, which files feed it, and what becomes of it where files fail."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import prepare, side_file
from engine.errors import DecodeError, EngineError, ModelFileError
from engine.expert_cache import CALM_SECONDS, LOOK_SECONDS, STEPS, ExpertCache, Keeper, Pressure, copies_of, only, reserve_of
from engine.expert_files import expert_files
from engine.expert_loading import leaves, open_store
from engine.layout import CPU, EXPERT_TENSORS, RESERVE, STORE, Placement
from engine.llama import Entry, KvType, Llama, Options
from engine.machine import Memory
from engine.native.plugin import Loaded
from engine.parts import read_parts
from engine.placement import overrides, place
from tests.engine.splitgguf import split

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

    def __init__(self, planned: int = 40 * GB, floor: int = 0, used: int | None = None) -> None:
        self.sizes: list[int] = []
        self.said: list[str] = []
        self.available = 20 * GB
        self.now = 0.0
        self.looks = 0
        self.floor = floor
        given = None if used is None else lambda: used
        self.keeper = Keeper(self, planned, GB, used=given, look=self.look, clock=lambda: self.now, say=self.said.append)

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


def test_what_was_promised_and_not_used_yet_is_nobody_else_s() -> None:
    full, empty = World(used=40 * GB), World(used=15 * GB)
    for world in (full, empty):
        world.wait(2)
    # Of 20 GB that the machine seems to have left, 25 are the store's already.
    assert (full.sizes, empty.sizes[:1]) == ([], [36 * GB])


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


MANY, FEW = 100 << 20, 500_000
"""Memory for all of kimi-nano's experts, and for 4 of its 32."""

PROMPT, STEPS_AFTER = 48, 8


def options(cache: ExpertCache | None, kv_type: KvType = KvType.F16, threads: int = 1) -> Options:
    return Options(cells=256, batch=64, sequences=2, threads=threads, kv_type=kv_type, experts=cache)


def tokens(count: int) -> list[int]:
    return [int(token) for token in np.random.default_rng(1).integers(0, 600, count)]


def speak(llama: Llama, steps: int = STEPS_AFTER) -> NDArray[np.float32]:
    """The scores after a prompt that is read at once, and after each of `steps` tokens more; the sequence is empty again afterwards."""
    said = tokens(PROMPT + steps)
    llama.decode([Entry(token, at, 0, at == PROMPT - 1) for at, token in enumerate(said[:PROMPT])])
    found = [llama.logits(PROMPT - 1).copy()]
    for at in range(PROMPT, len(said)):
        llama.decode([Entry(said[at], at, 0, True)])
        found.append(llama.logits(0).copy())
    llama.forget(0)
    return np.array(found)


def answer(path: Path, cache: ExpertCache | None, kv_type: KvType = KvType.F16) -> NDArray[np.float32]:
    with Llama(path, options(cache, kv_type)) as llama:
        assert ((llama.experts is None) is (cache is None), llama.unstored) == (True, "")
        return speak(llama)


@pytest.fixture(scope="module")
def mapped() -> NDArray[np.float32]:
    """What llama.cpp says with mapped experts."""
    return answer(NANO, None)


@pytest.fixture(scope="module")
def stored() -> NDArray[np.float32]:
    """What it says with all experts in the store."""
    return answer(NANO, ExpertCache(MANY))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """kimi-nano in a file of the test's own."""
    path = tmp_path / "nano.gguf"
    path.write_bytes(NANO.read_bytes())
    return path


def test_a_store_says_what_llama_cpp_says(mapped: NDArray[np.float32], stored: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(stored, mapped, atol=0.02)
    np.testing.assert_array_equal(stored.argmax(-1), mapped.argmax(-1))
    np.testing.assert_array_equal(answer(NANO, None), mapped, "without a store all is as it was")


def test_few_experts_in_memory_say_the_same_to_the_bit(stored: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(answer(NANO, ExpertCache(FEW)), stored)
    with Llama(NANO, options(ExpertCache(FEW), threads=2)) as llama:
        assert llama.experts is not None
        few = speak(llama, 1)
        llama.experts.resize(MANY)
        np.testing.assert_array_equal(speak(llama, 1), few)


def test_exact_cells_work_with_a_store() -> None:
    exact = answer(NANO, ExpertCache(FEW), KvType.F32)
    np.testing.assert_allclose(exact, answer(NANO, None, KvType.F32), atol=0.02)


def test_a_split_model_s_experts_are_read_from_its_parts(stored: NDArray[np.float32], tmp_path: Path) -> None:
    np.testing.assert_array_equal(answer(split(NANO, tmp_path, 30), ExpertCache(FEW)), stored)


def test_copies_and_a_side_file_say_the_same(stored: NDArray[np.float32], copied: Path, tmp_path: Path) -> None:
    (other := tmp_path / "other").mkdir()
    (other / copied.name).write_bytes(copied.read_bytes())
    np.testing.assert_array_equal(answer(copied, ExpertCache(FEW, (other,))), stored)
    prepare.prepare(copied, None, lambda _progress: None, lambda _sentence: None)
    side = side_file.find(copied)
    assert side is not None
    np.testing.assert_array_equal(answer(copied, ExpertCache(FEW, side=side)), stored)
    with pytest.raises(ModelFileError, match=r"other/nano.experts: No such file"):
        answer(copied, ExpertCache(FEW, (other,), side))


def test_what_a_store_does_is_counted() -> None:
    with Llama(NANO, options(ExpertCache(MANY))) as llama:
        assert llama.experts is not None
        speak(llama)
        first = llama.expert_state()
        speak(llama)
        second = llama.expert_state()
        assert first is not None
        assert second is not None
        assert first.misses > 0
        assert first.read_bytes > 32 * 3 * 34_816
        assert (second.misses, second.read_bytes) == (first.misses, first.read_bytes), "all are in memory now"
        assert second.hits > first.hits
        assert 0 < first.hit_rate < second.hit_rate < 1
        assert second.cache_bytes == second.planned_bytes < MANY, "no more places than experts"
    assert llama.expert_state() is None


def test_a_store_that_shrinks_and_grows_says_the_same(stored: NDArray[np.float32]) -> None:
    with Llama(NANO, options(ExpertCache(MANY))) as llama:
        assert llama.experts is not None
        for memory in (MANY, FEW, MANY, 250_000):
            llama.experts.resize(memory)
            np.testing.assert_array_equal(speak(llama), stored)


def test_a_machine_short_of_memory_gets_some_back(stored: NDArray[np.float32], capfd: pytest.CaptureFixture[str]) -> None:
    with Llama(NANO, options(ExpertCache(MANY)), look=lambda: Memory(100 * GB, 0)) as llama:
        np.testing.assert_array_equal(speak(llama), stored)
        state = llama.expert_state()
        assert state is not None
        assert state.cache_bytes == state.planned_bytes // 32 * 2, "the two that a token uses"
    (line,) = capfd.readouterr().err.splitlines()
    assert "memory is short" in line


def test_a_file_that_is_cut_or_changed_underneath_fails_the_batch_and_says_why(copied: Path) -> None:
    with Llama(copied, options(ExpertCache(FEW))) as llama:
        speak(llama)
        os.truncate(copied, copied.stat().st_size // 2)
        for _ in range(2):
            with pytest.raises(DecodeError, match=rf"^llama\.cpp failed on a batch of {PROMPT} tokens .*{copied}"):
                speak(llama)
            llama.forget(0)
        with pytest.raises(DecodeError, match="invalid token"):
            llama.decode([Entry(10**6, 0, 0, True)])


def test_the_process_has_one_store_and_gives_it_back(mapped: NDArray[np.float32]) -> None:
    with Llama(NANO, options(ExpertCache(FEW))), Llama(NANO, options(ExpertCache(FEW))) as second:
        assert second.experts is None
        assert "a store of experts is open already" in second.unstored
    with Llama(NANO, options(ExpertCache(FEW))) as third:
        assert (third.experts is None, third.unstored) == (False, "")


def test_where_there_can_be_no_store_llama_cpp_maps_the_experts_and_the_reason_is_told(mapped: NDArray[np.float32]) -> None:
    with Llama(NANO, options(ExpertCache(1))) as llama:
        assert llama.experts is None
        assert "memory for experts is too small" in llama.unstored
        np.testing.assert_array_equal(speak(llama), mapped)
    with pytest.raises(EngineError, match=r"kimi-nano\.gguf: its experts can't be kept in a store: the memory for experts is too small"):
        Llama(NANO, options(ExpertCache(1, required=True)))


def test_without_the_library_there_is_no_store() -> None:
    with pytest.raises(EngineError, match="build them"):
        open_store(read_parts(NANO), ExpertCache(MANY), overrides(None, stored=True), Loaded(None, "", "build them"))
    given = placement(9, (rf"blk\.9{EXPERT_TENSORS}", STORE), gpu_experts=(1, 2, 3, 4))
    with pytest.raises(EngineError, match="no routed experts in memory"):
        open_store(read_parts(NANO), ExpertCache(MANY), overrides(given, stored=True), Loaded(None, ""))


def test_only_experts_of_the_store_are_left_out() -> None:
    given = overrides(placement(9, (rf"blk\.(1|3){EXPERT_TENSORS}", STORE), gpu_experts=(2,)), stored=True)
    assert leaves("blk.1.ffn_gate_exps.weight", given)
    assert not leaves("blk.2.ffn_gate_exps.weight", given), "a GPU's"
    assert not leaves("blk.1.ffn_gate_exps.bias", given), "it is not in the store's files"
    assert not leaves("blk.1.ffn_gate_shexp.weight", given)


def test_a_store_is_closed_where_loading_fails_or_stops(copied: Path) -> None:
    with pytest.raises(EngineError, match="loading was stopped"):
        Llama(NANO, options(ExpertCache(FEW)), wanted=lambda: False)

    def cut() -> bool:
        os.truncate(copied, 100_000)
        return True

    with pytest.raises(ModelFileError, match=r"nano\.gguf: the file ended at byte [\d,]+ while it was read"):
        Llama(copied, options(ExpertCache(FEW)), wanted=cut)
    copied.write_bytes(NANO.read_bytes().replace(b"output_norm.weight", b"output_nork.weight"))
    with pytest.raises(ModelFileError, match=r"'output_norm\.weight' not found"):
        Llama(copied, options(ExpertCache(FEW)))
    with Llama(NANO, options(ExpertCache(FEW))) as llama:
        assert llama.unstored == ""


def test_experts_that_stay_on_disk_are_not_counted_as_read_while_loading() -> None:
    told: list[tuple[int, int]] = []
    tensors = [tensor for _, tensor in read_parts(NANO).tensors()]
    stored = overrides(None, stored=True)
    with Llama(NANO, options(ExpertCache(FEW)), on_load=lambda done, total: told.append((done, total))) as llama:
        assert llama.unstored == ""
    rest = sum(tensor.bytes for tensor in tensors if not leaves(tensor.name, stored))
    assert 0 < rest < sum(tensor.bytes for tensor in tensors)
    assert told[-1] == (rest, rest)
