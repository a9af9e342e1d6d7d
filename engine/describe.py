"""What a GGUF model is, in the words of somebody who wants to run it: size, quantisation by role, shape, vocabulary, and why not.

Only headers are read, so 600 GB take no longer than one. Every number and text comes from a file that may lie: numbers that are
missing or no numbers are None, and text is as the file has it (`engine.describe_text` makes it fit for a terminal). Roles are told by
llama.cpp's tensor names. What this module does not do: print, or tell where a model would live and how fast (the planner does).
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from engine.gguf import ARCHITECTURE, Array, Defaults, Header, TensorInfo, defaults, refusal
from engine.parts import Parts, read_parts

PROJECTOR: Final = "clip"
"""llama.cpp's name for the architecture of a file with a model's vision part (an mmproj)."""

_ROLES: Final = (
    ("vision tower", re.compile(r"v\.")),
    ("vision projector", re.compile(r"mm\.")),
    ("routed experts", re.compile(r"blk\.\d+\.ffn_(gate|up|down|gate_up)_exps\.")),
    ("shared experts", re.compile(r"blk\.\d+\.ffn_(gate|up|down)_shexp\.")),
    ("norms and router", re.compile(r"\S*_norm\.|blk\.\d+\.(ffn_gate_inp|exp_probs_b)\b")),
    ("attention", re.compile(r"blk\.\d+\.attn_")),
    ("dense layers", re.compile(r"blk\.\d+\.ffn_(gate|up|down)\.")),
    ("embeddings and output", re.compile(r"(token_embd|output)\.")),
)
OTHER: Final = "other"


@dataclass(frozen=True)
class Share:
    """What one role of tensors takes: `kinds` is bytes by ggml type, largest first; `parameters` is how many numbers."""

    role: str
    tensors: int
    parameters: int
    bytes: int
    kinds: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Shape:
    """The model's hyperparameters; None where the file does not say, or says one number a layer."""

    layers: int | None
    width: int | None
    heads: int | None
    experts: int | None
    experts_used: int | None
    experts_shared: int | None
    context: int | None


@dataclass(frozen=True)
class Rope:
    """How positions are stretched to the context length: `kind` is "yarn" for K2.6; `original` is the context trained before that."""

    kind: str
    factor: float | None
    original: int | None
    base: float | None


@dataclass(frozen=True)
class Vocabulary:
    """`kind` is the tokenizer's and pre-tokenizer's names, "gpt2/kimi-k2"; `tokens` is how many there are."""

    kind: str
    tokens: int
    chat_template: bool


@dataclass(frozen=True)
class Description:
    """A model file. `refusal` is why this engine can't run it and what to do, None where nothing is known against it."""

    path: Path
    name: str
    architecture: str
    files: int
    missing: tuple[str, ...]
    bytes: int
    parameters: int
    active_parameters: int | None
    roles: tuple[Share, ...]
    shape: Shape
    rope: Rope | None
    vocabulary: Vocabulary | None
    projector: str | None
    defaults: Defaults | None
    refusal: str | None


def describe(path: Path) -> Description:
    """The model at `path`, all its parts. Raises `ModelFileError` where a file is no GGUF or its header is damaged."""
    return describe_parts(path, read_parts(path))


def describe_parts(path: Path, parts: Parts) -> Description:
    """The model of these `parts`."""
    header = parts.first.header
    roles = shares(tensor for _, tensor in parts.tensors())
    shape = _shape(header)
    runs = header.text("general.architecture") == ARCHITECTURE
    return Description(
        path=path,
        name=header.text("general.name") or path.stem,
        architecture=header.text("general.architecture"),
        files=parts.count,
        missing=tuple(missing.name for missing in parts.missing),
        bytes=parts.size,
        parameters=sum(share.parameters for share in roles),
        active_parameters=active(roles, shape),
        roles=roles,
        shape=shape,
        rope=_rope(header),
        vocabulary=_vocabulary(header),
        projector=header.text("clip.projector_type") or header.text("clip.vision.projector_type") or None,
        defaults=defaults(header) if runs else None,
        refusal=_refusal(path, parts),
    )


def role_of(name: str) -> str:
    """What the tensor called `name` is for."""
    return next((role for role, pattern in _ROLES if pattern.match(name)), OTHER)


def shares(tensors: Iterable[TensorInfo]) -> tuple[Share, ...]:
    """What each role takes, the largest first."""
    groups: dict[str, list[TensorInfo]] = defaultdict(list)
    for tensor in tensors:
        groups[role_of(tensor.name)].append(tensor)
    return ordered(_share(role, group) for role, group in groups.items())


def ordered(found: Iterable[Share]) -> tuple[Share, ...]:
    """The largest first, and in each the largest type first."""
    inside = (replace(share, kinds=tuple(sorted(share.kinds, key=lambda item: (-item[1], item[0])))) for share in found)
    return tuple(sorted(inside, key=lambda share: (-share.bytes, share.role)))


def _share(role: str, tensors: list[TensorInfo]) -> Share:
    kinds: dict[str, int] = defaultdict(int)
    for tensor in tensors:
        kinds[tensor.kind] += tensor.bytes
    return Share(role, len(tensors), sum(tensor.elements for tensor in tensors), sum(kinds.values()), tuple(kinds.items()))


def _shape(header: Header) -> Shape:
    return Shape(
        layers=_whole(header, "block_count"),
        width=_whole(header, "embedding_length"),
        heads=_whole(header, "attention.head_count"),
        experts=_whole(header, "expert_count"),
        experts_used=_whole(header, "expert_used_count"),
        experts_shared=_whole(header, "expert_shared_count"),
        context=_whole(header, "context_length"),
    )


def active(roles: tuple[Share, ...], shape: Shape) -> int | None:
    """Parameters that work on one token: of the routed experts only those that are used."""
    if not shape.experts or not shape.experts_used or shape.experts_used > shape.experts:
        return None
    routed = sum(share.parameters for share in roles if share.role == "routed experts")
    return sum(share.parameters for share in roles) - routed + routed * shape.experts_used // shape.experts


def _rope(header: Header) -> Rope | None:
    prefix = _prefix(header)
    kind, base = header.text(f"{prefix}rope.scaling.type"), _real(header, f"{prefix}rope.freq_base")
    if not kind and base is None:
        return None
    factor = _real(header, f"{prefix}rope.scaling.factor")
    return Rope(kind or "none", factor, _whole(header, "rope.scaling.original_context_length"), base)


def _vocabulary(header: Header) -> Vocabulary | None:
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, Array):
        return None
    names = [header.text("tokenizer.ggml.model"), header.text("tokenizer.ggml.pre")]
    return Vocabulary("/".join(name for name in names if name), tokens.count, bool(header.text("tokenizer.chat_template")))


def _refusal(path: Path, parts: Parts) -> str | None:
    header = parts.first.header
    if header.text("general.architecture") == PROJECTOR:
        return "the vision part (mmproj) of a model, not a model: give the model's own file"
    if parts.missing and header.number("split.no") != 0:
        return parts.problem
    wrong = refusal(header) or parts.problem
    if wrong is None and path.name != parts.first.path.name:
        return f"a later part of a split model; give its first part, {parts.first.path.name}"
    return wrong


def _prefix(header: Header) -> str:
    architecture = header.text("general.architecture")
    return "clip.vision." if architecture == PROJECTOR else f"{architecture}."


def _whole(header: Header, name: str) -> int | None:
    return header.whole(_prefix(header) + name)


def _real(header: Header, key: str) -> float | None:
    value = header.metadata.get(key)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
