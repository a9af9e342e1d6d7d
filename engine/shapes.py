"""What a model's bytes are for: attention, dense and shared feed-forward, routed experts, embeddings, layer by layer.

`from_hyperparameters` computes it from a model's published numbers, before anything is downloaded; `read` takes it from the tensors of a
GGUF file, or of all parts of a split one. Both give the same `ModelShape`, so that a plan does not care which it has. Tensor names and
dimensions are llama.cpp's `deepseek2`. What this module does not do: know any model by name (`engine.known`) or look at a machine.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, TypeAlias

from engine.errors import ModelFileError
from engine.gguf import ARCHITECTURE, Header, read_header, refusal

Role: TypeAlias = Literal["embedding", "head", "attention", "dense", "shared", "router", "experts", "other"]
KvType: TypeAlias = Literal["f16", "q8_0"]

KV_TYPES: Final[tuple[KvType, ...]] = ("f16", "q8_0")
KV_BLOCK: Final = 32
"""Values of one q8_0 block: a cell's row must be a whole number of them."""

_KV_BITS: Final[Mapping[KvType, float]] = {"f16": 16, "q8_0": 8.5}
_PART: Final = re.compile(r"^(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")
_BLOCK: Final = re.compile(r"^blk\.(\d+)\.(\w+)")
_ROLES: Final[tuple[tuple[re.Pattern[str], Role], ...]] = (
    (re.compile(r"ffn_(gate|up|down|gate_up)_exps"), "experts"),
    (re.compile(r"ffn_(gate|up|down)_shexp"), "shared"),
    (re.compile(r"ffn_gate_inp|exp_probs_b"), "router"),
    (re.compile(r"ffn_(gate|up|down)$"), "dense"),
)
_REST: Final[Role] = "attention"


@dataclass(frozen=True)
class Amount:
    """Some tensors: how many weights, and how many bytes they take in the file and in memory."""

    weights: int = 0
    bytes: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.weights + other.weights, self.bytes + other.bytes)


@dataclass(frozen=True)
class LayerShape:
    """One layer. `attention` holds its norms too; `dense` is the feed-forward of a layer without experts; `experts` are all of them."""

    attention: Amount = Amount()
    dense: Amount = Amount()
    shared: Amount = Amount()
    router: Amount = Amount()
    experts: Amount = Amount()

    @cached_property
    def always(self) -> Amount:
        """What every token uses."""
        return self.attention + self.dense + self.shared + self.router


@dataclass(frozen=True)
class AttentionShape:
    """Latent attention: `heads` queries look at one cell of `latent` + `rope` values a token and a layer; values are the `latent` part."""

    heads: int
    latent: int
    rope: int

    @property
    def cell(self) -> int:
        """Values that a token leaves in the cache, in one layer."""
        return self.latent + self.rope


@dataclass(frozen=True)
class ModelShape:
    """A model, by what its bytes are for. `context` is the longest it was made for, in tokens.

    `head` is empty where the embeddings serve as the output matrix too. `files` are its parts on this machine, none where it isn't here.
    `notes` say where numbers come from that were not computed.
    """

    name: str
    context: int
    width: int
    vocabulary: int
    embedding: Amount
    head: Amount
    layers: tuple[LayerShape, ...]
    attention: AttentionShape
    experts: int
    experts_used: int
    other: Amount = Amount()
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def routed(self) -> Amount:
        """All routed experts of all layers."""
        return total(layer.experts for layer in self.layers)

    @cached_property
    def output(self) -> Amount:
        """The matrix that makes the logits."""
        return self.head if self.head.bytes else self.embedding

    @cached_property
    def dense(self) -> Amount:
        """Everything but the routed experts."""
        return total([self.embedding, self.head, self.other, *(layer.always for layer in self.layers)])

    @cached_property
    def bytes(self) -> int:
        """The size of the weights."""
        return self.routed.bytes + self.dense.bytes

    @property
    def used(self) -> float:
        """The share of the routed experts that one token uses."""
        return self.experts_used / self.experts if self.experts else 0.0

    def kv_types(self) -> tuple[KvType, ...]:
        """The cache types that llama.cpp can use for this model."""
        return tuple(kind for kind in KV_TYPES if kind == "f16" or self.attention.cell % KV_BLOCK == 0)

    def kv_bytes(self, kind: KvType) -> int:
        """Bytes of cache a token, in all layers together."""
        return int(len(self.layers) * self.attention.cell * _KV_BITS[kind] / 8)


@dataclass(frozen=True)
class Hyperparameters:
    """The published numbers of a `deepseek2` model, by K2's own values' names; widths and ranks in values, `context` in tokens."""

    layers: int
    dense_layers: int
    width: int
    heads: int
    q_rank: int
    kv_rank: int
    nope: int
    rope: int
    value: int
    dense_width: int
    expert_width: int
    experts: int
    experts_used: int
    shared_experts: int
    vocabulary: int
    context: int


