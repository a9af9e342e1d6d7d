"""llama.cpp through its C API, with a tiny model of K2's architecture."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.errors import DecodeError, EngineError, ModelFileError
from engine.llama import SMALL_MODEL, Llama, Options, default_threads
from tests.engine.tinygguf import vocabulary, write

PROMPT = [72, 101, 108, 108, 111, 44, 32, 119, 111, 114, 108, 100]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("llama") / "tiny.gguf")


@pytest.fixture(scope="module")
def llama(path: Path) -> Iterator[Llama]:
    with Llama(path, Options(context=256, batch=64, threads=1)) as llama:
        yield llama


def test_a_model_loads_quietly(llama: Llama, capfd: pytest.CaptureFixture[str]) -> None:
    assert (llama.context, llama.batch, llama.vocabulary) == (256, 64, len(vocabulary()[0]))
    assert capfd.readouterr() == ("", "")


def test_a_prompt_at_once_and_token_by_token_agree(llama: Llama) -> None:
    llama.forget(0)
    llama.decode(PROMPT, 0)
    at_once = llama.logits()
    llama.forget(0)
    for position, token in enumerate(PROMPT):
        llama.decode([token], position)
    assert at_once.shape == (llama.vocabulary,)
    np.testing.assert_allclose(llama.logits(), at_once, atol=0.02)
    assert at_once.std() > 0.5


def test_forgotten_positions_can_be_filled_again(llama: Llama) -> None:
    llama.forget(0)
    llama.decode(PROMPT, 0)
    first = llama.logits()
    llama.forget(6)
    llama.decode([1, 2, 3], 6)
    assert not np.allclose(llama.logits(), first, atol=0.1)
    llama.forget(6)
    llama.decode(PROMPT[6:], 6)
    np.testing.assert_allclose(llama.logits(), first, atol=0.02)


def test_a_refused_batch_has_a_reason(llama: Llama) -> None:
    llama.forget(0)
    with pytest.raises(DecodeError, match="invalid token"):
        llama.decode([10**6], 0)
    for start in range(0, 256, 64):
        llama.decode([65] * 64, start)
    with pytest.raises(DecodeError, match="position 256"):
        llama.decode([65], 256)


def test_a_refused_file_has_a_reason(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "notes.gguf"
    text.write_text("just text")
    with pytest.raises(ModelFileError, match="invalid magic"):
        Llama(text, Options(context=256))
    with pytest.raises(ModelFileError, match="No such file"):
        Llama(tmp_path / "absent.gguf", Options(context=256))
    assert capfd.readouterr() == ("", "")


def test_loading_stops_when_nobody_wants_it(path: Path) -> None:
    with pytest.raises(EngineError, match="loading was stopped"):
        Llama(path, Options(context=256), wanted=lambda: False)


def test_closing_twice_is_harmless(path: Path) -> None:
    llama = Llama(path, Options(context=256, threads=1))
    llama.close()
    llama.close()


def test_a_small_model_gets_one_thread() -> None:
    # On a busy machine two threads took 3 s a token, one 1.3 ms.
    assert default_threads(SMALL_MODEL - 1) == 1
    assert default_threads(SMALL_MODEL) == len(os.sched_getaffinity(0))
