"""The models that can be planned for before they are here: K2's hyperparameters, and how each published file stores the weights.

Sizes are computed from the hyperparameters and the bits of each storage type; only where a file mixes types for its experts is their
average taken from its published size, and the shape's notes say so. Sources: the models' `config.json`; sizes as published on Hugging
Face. What this module does not do: download, or read files other than kimi-nano's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import ModelFileError
from engine.shapes import Hyperparameters, ModelShape, Precision, from_hyperparameters, read

NANO: Final = Path(__file__).parent / "nano" / "kimi-nano.gguf"

K2: Final = Hyperparameters(
    layers=61,
    dense_layers=1,
    width=7168,
    heads=64,
    q_rank=1536,
    kv_rank=512,
    nope=128,
    rope=64,
    value=128,
    dense_width=18432,
    expert_width=2048,
    experts=384,
    experts_used=8,
    shared_experts=1,
    vocabulary=163_840,
    context=262_144,
)
"""K2.6's text model; K2.5 and K2-Thinking have the same shape."""

BF16: Final = 16.0
Q8_0: Final = 8.5
INT4: Final = 4.5
"""4 bits and a 16-bit scale for 32 weights: the checkpoint's own INT4, and GGUF's Q4_0, which holds it without loss."""


@dataclass(frozen=True)
class Published:
    """One published file of a model. `gigabytes` as its page says (10⁹ bytes); `experts` None: take their bits from that size."""

    quantisation: str
    gigabytes: float
    experts: float | None
    others: float
    quality: str = ""
    router: float = 32

    def precision(self) -> Precision:
        """Bits a weight; see the module."""
        if self.experts is not None:
            return Precision(self.experts, self.others, self.router)
        rest = from_hyperparameters("", K2, Precision(0, self.others, self.router))
        return Precision((self.gigabytes * 1e9 - rest.bytes) * 8 / rest.routed.weights, self.others, self.router)


_FULL: Final = Published("INT4", 594, INT4, BF16, "the published checkpoint; `kimicode models convert` makes a GGUF of it", router=BF16)

MODELS: Final[dict[str, tuple[Published, ...]]] = {
    "kimi-k2.6": (
        Published("UD-Q4_K_XL", 584, INT4, Q8_0, "experts as published, the rest Q8_0: perplexity 1.842"),
        Published("UD-Q8_K_XL", 595, INT4, BF16, "as published: perplexity 1.842"),
        Published("UD-Q2_K_XL", 340, None, Q8_0, "2-bit experts: perplexity 2.413 instead of 1.842"),
        _FULL,
    ),
    "kimi-k2.5": (
        Published("UD-Q2_K_XL", 375, None, Q8_0, "2-bit experts: clearly worse answers"),
        Published("UD-TQ1_0", 240, None, Q8_0, "1-bit experts: much worse answers"),
        _FULL,
    ),
    "kimi-k2-thinking": (
        Published("Q4_X", 583.7, INT4, Q8_0, "experts as published, the rest Q8_0"),
        _FULL,
    ),
}
"""Every known model's files; the first is the one meant by the bare name."""


def names() -> Iterator[str]:
    """Every name that `find` knows: each model, and each of its quantisations as MODEL:QUANTISATION."""
    yield NANO.stem
    for model, files in MODELS.items():
        yield model
        yield from (f"{model}:{file.quantisation}" for file in files)


def find(given: str) -> ModelShape:
    """The model that `given` names: a known name, upper or lower case, or the path of a GGUF file. Raises `ModelFileError`."""
    if given.lower() == NANO.stem:
        return read(NANO)
    model, _, quantisation = given.lower().partition(":")
    if model not in MODELS:
        if not Path(given).exists() and not given.endswith(".gguf"):
            raise ModelFileError(f"{given}: neither a file nor a known model; known are {', '.join([NANO.stem, *MODELS])}")
        return read(Path(given))
    files = MODELS[model]
    chosen = next((file for file in files if quantisation in ("", file.quantisation.lower())), None)
    if chosen is None:
        raise ModelFileError(f"{given}: no such quantisation; {model} has {', '.join(file.quantisation for file in files)}")
    return _shape(model, chosen)


def siblings(shape: ModelShape) -> tuple[tuple[ModelShape, str], ...]:
    """The other files of the same known model, with what their quality is; none for a file."""
    model, _, quantisation = shape.name.partition(":")
    return tuple((_shape(model, file), file.quality) for file in MODELS.get(model, ()) if file.quantisation != quantisation)


def _shape(model: str, file: Published) -> ModelShape:
    precision = file.precision()
    notes: tuple[str, ...] = (f"stored as {file.quantisation}: {file.quality}",) if file.quality else ()
    if file.experts is None:
        notes += (f"routed experts at {precision.experts:.2f} bits a weight on average, from the published {file.gigabytes:g} GB",)
    return from_hyperparameters(f"{model}:{file.quantisation}", K2, precision, notes)
