"""A plan for people, in aligned plain lines of at most 100 columns, and for programs, as JSON.

What this module does not do: decide or compute anything.
"""

import textwrap
from collections.abc import Iterator
from typing import Final

import msgspec

from engine.advice import size
from engine.plan import Plan
from engine.speed import STREAMS, Estimate

COLUMNS: Final = 100
JSON_VERSION: Final = 1


def text(answer: Plan) -> str:
    """The whole plan, line by line."""
    return "\n".join(_lines(answer))


def as_json(answer: Plan) -> str:
    """The whole plan as one JSON object: bytes, tokens, and tokens a second throughout."""
    model, machine, outlook = answer.model, answer.machine, answer.outlook
    return msgspec.json.encode(
        {
            "v": JSON_VERSION,
            "model": {
                "name": model.name,
                "bytes": model.bytes,
                "dense_bytes": model.dense.bytes,
                "routed_expert_bytes": model.routed.bytes,
                "kv_bytes_per_token": {kind: model.kv_bytes(kind) for kind in model.kv_types()},
                "context": model.context,
                "files": [str(file) for file in model.files],
                "notes": model.notes,
            },
            "machine": {**msgspec.to_builtins(machine, enc_hook=str)},
            "runs": answer.runs,
            "problems": answer.problems,
            "shares": answer.shares,
            "placement": answer.placement,
            "longest_context": outlook.longest,
            "speeds": outlook.speeds,
            "figures": answer.figures,
            "confidence": answer.confidence,
            "why": answer.why,
            "advice": answer.advice,
        }
    ).decode()


def _lines(answer: Plan) -> Iterator[str]:
    model, machine = answer.model, answer.machine
    yield from _wrapped(f"{model.name}: {size(model.bytes)}, {size(model.routed.bytes)} of it routed experts")
    for note in model.notes:
        yield from _wrapped(f"  {note}")
    memory = f"{size(machine.memory.total)} of memory ({size(machine.memory.available)} available)"
    gpus = ", ".join(f"{gpu.description} ({size(gpu.free)} free)" for gpu in machine.gpus) or "no GPU"
    yield from _wrapped(f"Machine: {machine.cpus} CPUs ({machine.cpu}), {memory}, {size(machine.disk.free)} of disk free, {gpus}")
    yield ""
    yield from _verdict(answer)
    yield ""
    yield "Where it would live"
    yield from (f"  {share.place:<5} {size(share.bytes):>9}  {share.what}" for share in answer.shares)
    yield from _settings(answer)
    yield from _speeds(answer)
    yield ""
    yield "What this rests on"
    for figure in answer.figures:
        yield from _wrapped(f"  {figure.name:<27} {figure.value:<20} {figure.basis}: {figure.how}", indent=51)
    yield from _advice(answer)


def _verdict(answer: Plan) -> Iterator[str]:
    if answer.runs:
        beside = f", with {size(answer.outlook.layout.disk)} of routed experts read from disk as they are used" if _streams(answer) else ""
        yield from _wrapped(f"It runs here{beside}.")
        return
    yield "It can't run here."
    for problem in answer.problems:
        yield from _wrapped(f"  {problem}", indent=4)


def _settings(answer: Plan) -> Iterator[str]:
    placement, longest = answer.placement, answer.outlook.longest
    yield ""
    yield f"Settings: context {placement.context:,}, cache {placement.kv_type}, batch {placement.batch}, GPU layers {placement.gpu_layers}"
    for pattern, device in placement.tensor_overrides:
        yield from _wrapped(f"  tensors {pattern} on {device}", indent=4)
    if placement.expert_memory is not None:
        yield f"  {size(placement.expert_memory)} for the engine's store of routed experts"
    if any(longest.values()):
        held = ", ".join(f"{tokens:,} tokens with {kind}" for kind, tokens in longest.items())
        yield f"Longest context: {held}"


def _speeds(answer: Plan) -> Iterator[str]:
    if not answer.outlook.speeds:
        return
    yield ""
    yield f"{'Tokens a second':<20}{'reading a prompt':<27}{'answering':<27}{STREAMS} answers together"
    for speed in answer.outlook.speeds:
        yield f"  at {speed.context:>7,} tokens {_range(speed.prefill):<27}{_range(speed.decode):<27}{_range(speed.together)}"
    yield from _wrapped(f"  Confidence {answer.confidence}: {answer.why}.", indent=4)


def _advice(answer: Plan) -> Iterator[str]:
    if not answer.advice:
        return
    now = answer.outlook.decode
    yield ""
    yield "For more" + (f" (answers at {_rate(now)} tokens a second now)" if now else "")
    for advice in answer.advice:
        gain = f"{_rate(advice.decode):>6} t/s" if advice.decode else " " * 10
        yield from _wrapped(f"  {advice.change:<38} {gain}  {advice.why}", indent=53)


def _streams(answer: Plan) -> bool:
    return answer.outlook.layout.disk > 0


def _range(estimate: Estimate) -> str:
    return f"{_rate(estimate.expected)}  ({_rate(estimate.low)} to {_rate(estimate.high)})"


def _rate(value: float) -> str:
    """Two figures are more than a prediction knows."""
    if value >= 10_000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _wrapped(line: str, indent: int = 2) -> list[str]:
    return textwrap.wrap(
        line, COLUMNS, subsequent_indent=" " * indent, break_on_hyphens=False, drop_whitespace=True, replace_whitespace=False
    )
