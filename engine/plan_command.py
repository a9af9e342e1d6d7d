"""`kimicode models plan`: look at this machine, plan a model for it, print the plan.

Only arguments, exit codes and printing are here. The exit code is 0 also where the model can't run: the plan is the answer. What this
module does not do: load the model, or tell the engine what to do with it.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, get_args

import typer

from engine import advice, known, plan_text
from engine.errors import EngineError
from engine.machine import Machine
from engine.outlook import Wishes
from engine.plan import Plan
from engine.plan import plan as make_plan
from engine.shapes import KvType
from engine.survey import remembered, survey

GIB: Final = 1 << 30
_BAD_INPUT: Final = 2


def plan(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A GGUF file, or a known model: kimi-k2.6, kimi-k2.6:UD-Q2_K_XL, …")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    again: Annotated[bool, typer.Option("--measure", help="Measure memory, computing and disk again.")] = False,
    context: Annotated[int | None, typer.Option("--context", metavar="N", min=1, help="Tokens of context.")] = None,
    kv_type: Annotated[str | None, typer.Option("--kv-type", metavar="TYPE", help="The cache's type: f16 or q8_0.")] = None,
    ram: Annotated[float | None, typer.Option("--ram", metavar="GIB", min=1, help="What if the machine had so much memory?")] = None,
    gpu_memory: Annotated[
        float | None, typer.Option("--gpu-memory", metavar="GIB", min=0, help="What if it had one GPU with so much memory? 0: none.")
    ] = None,
) -> None:
    """Where a model would live on this machine, how fast it would be, and what to change for more. Nothing is downloaded or loaded."""
    try:
        answer, complaints = planned(model, Wishes(context, _kv_type(kv_type)), ram=ram, gpu_memory=gpu_memory, again=again)
    except EngineError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        typer.echo(f"{error.filename or model}: {error.strerror or error}", err=True)
        raise typer.Exit(_BAD_INPUT) from None
    for complaint in complaints:
        typer.echo(complaint, err=True)
    typer.echo(plan_text.as_json(answer) if as_json else plan_text.text(answer))


def planned(model: str, wishes: Wishes, *, ram: float | None, gpu_memory: float | None, again: bool) -> tuple[Plan, tuple[str, ...]]:
    """The plan, and what could not be found out about the machine. Raises `EngineError`."""
    shape = known.find(model)
    # Every part is as good to measure as the first, and the first of a split model may be small.
    largest = max(shape.files, key=lambda file: file.stat().st_size, default=None)
    found = survey(largest, Path.cwd(), remembered(), again=again)
    machine = _what_if(found.machine, ram, gpu_memory)
    return make_plan(shape, machine, wishes, known.siblings(shape)), found.complaints


def _what_if(machine: Machine, ram: float | None, gpu_memory: float | None) -> Machine:
    """The machine that is asked about; rates stay those of this one."""
    if ram is not None:
        machine = advice.with_memory(machine, int(ram * GIB))
    if gpu_memory == 0:
        return replace(machine, gpus=())
    return machine if gpu_memory is None else advice.with_gpu(machine, int(gpu_memory * GIB))


def _kv_type(given: str | None) -> KvType | None:
    for kind in get_args(KvType):
        if given == kind:
            return kind  # type: ignore[no-any-return]
    if given is not None:
        raise typer.BadParameter(f"{given!r} is not a cache type: give f16 or q8_0", param_hint="--kv-type")
    return None
