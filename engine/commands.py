"""The `engine` commands: serve, start, stop and status of engine processes, a measurement, and the text layer by hand.

Only arguments, exit codes and printing are here; the work is done in `engine.daemon`, `engine.control` and `engine.jsonlines`. Payload
goes to stdout, everything else to stderr. What this module does not do: get imported by an engine process, which has no use for typer.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from engine import control, jsonlines
from engine.bench_command import bench
from engine.daemon import DEFAULT_DISK_GB, DEFAULT_PARALLEL, MAX_PARALLEL, ServeOptions, access_token, disk_folder, expert_bytes
from engine.daemon import serve as serve_process
from engine.errors import EngineError
from engine.layout import Experts, ExpertWish
from engine.llama import KvType
from engine.native.plugin import wish
from engine.plain import plain, size_of
from engine.tokenizer import Tokenizer, VocabularyError

app = typer.Typer(
    name="engine",
    help="The embedded engine: its processes, and its text layer by hand.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

_BAD_INPUT = 2
_NOT_RUNNING = 1
_NOTABLY = 0.95
"""A store under this share of its planned size is short of memory; places are whole, so it never has all of it."""

_SHOWN = ("attention", "running", "queued", "answered", "cancelled", "tokens")

BOXED = "kimi-nano"
"""The model that ships with the package, by its name."""


def _model_file(given: str) -> Path:
    return Path(__file__).parent / "nano" / f"{BOXED}.gguf" if given == BOXED else Path(given)


class KvChoice(StrEnum):
    """The names of `KvType`, for the command line."""

    f32 = "f32"
    f16 = "f16"
    q8_0 = "q8_0"


class AttentionChoice(StrEnum):
    """The names of `Attention`, and of its default, for the command line."""

    auto = "auto"
    fast = "fast"
    precise = "precise"
    stock = "stock"


class ExpertsChoice(StrEnum):
    """The names of `Experts`, for the command line."""

    auto = "auto"
    store = "store"
    mapped = "mapped"


ModelArgument = Annotated[
    Path, typer.Option("--model", metavar="FILE", parser=_model_file, help=f"A GGUF model file, or {BOXED}.", show_default=False)
]
SomeModelArgument = Annotated[Path | None, typer.Option("--model", metavar="FILE", parser=_model_file, help="Only this model's engine.")]
IdleArgument = Annotated[
    float | None, typer.Option("--idle-timeout", metavar="S", min=0.001, help="End after S seconds without a request.")
]
ContextArgument = Annotated[int | None, typer.Option("--context", metavar="N", min=1, help="Most tokens of one conversation.")]
AttentionArgument = Annotated[
    AttentionChoice | None, typer.Option("--attention", help="Who computes attention: kimicode's kernels, or llama.cpp's own (stock).")
]

ExpertsArgument = Annotated[
    ExpertsChoice | None,
    typer.Option("--experts", help="Who keeps routed experts: kimicode's store, or llama.cpp, which maps the file (mapped)."),
]
ExpertMemoryArgument = Annotated[
    float | None, typer.Option("--expert-memory", metavar="GIB", min=0.001, help="Most memory for experts in the store; as planned.")
]
ExpertsAlsoArgument = Annotated[
    list[Path] | None,
    typer.Option("--experts-also", metavar="DIR", help="Read experts also from the model's files copied to this folder, on another drive."),
]


@app.command()
def serve(
    model: ModelArgument,
    socket: Annotated[Path | None, typer.Option("--socket", metavar="PATH", help="Listen on this Unix socket.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="N", min=0, max=65535, help="Listen on this port; 0 takes a free one.")
    ] = None,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The port's address.")] = "127.0.0.1",
    idle_timeout: IdleArgument = None,
    context: ContextArgument = None,
    cells: Annotated[
        int | None, typer.Option("--cells", metavar="N", min=1, help="Tokens of all conversations in memory; eight contexts, up to 131072.")
    ] = None,
    kv_type: Annotated[KvChoice | None, typer.Option("--kv-type", help="How a cell is stored; q8_0 takes half of f16's memory.")] = None,
    attention: AttentionArgument = None,
    experts: ExpertsArgument = None,
    expert_memory: ExpertMemoryArgument = None,
    experts_also: ExpertsAlsoArgument = None,
    parallel: Annotated[
        int, typer.Option("--parallel", metavar="N", min=1, max=MAX_PARALLEL, help="Answers written at a time.")
    ] = DEFAULT_PARALLEL,
    disk_cache: Annotated[
        float, typer.Option("--disk-cache", metavar="GB", min=0, help="Most disk space for saved cells; 0 saves none.")
    ] = DEFAULT_DISK_GB,
    threads: Annotated[int | None, typer.Option("--threads", metavar="N", min=1, help="Threads to compute with.")] = None,
    vendor_strict: Annotated[
        bool, typer.Option("--vendor-strict", help="Refuse sampling values that the vendor's own API refuses.")
    ] = False,
) -> None:
    """Serve a model in this process, for any OpenAI-compatible client.

    A port wants a bearer token: KIMICODE_ENGINE_TOKEN, or one that is made and shown.
    """
    if (socket is None) == (port is None):
        raise typer.BadParameter("give either --socket PATH or --port N")
    options = ServeOptions(
        model=model,
        socket=socket,
        port=port,
        host=host,
        token=access_token(os.environ) if socket is None else None,
        idle_timeout=idle_timeout,
        context=context,
        cells=cells,
        parallel=parallel,
        kv_type=KvType[kv_type.value.upper()] if kv_type is not None else None,
        attention=wish((attention or AttentionChoice.auto).value),
        experts=ExpertWish(Experts((experts or ExpertsChoice.auto).value), expert_bytes(expert_memory)),
        experts_also=tuple(experts_also or ()),
        threads=threads,
        disk=disk_folder(os.environ, disk_cache),
        disk_gb=disk_cache,
        strict=vendor_strict,
    )
    raise typer.Exit(serve_process(options))


@app.command()
def start(
    model: ModelArgument,
    idle_timeout: IdleArgument = None,
    context: ContextArgument = None,
    attention: AttentionArgument = None,
    experts: ExpertsArgument = None,
    expert_memory: ExpertMemoryArgument = None,
    experts_also: ExpertsAlsoArgument = None,
) -> None:
    """Start the engine for a model in the background, and wait until it has loaded."""
    options = control.StartOptions(
        idle_timeout=idle_timeout,
        context=context,
        attention=attention.value if attention is not None else None,
        experts=experts.value if experts is not None else None,
        expert_memory=expert_memory,
        experts_also=tuple(experts_also or ()),
    )
    with _reported():
        engine = control.start(model, os.environ, options)
        typer.echo(plain(_line(engine), 2000))


@app.command()
def stop(model: SomeModelArgument = None) -> None:
    """End all engines of this user, or one model's."""
    with _reported():
        engines = _engines(model)
        for engine in engines:
            control.stop(engine)
            typer.echo(plain(f"stopped {engine.model} (process {engine.pid})", 2000), err=True)
        if not engines:
            typer.echo("no engine is running", err=True)


