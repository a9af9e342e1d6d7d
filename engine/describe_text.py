"""A description of a model as lines for a terminal, and as one JSON object.

Every text that a file holds passes `engine.plain.plain` on its way to a terminal; JSON keeps it whole, escaped to ASCII. What this
module does not do: read files.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from engine.describe import Description, Share
from engine.gguf import TensorInfo
from engine.plain import plain, size_of

Tensors = Sequence[tuple[Path, TensorInfo]]


def lines(description: Description) -> Iterator[str]:
    """The description, a line each."""
    for label, value in _facts(description):
        if value:
            yield f"{label:<16}{plain(value)}"
    if description.roles:
        yield ""
        yield from _table(description)
    yield ""
    if description.refusal is None:
        yield "This engine can run it."
    else:
        yield f"This engine can't run it: {plain(description.refusal)}"


def tensor_lines(tensors: Tensors) -> Iterator[str]:
    """One line a tensor: name, type, shape in ggml's order, bytes, and the file's name."""
    width = min(max((len(tensor.name) for _, tensor in tensors), default=0), 64)
    for path, tensor in tensors:
        shape = " × ".join(str(size) for size in tensor.shape)
        yield f"{plain(tensor.name):<{width}}  {tensor.kind:<8}{shape:<24}{tensor.bytes:>18,}  {plain(path.name)}"


def as_json(description: Description, tensors: Tensors | None) -> str:
    """One object, on one line: the description's fields, and `tensors` where they are wanted. Sizes are in bytes."""
    fields = asdict(description)
    fields["path"] = str(description.path)
    for share, role in zip(description.roles, fields["roles"], strict=True):
        role["kinds"] = dict(share.kinds)
    if tensors is not None:
        fields["tensors"] = [
            {"name": t.name, "kind": t.kind, "shape": list(t.shape), "offset": t.offset, "bytes": t.bytes, "file": path.name}
            for path, t in tensors
        ]
    return json.dumps(fields, allow_nan=False)


def _facts(what: Description) -> Iterator[tuple[str, str]]:
    yield "name", what.name
    yield "architecture", what.architecture or "none named"
    active = f", of which {_count(what.active_parameters)} work on a token" if what.active_parameters else ""
    yield "parameters", _count(what.parameters) + active
    yield (
        "on disk",
        f"{size_of(what.bytes)} in {what.files - len(what.missing)} of {what.files} files" if what.files > 1 else size_of(what.bytes),
    )
    if what.missing:
        yield "missing", ", ".join(what.missing[:5]) + (" …" if len(what.missing) > 5 else "")
    shape = what.shape
    yield "layers", _join((shape.layers, "layers"), (shape.width, "wide"), (shape.heads, "heads"))
    yield "experts", _join((shape.experts, "routed"), (shape.experts_used, "used a token"), (shape.experts_shared, "shared"))
    yield "context", f"{shape.context:,} tokens" if shape.context else ""
    if what.rope is not None:
        yield "positions", _positions(what)
    if what.vocabulary is not None:
        template = "with a chat template" if what.vocabulary.chat_template else "without a chat template"
        yield "vocabulary", f"{what.vocabulary.tokens:,} tokens, {what.vocabulary.kind or 'of no named kind'}, {template}"
    yield "projector", what.projector or ""
    if what.defaults is not None:
        wishes = what.defaults
        thinking = "thinking" if wishes.thinking else "no thinking"
        temperature = "K2.6's temperature" if wishes.temperature is None else f"temperature {wishes.temperature:g}"
        yield "defaults", f"{temperature}, top_p {wishes.top_p:g}, min_p {wishes.min_p:g}, {thinking}"


def _positions(what: Description) -> str:
    rope = what.rope
    if rope is None:
        return ""
    base = f", base {rope.base:g}" if rope.base is not None else ""
    if rope.kind == "none":
        return f"not stretched{base}"
    stretched = f" ×{rope.factor:g}" if rope.factor is not None else ""
    original = f" from {rope.original:,} tokens" if rope.original is not None else ""
    return f"{rope.kind}{stretched}{original}{base}"


def _table(what: Description) -> Iterator[str]:
    total = sum(share.bytes for share in what.roles)
    for share in what.roles:
        percent = 100 * share.bytes / total if total else 0
        yield f"{share.role:<24}{size_of(share.bytes):>10}{percent:>7.1f} %  {_kinds(share)}"


def _kinds(share: Share) -> str:
    if len(share.kinds) == 1:
        return share.kinds[0][0]
    return ", ".join(f"{kind} {size_of(count)}" for kind, count in share.kinds)


def _count(number: int | None) -> str:
    """1.03 T for 1,026,000,000,000."""
    value = float(number or 0)
    for unit in ("", " k", " M", " B", " T"):
        if value < 999.5 or unit == " T":
            break
        value /= 1000
    return f"{value:.3g}{unit}" if value < 1000 else f"{value:.0f}{unit}"


def _join(*items: tuple[int | None, str]) -> str:
    return ", ".join(f"{number:,} {what}" for number, what in items if number is not None)
