"""llama.cpp through its C API, with a tiny model of K2's architecture."""

import ctypes
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import llama_cpp.llama_cpp as api
import numpy as np
import pytest

from engine.errors import DecodeError, EngineError, ModelFileError
from engine.llama import SMALL_MODEL, Entry, KvType, Llama, Logits, Options, default_threads
from engine.parts import read_parts
from tests.engine.tinygguf import vocabulary, write

PROMPT = [72, 101, 108, 108, 111, 44, 32, 119, 111, 114, 108, 100]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("llama") / "tiny.gguf")


@pytest.fixture
def llama(path: Path) -> Iterator[Llama]:
    with Llama(path, Options(cells=256, batch=64, sequences=4, threads=1)) as llama:
        yield llama


def run(llama: Llama, tokens: Sequence[int], start: int = 0, sequence: int = 0) -> Logits:
    """The scores after `tokens`, a copy."""
    last = len(tokens) - 1
    llama.decode([Entry(token, start + n, sequence, n == last) for n, token in enumerate(tokens)])
    return llama.logits(last).copy()


def test_a_model_loads_quietly(llama: Llama, capfd: pytest.CaptureFixture[str]) -> None:
    assert (llama.cells, llama.batch, llama.sequences, llama.vocabulary) == (256, 64, 4, len(vocabulary()[0]))
    assert capfd.readouterr() == ("", "")


def test_a_prompt_at_once_and_token_by_token_agree(llama: Llama) -> None:
    at_once = run(llama, PROMPT)
    for position, token in enumerate(PROMPT):
        single = run(llama, [token], position, sequence=1)
    assert at_once.shape == (llama.vocabulary,)
    np.testing.assert_allclose(single, at_once, atol=0.02)
    assert at_once.std() > 0.5


def test_forgotten_positions_can_be_filled_again(llama: Llama) -> None:
    first = run(llama, PROMPT)
    llama.forget(0, 6)
    assert not np.allclose(run(llama, [1, 2, 3], 6), first, atol=0.1)
    llama.forget(0, 6)
    np.testing.assert_allclose(run(llama, PROMPT[6:], 6), first, atol=0.02)


def test_sequences_share_a_prefix_and_go_on_alone_in_one_batch(llama: Llama) -> None:
    wanted = {}
    for sequence, own in ((1, [65, 66]), (2, [80, 81])):
        wanted[sequence] = run(llama, [*PROMPT, *own], sequence=0)
        llama.forget(0)
    run(llama, PROMPT)
    for sequence in (1, 2):
        llama.copy(0, sequence, 0, len(PROMPT))
    llama.forget(0)
    start = len(PROMPT)
    llama.decode([Entry(65, start, 1, False), Entry(80, start, 2, False), Entry(66, start + 1, 1, True), Entry(81, start + 1, 2, True)])
    np.testing.assert_allclose(llama.logits(2), wanted[1], atol=0.02)
    np.testing.assert_allclose(llama.logits(3), wanted[2], atol=0.02)


@pytest.mark.parametrize("kv_type", list(KvType))
def test_cells_saved_in_pieces_come_back(path: Path, kv_type: KvType) -> None:
    with Llama(path, Options(cells=256, batch=64, sequences=2, threads=1, kv_type=kv_type)) as llama:
        run(llama, PROMPT[:-1])
        llama.copy(0, 1, 0, len(PROMPT) - 1)
        wanted = run(llama, PROMPT[-1:], len(PROMPT) - 1, sequence=1)
        pieces = [llama.save(0, 0, 5), llama.save(0, 5, len(PROMPT) - 1)]
        llama.forget(0)
        llama.forget(1)
        llama.restore(1, pieces[0], 0, 5)
        llama.restore(1, pieces[1], 5, 8)
        # What is at hand already, and what is not wanted, is left out of a piece.
        llama.restore(1, pieces[1], 8, len(PROMPT) - 1)
        np.testing.assert_allclose(run(llama, PROMPT[-1:], len(PROMPT) - 1, sequence=1), wanted, atol=0.02)


def test_damaged_cells_are_refused_and_harm_nobody(llama: Llama) -> None:
    before = run(llama, PROMPT)
    piece = llama.save(0, 0, len(PROMPT))
    with pytest.raises(DecodeError, match="bytes of saved cells"):
        llama.restore(1, piece[: len(piece) // 2], 0, len(PROMPT))
    llama.forget(0)
    np.testing.assert_allclose(run(llama, PROMPT), before, atol=0.02)


def test_a_refused_batch_has_a_reason(llama: Llama) -> None:
    with pytest.raises(DecodeError, match="invalid token"):
        run(llama, [10**6])
    for start in range(0, 256, 64):
        run(llama, [65] * 64, start)
    with pytest.raises(DecodeError, match="1 tokens"):
        run(llama, [65], 256)


def test_a_refused_file_has_a_reason(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "notes.gguf"
    text.write_text("just text")
    with pytest.raises(ModelFileError, match="invalid magic"):
        Llama(text, Options(cells=256))
    with pytest.raises(ModelFileError, match="No such file"):
        Llama(tmp_path / "absent.gguf", Options(cells=256))
    assert capfd.readouterr() == ("", "")


def test_a_reason_is_there_although_somebody_else_took_the_log(tmp_path: Path) -> None:
    text = tmp_path / "notes.gguf"
    text.write_text("just text")
    deaf = api.llama_log_callback(lambda _level, _text, _data: None)
    api.llama_log_set(deaf, ctypes.c_void_p(0))
    with pytest.raises(ModelFileError, match="invalid magic"):
        Llama(text, Options(cells=256))


def test_loading_stops_when_nobody_wants_it(path: Path) -> None:
    with pytest.raises(EngineError, match="loading was stopped"):
        Llama(path, Options(cells=256), wanted=lambda: False)


def test_loading_tells_the_bytes_that_are_read(path: Path) -> None:
    told: list[tuple[int, int]] = []
    weights = sum(tensor.bytes for _, tensor in read_parts(path).tensors())
    with Llama(path, Options(cells=256, threads=1), on_load=lambda done, total: told.append((done, total))):
        assert {total for _, total in told} == {weights}
        assert told[-1] == (weights, weights)
        assert told == sorted(told)


def test_closing_twice_is_harmless(path: Path) -> None:
    llama = Llama(path, Options(cells=256, threads=1))
    llama.close()
    llama.close()


def test_a_small_model_gets_one_thread() -> None:
    # On a busy machine two threads took 3 s a token, one 1.3 ms.
    assert default_threads(SMALL_MODEL - 1) == 1
    assert default_threads(SMALL_MODEL) == len(os.sched_getaffinity(0))
