"""Blocks on disk: whole or absent, within their limit, whoever else is there and whenever a process dies."""

import multiprocessing
import os
import signal
import stat
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.store import BLOCK_TOKENS, BlockStore, block_key, identity, known_blocks

BIG = 1 << 30


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*"))


def test_a_block_comes_back_in_another_process_s_store_of_the_same_model_only(tmp_path: Path) -> None:
    one = BlockStore(tmp_path / "kv", BIG, b"model")
    key = block_key(one.root, [1, 2, 3])
    assert one.write(key, b"cells")
    assert BlockStore(tmp_path / "kv", BIG, b"model").read(key) == b"cells"
    other = BlockStore(tmp_path / "kv", BIG, b"another")
    assert other.read(block_key(other.root, [1, 2, 3])) is None
    assert one.read(block_key(one.root, [1, 2])) is None


def test_files_are_this_user_s_alone(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "kv", BIG, b"model")
    store.write(store.root, b"cells")
    assert stat.S_IMODE((tmp_path / "kv").stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in files(tmp_path / "kv")] == [0o600]


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kv").write_text("not a folder")
    with pytest.raises(EngineError, match="kv"):
        BlockStore(tmp_path / "kv", BIG, b"model")


@pytest.mark.parametrize("place", [0, 4, 12, 44, 45, -1])
def test_a_flipped_bit_is_noticed_and_the_block_removed(tmp_path: Path, place: int) -> None:
    store = BlockStore(tmp_path / "kv", BIG, b"model")
    store.write(store.root, b"cells")
    (path,) = files(tmp_path / "kv")
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    assert store.read(store.root) is None
    assert not path.exists()
    assert store.state.damaged == 1


def test_a_cut_off_block_is_no_block_wherever_it_is_cut(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "kv", BIG, b"model")
    store.write(store.root, b"cells")
    whole = files(tmp_path / "kv")[0].read_bytes()
    for length in range(len(whole)):
        files(tmp_path / "kv")[0].write_bytes(whole[:length])
        assert store.read(store.root) is None
        store.write(store.root, b"cells")
    assert store.read(store.root) == b"cells"


def test_the_least_recently_used_go_when_the_limit_is_reached(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "kv", 10_000, b"model")
    keys = [block_key(store.root, [n]) for n in range(9)]
    for number, key in enumerate(keys):
        assert store.write(key, bytes(1000))
        path = next(path for path in files(tmp_path / "kv") if path.stat().st_mtime > 2e9 or path.stem == key.hex()[2:])
        os.utime(path, (1000 + number, 1000 + number))
    assert store.read(keys[0]) is not None  # used just now
    store.write(block_key(store.root, [100]), bytes(1000))
    left = [store.has(key) for key in keys]
    assert left[0]
    assert not left[1]
    assert sum(path.stat().st_size for path in files(tmp_path / "kv")) <= 10_000


def test_a_full_disk_is_no_failure(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "kv", BIG, b"model")
    key = block_key(store.root, [1])
    # A file stands where the block's folder should be: writing fails as it does on a full disk.
    (tmp_path / "kv" / key.hex()[:2]).write_text("")
    assert not store.write(key, b"cells")
    assert (store.state.refused, store.state.saved) == (1, 0)


def _write_for_ever(folder: Path, number: int) -> None:
    store = BlockStore(folder, 200_000, b"model")
    count = 0
    while True:
        key = block_key(store.root, [count % 50])
        store.write(key, bytes([count % 50]) * 5000)
        data = store.read(key)
        assert data is None or data == bytes([count % 50]) * 5000
        count += 1
        if count == 400:
            (folder / f"ready{number}").touch()


def test_several_processes_and_kill_leave_only_whole_blocks(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    folder = tmp_path / "kv"
    BlockStore(folder, BIG, b"model")
    processes = [context.Process(target=_write_for_ever, args=(folder, number)) for number in range(2)]
    for process in processes:
        process.start()
    try:
        while not all((folder / f"ready{number}").exists() for number in range(2)):
            assert all(process.is_alive() for process in processes)
    finally:
        for process in processes:
            process.kill()
            process.join()
    assert [process.exitcode for process in processes] == [-signal.SIGKILL] * 2
    store = BlockStore(folder, 200_000, b"model")
    for number in range(50):
        assert store.read(block_key(store.root, [number])) in (None, bytes([number]) * 5000)
    assert store.state.damaged == 0
    # Between two counts a process knows only its own writes: both may fill the room that one of them made, a tenth, and write one more.
    assert store.state.bytes <= 200_000 + 20_000 + 2 * 5100


def test_known_blocks_continue_a_prefix_and_end_with_the_longest_tail(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "kv", BIG, b"model")
    tokens = list(range(2 * BLOCK_TOKENS + 40))
    key = store.root
    for start in range(0, len(tokens), BLOCK_TOKENS):
        key = block_key(key, tokens[start : start + BLOCK_TOKENS])
        store.write(key, b"cells from %d" % start)
    full = [(0, BLOCK_TOKENS), (BLOCK_TOKENS, 2 * BLOCK_TOKENS), (2 * BLOCK_TOKENS, len(tokens))]
    longer = [*tokens, 7, 7]

    def found(skip: int) -> list[tuple[int, int]]:
        return [(start, end) for start, end, _ in known_blocks(store, longer, skip)]

    assert found(0) == full
    assert found(1) == full
    assert found(BLOCK_TOKENS) == full[1:]
    assert found(2 * BLOCK_TOKENS + 39) == full[2:]
    assert found(len(tokens)) == []
    assert known_blocks(store, [9, *longer], 0) == []


def test_a_model_s_identity_is_its_content(tmp_path: Path) -> None:
    one, two = tmp_path / "a.gguf", tmp_path / "b.gguf"
    one.write_bytes(bytes(3 << 20))
    two.write_bytes(bytes(3 << 20))
    assert identity(one, "x") == identity(two, "x") != identity(one, "y")
    two.write_bytes(bytes((3 << 20) - 1) + b"1")
    assert identity(one, "x") != identity(two, "x")
