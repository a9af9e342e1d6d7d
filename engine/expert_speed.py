"""How long a layer's routed experts take where the engine's store has them: products with those in memory while the others are read.

Within a layer reads and products overlap: what is there is multiplied with at once, what comes is multiplied with as it comes, and the last
one to come has to be multiplied with alone. Nothing is read for the layers that follow. So a layer that lacks `m` of `n` experts takes
max(n × product, m × read + product), and the mean over how many are missing. What this module does not do: know how many that are
(`engine.hits`), or anything but experts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from engine.hits import Hits, estimate, union
from engine.layout import Layout
from engine.machine import ExpertPace, Machine
from engine.shapes import ModelShape

_SAME: Final = 0.02


@dataclass(frozen=True)
class Rates:
    """`pace` of the products, and the `share` of it that is reached; `disk` in bytes a second, as the store reads."""

    pace: ExpertPace
    share: float
    disk: float


@dataclass(frozen=True)
class Beside:
    """Layers whose experts no GPU holds: their number, the bytes of one expert, how many a layer has and a token uses."""

    layers: int
    expert_bytes: float
    experts: int
    used: int


def expected_hits(machine: Machine, layout: Layout) -> Hits:
    """How often a token's experts are in memory. What a store has counted says nothing of llama.cpp's mapped file."""
    return estimate(layout.resident, machine.hits if layout.stored else ())


def layers_beside(model: ModelShape, layout: Layout) -> Beside:
    """Those of a model in its places."""
    kept = frozenset(layout.placement.gpu_experts)
    layers = sum(1 for index, layer in enumerate(model.layers) if layer.experts.bytes and index not in kept)
    whole = layout.ram.experts + layout.disk
    return Beside(layers, whole / max(1, layers * model.experts), model.experts, model.experts_used)


def pace_for(model: ModelShape, pace: ExpertPace) -> ExpertPace:
    """The pace of this model's experts. Where they are stored in another type than was measured, a weight takes as long as one of that: for
    most types unpacking takes more time than reading saves."""
    if pace.kind not in GGMLQuantizationType.__members__:
        return pace
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType[pace.kind]]
    factor = model.routed.bytes / max(1, model.routed.weights) / (size / block)
    if abs(factor - 1) < _SAME:
        return pace
    return replace(pace, rates=tuple(replace(rate, value=rate.value * factor) for rate in pace.rates))


def seconds_of_layers(beside: Beside, tokens: int, hit: float, rates: Rates) -> float:
    """Seconds of all these layers for so many tokens at a time, of whose uses memory answers the share `hit`."""
    if not beside.layers:
        return 0.0
    wanted = union(beside.experts, beside.used, tokens)
    product = rates.pace.seconds(beside.expert_bytes, tokens * beside.used / wanted) / rates.share
    return beside.layers * _mean(wanted, 1 - hit, product, beside.expert_bytes / rates.disk)


def bytes_read(beside: Beside, tokens: int, hit: float) -> float:
    """Bytes that the store reads for each of so many tokens that are computed together."""
    return beside.layers * union(beside.experts, beside.used, tokens) * (1 - hit) * beside.expert_bytes / tokens


def _mean(wanted: float, missing: float, product: float, read: float) -> float:
    """The expected time of a layer that wants so many experts, each of which is missing with this probability."""
    if missing <= 0:
        return wanted * product
    whole = max(1, round(wanted))
    # As if `whole` were wanted, scaled: the mean of a batch's experts is rarely a whole number.
    return wanted / whole * sum(chance * _layer(whole, count, product, read) for count, chance in enumerate(_binomial(whole, missing)))


def _layer(wanted: int, missing: int, product: float, read: float) -> float:
    return max(wanted * product, missing * read + product) if missing else wanted * product


def _binomial(count: int, chance: float) -> Sequence[float]:
    """The probabilities of 0 to `count` of them."""
    if chance >= 1:
        return [0.0] * count + [1.0]
    logs = [math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) for k in range(count + 1)]
    return [math.exp(log + k * math.log(chance) + (count - k) * math.log1p(-chance)) for k, log in enumerate(logs)]
