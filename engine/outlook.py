"""What becomes of one model on one machine under given wishes: its layout, the longest contexts, the speeds.

What wishes leave open is chosen here: context, cache type, batch. What this module does not do: compare with other machines or models
(`engine.advice`), or write anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.layout import AS_EVER, ExpertWish, Layout, arrange, workspace_bytes
from engine.machine import Machine
from engine.shapes import KvType, ModelShape
from engine.speed import Speed, speed

USUAL_CONTEXT: Final = 131_072
"""Tokens of context where nothing is wished and everything fits in memory."""

SCARCE_CONTEXT: Final = 32_768
"""The same where cache and experts compete for memory."""

SHORT_CONTEXT: Final = 4_096
"""What a model must be able to hold to be of any use; the longest context costs nothing that this one leaves."""

SPEED_CONTEXTS: Final = (4_096, 32_768, 131_072)
BATCHES: Final = (512, 1024, 2048, 4096, 8192, 16_384)
LARGEST_MAPPED: Final = 4096
"""Where llama.cpp reads experts, larger batches are not worth their workspace."""

_ENOUGH: Final = 0.9
_WORKSPACE_SHARE: Final = 16
_LITTLE: Final = 0.95
"""A batch may make answers so much slower, because its workspace leaves a store less memory."""


@dataclass(frozen=True)
class Wishes:
    """What the user asked for; None leaves the choice to the plan. `context` in tokens, `experts` is who keeps them."""

    context: int | None = None
    kv_type: KvType | None = None
    experts: ExpertWish = AS_EVER


@dataclass(frozen=True)
class Outlook:
    """`longest` maps cache types to the longest context in tokens, 0 where none fits. `speeds` is empty where nothing was measured, and
    where the model can't run."""

    layout: Layout
    longest: Mapping[KvType, int]
    speeds: tuple[Speed, ...]

    @property
    def decode(self) -> float:
        """The expected speed of answers with a short context, 0 where it can't be said."""
        return self.speeds[0].decode.expected if self.speeds else 0.0


def outlook(model: ModelShape, machine: Machine, wishes: Wishes) -> Outlook:
    """The best that this machine can do for this model."""
    longest = {kind: longest_context(model, machine, kind, wishes.experts) for kind in model.kv_types()}
    kind, context = _chosen(model, machine, wishes, longest)
    layout = _with_best_batch(model, machine, context, kind, wishes.experts)
    if layout.missing or not _measured(machine):
        return Outlook(layout, longest, ())
    contexts = sorted({min(length, model.context) for length in SPEED_CONTEXTS if length <= max(context, SHORT_CONTEXT)})
    return Outlook(layout, longest, tuple(speed(model, machine, layout, length) for length in contexts))


def longest_context(model: ModelShape, machine: Machine, kind: KvType, experts: ExpertWish = AS_EVER) -> int:
    """The longest context, in tokens, that takes nothing away: as many layers on GPUs as with a short one, and nothing moved to disk
    that fitted in memory. Where routed experts are on disk anyway, the longest that leaves room for one token's experts.
    """
    short = min(SHORT_CONTEXT, model.context)
    base = arrange(model, machine, short, kind, BATCHES[0], experts)

    def fits(context: int) -> bool:
        layout = arrange(model, machine, context, kind, BATCHES[0], experts)
        # A store runs with less, and no better for it.
        enough = not layout.stored or layout.resident >= min(model.used, base.resident)
        return layout.missing == 0 and enough and _as_good(layout, base)

    if not fits(short):
        return 0
    low, high = short, model.context
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _chosen(model: ModelShape, machine: Machine, wishes: Wishes, longest: Mapping[KvType, int]) -> tuple[KvType, int]:
    scarce = arrange(model, machine, min(SHORT_CONTEXT, model.context), "f16", BATCHES[0], wishes.experts).disk > 0
    wanted = min(wishes.context or (SCARCE_CONTEXT if scarce else USUAL_CONTEXT), model.context)
    kinds = [kind for kind in longest if wishes.kv_type in (None, kind)] or list(longest)
    kind = next((kind for kind in kinds if longest[kind] >= wanted), kinds[-1])
    return kind, wanted if wishes.context else min(wanted, longest[kind] or min(SHORT_CONTEXT, model.context))


def _with_best_batch(model: ModelShape, machine: Machine, context: int, kind: KvType, experts: ExpertWish) -> Layout:
    """The layout with the smallest batch that reads prompts nearly as fast as the best; large ones pay where experts come from afar."""
    first = arrange(model, machine, context, kind, BATCHES[0], experts)
    if not _measured(machine) or first.missing:
        return first
    answers = speed(model, machine, first, context).decode.expected

    def affordable(layout: Layout) -> bool:
        """A store's memory is a choice between answers and prompts; other memory is only taken where there is plenty."""
        batch = layout.placement.batch
        plenty = batch <= LARGEST_MAPPED and workspace_bytes(model, batch) * _WORKSPACE_SHARE <= machine.memory.available
        streams = layout.stored and layout.disk and not layout.missing
        return plenty or bool(streams and speed(model, machine, layout, context).decode.expected >= _LITTLE * answers)

    larger = [arrange(model, machine, context, kind, batch, experts) for batch in BATCHES[1:] if batch <= context]
    layouts = [first, *(layout for layout in larger if _as_good(layout, first) and affordable(layout))]
    speeds = [speed(model, machine, layout, context).prefill.expected for layout in layouts]
    return next(layout for layout, value in zip(layouts, speeds, strict=True) if value >= _ENOUGH * max(speeds))


def _as_good(layout: Layout, base: Layout) -> bool:
    """Whether nothing went from a GPU to memory, from memory to disk, or from disk to nowhere."""
    fits = (layout.disk == 0 or base.disk > 0) and (layout.missing == 0 or base.missing > 0)
    return fits and layout.placement.gpu_layers >= base.placement.gpu_layers


def _measured(machine: Machine) -> bool:
    return machine.memory_rate is not None and machine.compute is not None
