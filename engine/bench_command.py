"""`kimicode engine bench`: load a model as the engine would, measure a prompt and an answer, and print what was predicted beside it.

What the store of experts counts is remembered, for the next plan. Only arguments, exit codes, interruption and printing are here, and how
the parts are put together. Exit codes: 0, 2 for a file or an option that is wrong, 69 where the model can't run, 130 where it was
interrupted. What this module does not do: measure (`engine.bench`), or predict (`engine.speed`).
"""

import itertools
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer

from engine import bench_report, hits, known, read_rate, side_file
from engine.bench import WARM_TOKENS, Counts, Job, Measured, Outside, StoppedError, distinct, measure
from engine.bench_report import Bench, Reading
from engine.errors import EngineError, ModelFileError
from engine.expert_cache import ExpertCache
from engine.layout import Experts, ExpertWish, Layout, arrange
from engine.llama import KvType, Llama, Options
from engine.machine import Hit, Machine
from engine.measure import Remembered
from engine.outlook import Wishes
from engine.plain import plain
from engine.plan import Plan
from engine.plan import plan as make_plan
from engine.plan_command import expert_wish
from engine.shapes import ModelShape
from engine.survey import Looking, remembered, survey
from engine.tokenizer import Tokenizer

_BAD_INPUT: Final = 2
_RANDOM: Final = "random tokens"


