"""The store with real files, as Python has it: right bytes whatever its size, and an error where a file is not what it was."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import EngineError
from engine.native.library import Library
from engine.native.store import Policy, Store, StoreOptions
from tests.engine.native.experts.soak import EXPERTS, LAYERS, PLACE, Written, soak, written


@pytest.fixture
def model(tmp_path: Path, library: Library) -> Written:
    return written(tmp_path / "model.gguf")


@pytest.mark.parametrize("policy", Policy)
def test_every_byte_is_right_in_a_store_that_changes_its_size(policy: Policy, tmp_path: Path, library: Library) -> None:
    counts = soak(tmp_path, 200, policy)
    assert counts.hits + counts.misses == 200 * LAYERS * 3
    assert counts.hits > 0
    assert counts.evictions > 0
    assert counts.announced >= counts.announced_used > 0
    assert counts.retries == counts.failures == 0


@pytest.mark.parametrize("options", [StoreOptions(), StoreOptions(direct=False, uring=False, piece=4096, depth=2)], ids=["usual", "plain"])
def test_an_expert_is_read_once(options: StoreOptions, model: Written) -> None:
    with Store(model.files, 8 * PLACE, options=options) as store:
        for _ in range(3):
            assert np.array_equal(store.fetch(2, 5), model.expert(2, 5))
        counts = store.counts()
    assert (counts.places, counts.held, counts.hits, counts.misses, counts.evictions) == (8 * PLACE // counts.place_bytes, 1, 2, 1, 0)
    assert counts.bytes >= model.expert(2, 5).size
    assert counts.busy_seconds > 0
    assert options.uring or not counts.uring
    assert options.direct or not counts.direct


def test_a_copy_serves_as_well(model: Written, tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(model.files.files[0].read_bytes())
    with Store(model.files, 8 * PLACE, copies=[[copy]]) as store:
        for expert in range(EXPERTS):
            assert np.array_equal(store.fetch(1, expert), model.expert(1, expert))
    with pytest.raises(EngineError, match="another number of files"):
        Store(model.files, 8 * PLACE, copies=[[copy, copy]])


def test_a_file_that_was_cut_is_an_error_for_what_is_gone_alone(model: Written) -> None:
    with Store(model.files, 8 * PLACE) as store:
        there = store.fetch(0, 0)
        os.truncate(model.files.files[0], 50_000)
        with pytest.raises(EngineError, match=r"model\.gguf"):
            store.fetch(3, 15)
        with pytest.raises(EngineError, match=r"model\.gguf"):
            store.fetch(3, 15)
        assert np.array_equal(store.fetch(0, 0), there)


def test_a_file_that_was_written_to_is_an_error(model: Written) -> None:
    with Store(model.files, 8 * PLACE) as store:
        store.fetch(0, 0)
        with model.files.files[0].open("r+b") as file:
            file.write(bytes(1000))
        os.utime(model.files.files[0], (1, 1))
        with pytest.raises(EngineError, match=r"model\.gguf"):
            store.fetch(3, 15)


def test_another_file_in_its_place_changes_nothing(model: Written) -> None:
    file = model.files.files[0]
    with Store(model.files, 8 * PLACE) as store:
        written(file.with_name("new"), seed=2)
        file.with_name("new").replace(file)
        assert np.array_equal(store.fetch(3, 15), model.expert(3, 15))


def test_what_is_wrong_is_said(model: Written) -> None:
    files = model.files
    with pytest.raises(EngineError, match="too small: 100 bytes, but it must have room for 2 of layer 0"):
        Store(files, 100)
    with pytest.raises(EngineError, match="No such file"):
        Store(replace(files, files=(files.files[0].with_name("other.gguf"),)), 8 * PLACE)
    os.truncate(files.files[0], 100_000)
    with pytest.raises(EngineError, match="experts lie behind its end, at byte 100000"):
        Store(files, 8 * PLACE)


def test_a_process_has_one_store(model: Written) -> None:
    with Store(model.files, 8 * PLACE) as store:
        with pytest.raises(EngineError, match="open already"):
            Store(model.files, 8 * PLACE)
        for call in (lambda: store.fetch(LAYERS, 0), lambda: store.fetch(0, EXPERTS), lambda: store.announce(0, [-1])):
            with pytest.raises(EngineError, match=r"no layer|no expert"):
                call()
        with pytest.raises(EngineError, match="too small"):
            store.resize(1)
        assert np.array_equal(store.fetch(0, 0), model.expert(0, 0))
    with pytest.raises(EngineError, match="no store of experts is open"):
        store.counts()