@dataclass(frozen=True)
class Precision:
    """Bits a weight: of the routed experts, of all other matrices, and of the router. Norms are 32 bits wide."""

    experts: float
    others: float
    router: float = 32


def from_hyperparameters(name: str, numbers: Hyperparameters, precision: Precision, notes: tuple[str, ...] = ()) -> ModelShape:
    """The shape of a model of these hyperparameters, stored so."""
    table = _amount(numbers.vocabulary * numbers.width, precision.others)
    return ModelShape(
        name=name,
        context=numbers.context,
        width=numbers.width,
        vocabulary=numbers.vocabulary,
        embedding=table,
        head=table,
        layers=tuple(_layer(numbers, precision, dense=index < numbers.dense_layers) for index in range(numbers.layers)),
        attention=AttentionShape(numbers.heads, numbers.kv_rank, numbers.rope),
        experts=numbers.experts,
        experts_used=numbers.experts_used,
        other=_amount(numbers.width, 32),
        notes=notes,
    )


def read(path: Path) -> ModelShape:
    """The shape of the GGUF file at `path`, or of the split model whose first part it is. Raises `ModelFileError`, naming the file."""
    parts = tuple(_parts(path))
    return from_headers([read_header(part) for part in parts], parts)


def from_headers(headers: list[Header], files: tuple[Path, ...]) -> ModelShape:
    """The shape that the headers of a model's parts describe, first part first. Raises `ModelFileError`."""
    if (wrong := refusal(headers[0])) is not None:
        raise ModelFileError(f"{files[0]}: {wrong}")
    numbers = _numbers(headers[0])
    sums: defaultdict[tuple[int | None, Role], Amount] = defaultdict(Amount)
    for header in headers:
        for tensor in header.tensors:
            sums[_place(tensor.name)] += Amount(tensor.elements, tensor.bytes)
    embedding = sums[None, "embedding"]
    return ModelShape(
        name=headers[0].text("general.name") or files[0].stem,
        context=numbers["context_length"],
        width=numbers["embedding_length"],
        vocabulary=embedding.weights // numbers["embedding_length"],
        embedding=embedding,
        head=sums[None, "head"],
        layers=tuple(
            LayerShape(**{role: sums[index, role] for role in ("attention", "dense", "shared", "router", "experts")})
            for index in range(numbers["block_count"])
        ),
        attention=AttentionShape(numbers["attention.head_count"], numbers["attention.kv_lora_rank"], numbers["rope.dimension_count"]),
        experts=numbers["expert_count"],
        experts_used=numbers["expert_used_count"],
        other=sums[None, "other"],
        files=files,
    )


def total(amounts: Iterable[Amount]) -> Amount:
    """The sum of `amounts`."""
    return sum(amounts, Amount())


def _amount(weights: int, bits: float) -> Amount:
    return Amount(weights, int(weights * bits / 8))


def _layer(n: Hyperparameters, precision: Precision, *, dense: bool) -> LayerShape:
    matrices = (
        n.width * n.q_rank
        + n.q_rank * n.heads * (n.nope + n.rope)
        + n.width * (n.kv_rank + n.rope)
        + n.heads * n.kv_rank * (n.nope + n.value)
        + n.heads * n.value * n.width
    )
    attention = _amount(matrices, precision.others) + _amount(2 * n.width + n.q_rank + n.kv_rank, 32)
    if dense:
        return LayerShape(attention, dense=_amount(3 * n.width * n.dense_width, precision.others))
    expert = 3 * n.width * n.expert_width
    return LayerShape(
        attention,
        shared=_amount(n.shared_experts * expert, precision.others),
        router=_amount(n.experts * n.width, precision.router) + _amount(n.experts, 32),
        experts=_amount(n.experts * expert, precision.experts),
    )


def _place(name: str) -> tuple[int | None, Role]:
    """The layer and the role of a tensor."""
    if (block := _BLOCK.match(name)) is not None:
        return int(block[1]), next((role for pattern, role in _ROLES if pattern.match(block[2])), _REST)
    if name.startswith("token_embd."):
        return None, "embedding"
    return None, "head" if name.startswith("output.") else "other"


def _parts(path: Path) -> Iterator[Path]:
    """The parts of a split model, by the names that `llama-gguf-split` gives them; a file with another name is alone."""
    match = _PART.match(path.name)
    if match is None:
        yield path
        return
    if int(match["number"]) != 1:
        raise ModelFileError(f"{path}: a later part of a split model; give its first part")
    for number in range(1, int(match["count"]) + 1):
        part = path.with_name(f"{match['stem']}-{number:05}-of-{match['count']}.gguf")
        if not part.exists() and number > 1:
            raise ModelFileError(f"{part}: this part of the model is missing; download it to the same folder")
        yield part


def _numbers(header: Header) -> dict[str, int]:
    prefix = f"{ARCHITECTURE}."
    return {key.removeprefix(prefix): value for key, value in header.metadata.items() if key.startswith(prefix) and type(value) is int}