def bench(
    model: Annotated[str, typer.Option("--model", metavar="FILE", help="A GGUF model file, or kimi-nano.", show_default=False)],
    tokens: Annotated[int, typer.Option("--tokens", metavar="N", min=1, help="Tokens of the answer that is measured.")] = 64,
    prompt: Annotated[int, typer.Option("--prompt", metavar="N", min=1, help="Tokens of the prompt that is measured.")] = 512,
    experts: Annotated[
        Experts, typer.Option("--experts", help="Who keeps routed experts: the engine's own store, or llama.cpp, which maps the file.")
    ] = Experts.AUTO,
    expert_memory: Annotated[
        float | None, typer.Option("--expert-memory", metavar="GIB", min=0, help="The most that the store gets.")
    ] = None,
    text: Annotated[
        Path | None, typer.Option("--text", metavar="FILE", help="Measure with this text instead of random tokens.", show_default=False)
    ] = None,
    again: Annotated[bool, typer.Option("--measure", help="Measure the machine again first, as `models plan --measure` does.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure a model on this machine beside what `kimicode models plan` predicts. Takes about a minute, more with experts on disk."""
    try:
        with _interruptible() as stop:
            report = run(Asked(model, tokens, prompt, expert_wish(experts, expert_memory), text, again), remembered(), stop)
    except StoppedError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    except EngineError as error:
        typer.echo(plain(str(error), 2000), err=True)
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        typer.echo(plain(f"{error.filename or model}: {error.strerror or error}", 2000), err=True)
        raise typer.Exit(_BAD_INPUT) from None
    typer.echo(bench_report.as_json(report) if as_json else bench_report.text(report))


@dataclass(frozen=True)
class Asked:
    """The command line; `again`: measure the machine anew."""

    model: str
    tokens: int
    prompt: int
    experts: ExpertWish
    text: Path | None = None
    again: bool = False


def run(asked: Asked, kept: Remembered, stop: threading.Event) -> Bench:
    """Plan, load, measure, compare, remember. Raises `EngineError`, `OSError`."""
    shape = known.find(asked.model)
    if not shape.files:
        raise ModelFileError(f"{shape.name} is not here: give the path of its file, or fetch it with `kimicode models pull`")
    context = asked.prompt + asked.tokens + WARM_TOKENS
    if context > shape.context:
        raise ModelFileError(f"{shape.files[0]}: made for {shape.context:,} tokens of context: ask for less --prompt and --tokens")
    given = _tokens(shape, asked)
    machine, notes = _looked(shape, kept, again=asked.again)
    answer = make_plan(shape, machine, Wishes(context, experts=asked.experts))
    if not answer.runs:
        raise EngineError(f"{shape.files[0]}: {'; '.join(answer.problems)}")
    start = time.perf_counter()
    with Llama(shape.files[0], _options(answer, asked), wanted=lambda: not stop.is_set()) as llama:
        loaded = time.perf_counter() - start
        layout = _as_loaded(shape, machine, answer.outlook.layout, llama)
        notes += (f"llama.cpp maps the experts: {llama.unstored}",) if llama.unstored else ()
        job = Job(asked.prompt, asked.tokens, llama.batch, context)
        source = iter(given) if given else distinct(llama.vocabulary)
        found = measure(llama, source, job, Outside(lambda: _counts(llama), stopped=stop.is_set))
        reading = _reading(llama, shape, layout)
    hit = _keep(kept, shape, reading, found, asked)
    rows = tuple(bench_report.rows(shape, machine, layout, asked.prompt, found))
    return Bench(shape, layout, answer.shares, loaded, reading, rows, hit, (*notes, *_notes(found, hit)))


def _looked(shape: ModelShape, kept: Remembered, *, again: bool) -> tuple[Machine, tuple[str, ...]]:
    largest = max(shape.files, key=lambda file: file.stat().st_size)
    found = survey(largest, largest.parent, kept, again=again, looking=Looking())
    return replace(found.machine, hits=hits.recall(kept, shape)), found.complaints


def _tokens(shape: ModelShape, asked: Asked) -> list[int]:
    """The text's, as often as it takes; none without a text. Raises `ModelFileError` where it has none."""
    if asked.text is None:
        return []
    ids = Tokenizer.from_gguf(shape.files[0]).encode(asked.text.read_text("utf-8", "replace"))
    if not ids:
        raise ModelFileError(f"{asked.text}: an empty text says nothing")
    return list(itertools.islice(itertools.cycle(ids), 2 * asked.prompt + asked.tokens + WARM_TOKENS))


def _options(answer: Plan, asked: Asked) -> Options:
    """As the engine would load it."""
    placement = answer.placement
    kind = KvType.Q8_0 if placement.kv_type == "q8_0" else KvType.F16
    required = asked.experts.who is Experts.STORE
    memory = placement.expert_memory or answer.outlook.layout.ram.experts
    stored = placement.expert_memory is not None or required
    file = answer.model.files[0]
    reading = read_rate.recall(remembered(), file.parent)
    cache = ExpertCache(memory, side=side_file.find(file), required=required, reading=reading) if stored else None
    return Options(cells=placement.context, batch=placement.batch, kv_type=kind, placement=placement, experts=cache)


def _as_loaded(shape: ModelShape, machine: Machine, planned: Layout, llama: Llama) -> Layout:
    """The layout that came of it: without a store, in spite of the plan, that of mapped experts."""
    if not planned.stored or llama.experts is not None:
        return planned
    placement = planned.placement
    return arrange(shape, machine, placement.context, placement.kv_type, placement.batch, ExpertWish(Experts.MAPPED))


def _counts(llama: Llama) -> Counts | None:
    if llama.experts is None:
        return None
    counts = llama.experts.counts()
    return Counts(counts.hits, counts.misses, counts.bytes, counts.busy_seconds, counts.places, counts.announced_used)


def _reading(llama: Llama, shape: ModelShape, layout: Layout) -> Reading | None:
    if llama.experts is None:
        return None
    counts = llama.experts.counts()
    on_gpus = len(layout.placement.gpu_experts)
    layers = sum(1 for layer in shape.layers if layer.experts.bytes) - on_gpus
    return Reading(bool(counts.direct), bool(counts.uring), counts.places, layers * shape.experts, counts.held)


def _keep(kept: Remembered, shape: ModelShape, reading: Reading | None, found: Measured, asked: Asked) -> Hit | None:
    counts = found.decode.counts
    if reading is None or counts is None:
        return None
    # A store that is not full yet found what one with no more places would have found.
    share = reading.share if found.settled else reading.held_share
    what = _RANDOM if asked.text is None else f"text of {asked.text.name}"
    return hits.keep(kept, shape, share, counts.kept, counts.uses - counts.kept, what)


def _notes(found: Measured, hit: Hit | None) -> Iterator[str]:
    if not found.settled:
        yield "The store had not settled when the answer was measured: a longer run may find more in memory."
    if hit is not None:
        yield f"Remembered for `kimicode models plan`: {hit.rate:.0%} of uses found with {hit.share:.0%} of the experts in memory."


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets: llama.cpp does not hear of exceptions. A second Ctrl-C ends as usual."""
    stop = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield stop
    except EngineError as error:
        raise (StoppedError("stopped") if stop.is_set() else error) from None
    finally:
        signal.signal(signal.SIGINT, before)
