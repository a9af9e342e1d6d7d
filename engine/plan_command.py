"""`kimicode models plan`: look at this machine, plan a model for it, print the plan.

Only arguments, exit codes and printing are here. The exit code is 0 also where the model can't run: the plan is the answer. What this
module does not do: load the model, or tell the engine what to do with it.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final, get_args

import typer

from engine import advice, hits, known, plan_text
from engine.errors import EngineError
from engine.layout import Experts, ExpertWish
from engine.machine import Machine, Rate
from engine.native.plugin import AUTO, Attention, wish
from engine.outlook import Wishes
from engine.plan import plan as make_plan
from engine.shapes import KvType, ModelShape
from engine.survey import Looking, Survey, remembered, survey

GIB: Final = 1 << 30
_BAD_INPUT: Final = 2


def plan(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A GGUF file, or a known model: kimi-k2.6, kimi-k2.6:UD-Q2_K_XL, …")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    again: Annotated[bool, typer.Option("--measure", help="Measure memory, computing, attention, experts and disk again.")] = False,
    context: Annotated[int | None, typer.Option("--context", metavar="N", min=1, help="Tokens of context.")] = None,
    kv_type: Annotated[str | None, typer.Option("--kv-type", metavar="TYPE", help="The cache's type: f16 or q8_0.")] = None,
    attention: Annotated[
        str, typer.Option("--attention", metavar="WHO", help="Who computes attention: auto, fast, precise or stock, as when serving.")
    ] = AUTO,
    experts: Annotated[
        Experts, typer.Option("--experts", help="Who keeps routed experts: the engine's own store, or llama.cpp, which maps the file.")
    ] = Experts.AUTO,
    expert_memory: Annotated[
        float | None, typer.Option("--expert-memory", metavar="GIB", min=0, help="The most that the store gets.")
    ] = None,
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where the file would be kept, if it isn't here yet.", show_default=False)
    ] = Path("."),
    ram: Annotated[float | None, typer.Option("--ram", metavar="GIB", min=1, help="What if the machine had so much memory?")] = None,
    ram_rate: Annotated[float | None, typer.Option("--ram-rate", metavar="GB/S", min=0.1, help="What if it were read so fast?")] = None,
    disk_rate: Annotated[float | None, typer.Option("--disk-rate", metavar="GB/S", min=0.01, help="What if the disk were so fast?")] = None,
    gpu_memory: Annotated[
        float | None, typer.Option("--gpu-memory", metavar="GIB", min=0, help="What if it had one GPU with so much memory? 0: none.")
    ] = None,
) -> None:
    """Where a model would live on this machine, how fast it would be, and what to change for more. Nothing is downloaded or loaded."""
    try:
        wishes = Wishes(context, _kv_type(kv_type), expert_wish(experts, expert_memory))
        shape, found = _looked(model, folder, Looking(_wish(attention)), again=again)
        machine = _what_if(found.machine, WhatIf(ram, ram_rate, disk_rate, gpu_memory))
        answer = make_plan(shape, machine, wishes, known.siblings(shape))
    except EngineError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        typer.echo(f"{error.filename or model}: {error.strerror or error}", err=True)
        raise typer.Exit(_BAD_INPUT) from None
    for complaint in found.complaints:
        typer.echo(complaint, err=True)
    typer.echo(plan_text.as_json(answer) if as_json else plan_text.text(answer))


@dataclass(frozen=True)
class WhatIf:
    """Another machine in the user's words: GiB and 10⁹ bytes a second; None leaves what this one has."""

    ram: float | None = None
    ram_rate: float | None = None
    disk_rate: float | None = None
    gpu_memory: float | None = None


def _looked(model: str, folder: Path, looking: Looking, *, again: bool) -> tuple[ModelShape, Survey]:
    """The model, and the machine that would run it. Raises `EngineError`."""
    shape = known.find(model)
    kept = remembered()
    # Every part is as good to measure as the first, and the first of a split model may be small.
    largest = max(shape.files, key=lambda file: file.stat().st_size, default=None)
    found = survey(largest, folder, kept, again=again, looking=looking)
    return shape, replace(found, machine=replace(found.machine, hits=hits.recall(kept, shape)))


def _what_if(machine: Machine, asked: WhatIf) -> Machine:
    """The machine that is asked about; what isn't asked stays as it is here."""
    if asked.ram is not None:
        machine = advice.with_memory(machine, int(asked.ram * GIB))
    if asked.ram_rate is not None:
        rate = Rate(asked.ram_rate * 1e9, "told", "--ram-rate")
        # Products with experts were measured with the memory that is here.
        faster = rate.value / machine.memory_rate.value if machine.memory_rate is not None else 0.0
        experts = machine.experts.with_memory(faster, "as measured here, by --ram-rate") if machine.experts is not None and faster else None
        machine = replace(machine, memory_rate=rate, experts=experts)
    if asked.disk_rate is not None:
        machine = replace(machine, disk=replace(machine.disk, rate=Rate(asked.disk_rate * 1e9, "told", "--disk-rate")))
    if asked.gpu_memory == 0:
        return replace(machine, gpus=())
    return machine if asked.gpu_memory is None else advice.with_gpu(machine, int(asked.gpu_memory * GIB))


def expert_wish(who: Experts, gib: float | None) -> ExpertWish:
    """What was asked for on the command line."""
    return ExpertWish(who, None if gib is None else int(gib * GIB))


def _kv_type(given: str | None) -> KvType | None:
    for kind in get_args(KvType):
        if given == kind:
            return kind  # type: ignore[no-any-return]
    if given is not None:
        raise typer.BadParameter(f"{given!r} is not a cache type: give f16 or q8_0", param_hint="--kv-type")
    return None


def _wish(given: str) -> Attention:
    try:
        return wish(given)
    except ValueError:
        names = ", ".join((AUTO, *(kind.value for kind in Attention)))
        raise typer.BadParameter(f"{given!r} computes no attention: give one of {names}", param_hint="--attention") from None