@app.command()
def status(model: SomeModelArgument = None) -> None:
    """Show the engines that run; exit 1 where none does."""
    with _reported():
        engines = _engines(model)
        for engine in engines:
            typer.echo(plain(_line(engine), 2000))
    if not engines:
        typer.echo("no engine is running", err=True)
        raise typer.Exit(_NOT_RUNNING)


app.command()(bench)


@app.command()
def tokenize(
    model: ModelArgument,
    decode: Annotated[bool, typer.Option("--decode", help='The other way: {"ids"} to {"text"}.')] = False,
) -> None:
    """Lines of {"text"} on stdin to lines of {"ids"}."""
    function = jsonlines.detokenize if decode else jsonlines.tokenize
    _answer_lines(lambda: partial(function, tokenizer=Tokenizer.from_gguf(model)))


@app.command()
def declare() -> None:
    """Lines of {"tools"} on stdin to lines of {"declaration"}."""
    _answer_lines(lambda: jsonlines.declare)


@app.command()
def render(model: ModelArgument) -> None:
    """Lines of {"messages", "tools", "thinking", "preserve_thinking"} on stdin to lines of {"prompt", "ids"}."""
    _answer_lines(lambda: partial(jsonlines.render, tokenizer=Tokenizer.from_gguf(model)))


@app.command()
def parse(model: ModelArgument) -> None:
    """Lines of {"ids"} that a model generated, on stdin, to lines of {"reasoning", "content", "tool_calls", "finish_reason"}."""
    _answer_lines(lambda: partial(jsonlines.parse, tokenizer=Tokenizer.from_gguf(model)))


def _answer_lines(function: Callable[[], Callable[[str], str]]) -> None:
    with _reported():
        for answer in jsonlines.answers(sys.stdin, function()):
            typer.echo(answer)


def _engines(model: Path | None) -> list[control.Running]:
    found = control.running(os.environ)
    return [engine for engine in found if model is None or os.path.realpath(engine.model) == os.path.realpath(model)]


def _line(engine: control.Running) -> str:
    counters = "".join(f"  {name} {engine.counters[name]}" for name in _SHOWN if name in engine.counters)
    experts = _experts(engine.counters.get("experts"))
    return f"{engine.status}  {engine.model}  process {engine.pid}{counters}{experts}\n  {engine.places.socket}"


def _experts(told: object) -> str:
    """What `/health` tells of experts, in words; nothing where llama.cpp keeps them."""
    match told:
        case {
            "hit_rate": float() | int() as rate,
            "cache_bytes": int() as size,
            "planned_bytes": int() as most,
            "read_bytes": int() as got,
        }:
            limited = f" of {size_of(most)}" if size < most * _NOTABLY else ""
            return f"  experts {size_of(size)}{limited} in memory, {rate:.0%} found there, {size_of(got)} read"
        case _:
            return ""


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        typer.echo(plain(str(error), 2000), err=True)
        raise typer.Exit(error.exit_code) from None
    except (VocabularyError, UnicodeDecodeError) as error:
        typer.echo(plain(str(error), 2000), err=True)
        raise typer.Exit(_BAD_INPUT) from None
    except OSError as error:
        typer.echo(plain(f"{error.filename or 'the engine'}: {error.strerror or error}", 2000), err=True)
        raise typer.Exit(_BAD_INPUT) from None
