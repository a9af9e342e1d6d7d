"""A converted model says what transformers' model says: logits below and above YaRN's original context, and image embeddings."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from transformers.models.kimi_k25 import Kimi_K25ForConditionalGeneration
from transformers.utils import logging

from engine.convert.conversion import Options, Progress, convert, convert_vision
from engine.convert.encode import Kind
from engine.errors import ModelFileError
from tests.engine.convert import eyes, references, runner
from tests.engine.convert.checkpoints import VOCABULARY
from tests.engine.convert.references import ORIGINAL_CONTEXT
from tests.engine.convert.runner import Runner

LENGTH = 160
TOLERANCE = 1e-3

Floats = NDArray[np.float32]


def quiet(_progress: Progress) -> None:
    """Report to nobody."""


@pytest.fixture(scope="module", autouse=True)
def silent() -> Iterator[None]:
    """No bars on stderr from transformers."""
    logging.disable_progress_bar()
    yield
    logging.enable_progress_bar()


@dataclass(frozen=True)
class Language:
    tokens: list[int]
    wanted: Floats
    runner: Runner


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Language]:
    folder = tmp_path_factory.mktemp("language")
    model = references.language(folder)
    tokens = np.random.default_rng(3).integers(0, VOCABULARY, LENGTH).tolist()
    with torch.no_grad():
        wanted = model(torch.tensor([tokens])).logits[0].numpy()
    convert(folder, folder / "k2.gguf", Options(outtype=Kind.F32), quiet)
    with runner.load(folder / "k2.gguf") as loaded:
        yield Language(tokens, wanted, loaded)


@pytest.mark.parametrize("step", [LENGTH, 1, 7])
def test_logits_are_those_of_transformers(language: Language, step: int) -> None:
    """In one batch, token by token, and in batches that end anywhere."""
    found = language.runner.logits(language.tokens, step)
    assert np.abs(language.wanted).max() > 1
    assert np.abs(found - language.wanted)[:ORIGINAL_CONTEXT].max() <= TOLERANCE
    assert np.abs(found - language.wanted)[ORIGINAL_CONTEXT:].max() <= TOLERANCE
    assert np.array_equal(found.argmax(axis=1), language.wanted.argmax(axis=1))


@dataclass(frozen=True)
class Seeing:
    model: Kimi_K25ForConditionalGeneration
    text: Path
    mmproj: Path


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Seeing:
    folder = tmp_path_factory.mktemp("seeing")
    model = references.seeing(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"media_proc_cfg": {"in_patch_limit": 64}}))
    convert(folder, folder / "k2.gguf", Options(outtype=Kind.F32), quiet)
    convert_vision(folder, folder / "mmproj.gguf", Options(outtype=Kind.F32), quiet)
    return Seeing(model, folder / "k2.gguf", folder / "mmproj.gguf")


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (4, 6), (6, 2)])
def test_image_embeddings_are_those_of_transformers(seeing: Seeing, rows: int, columns: int) -> None:
    """With the position grid as it is and resized. mtmd's GELU is the approximate one, hence the tolerance."""
    image = np.random.default_rng(5).integers(0, 256, (rows * 14, columns * 14, 3), dtype=np.uint8)
    wanted = _wanted(seeing.model, image, rows, columns)
    found = eyes.embeddings(seeing.text, seeing.mmproj, image, wanted.shape[1])
    assert found.shape == wanted.shape == (rows * columns // 4, 128)
    assert np.abs(found - wanted).max() <= 1e-3 * np.abs(wanted).max()


@pytest.mark.parametrize("outtype", [Kind.BF16, Kind.F16, Kind.Q8_0])
def test_narrower_vision_towers_see_nearly_the_same(seeing: Seeing, tmp_path: Path, outtype: Kind) -> None:
    convert_vision(seeing.text.parent, tmp_path / "mmproj.gguf", Options(outtype=outtype), quiet)
    image = np.random.default_rng(6).integers(0, 256, (56, 56, 3), dtype=np.uint8)
    wanted = _wanted(seeing.model, image, 4, 4)
    found = eyes.embeddings(seeing.text, tmp_path / "mmproj.gguf", image, wanted.shape[1])
    assert np.abs(found - wanted).max() <= 0.03 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("vision_tower.encoder.blocks.1.wo.bias", None, r"no tensor vision_tower\.encoder\.blocks\.1\.wo\.bias"),
        ("mm_projector.proj.2.weight", (4, 4), r"proj\.2\.weight has shape \[4, 4\], but by config\.json it is \[128, 256\]"),
        ("vision_tower.encoder.blocks.0.gate.weight", (4, 4), "has no place in K2's vision tower"),
    ],
)
def test_a_vision_tower_that_is_not_whole(seeing: Seeing, tmp_path: Path, name: str, shape: tuple[int, int] | None, message: str) -> None:
    shutil.copytree(seeing.text.parent, tmp_path / "bad")
    tensors = load_file(tmp_path / "bad" / "model.safetensors")
    tensors.pop(name, None)
    if shape is not None:
        tensors[name] = torch.zeros(shape)
    save_file(tensors, tmp_path / "bad" / "model.safetensors")
    with pytest.raises(ModelFileError, match=message):
        convert_vision(tmp_path / "bad", tmp_path / "mmproj.gguf", Options(), quiet)


def _wanted(model: Kimi_K25ForConditionalGeneration, image: NDArray[np.uint8], rows: int, columns: int) -> Floats:
    pixels = (torch.tensor(image).float() / 255 - 0.5) / 0.5
    patches = pixels.permute(2, 0, 1).reshape(3, rows, 14, columns, 14).permute(1, 3, 0, 2, 4).reshape(rows * columns, 3, 14, 14)
    with torch.no_grad():
        found: Floats = model.model.get_image_features(patches, torch.tensor([[1, rows, columns]])).pooler_output[0].numpy()
    return found
