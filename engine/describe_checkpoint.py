"""What a Hugging Face checkpoint's folder is: the same description as of a GGUF, from `config.json` and the safetensors headers.

Such a folder can't be run, only converted, so the description's `refusal` always says so. What this module does not do: check that the
tensors fit the configuration; the converter does.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from engine.convert.config import Config, read
from engine.convert.safetensors import Checkpoint, Entry, canonical
from engine.describe import OTHER, Description, Rope, Shape, Share, Vocabulary, active, ordered
from engine.gguf import TensorInfo

_ROLES: Final = (
    ("vision tower", re.compile(r"vision_tower\.")),
    ("vision projector", re.compile(r"(mm_projector|multi_modal_projector)\.")),
    ("routed experts", re.compile(r".*\.mlp\.experts\.")),
    ("shared experts", re.compile(r".*\.mlp\.shared_experts\.")),
    ("norms and router", re.compile(r".*(layernorm|norm)\.|.*\.mlp\.gate\.")),
    ("attention", re.compile(r".*\.self_attn\.")),
    ("dense layers", re.compile(r".*\.mlp\.(gate|up|down)_proj\.")),
    ("embeddings and output", re.compile(r"(model\.embed_tokens|lm_head)\.")),
)
_PACKED: Final = ".weight_packed"
_NO_NUMBERS: Final = (".weight_scale", ".weight_shape")
_BITS: Final = {"BF16": 16, "F16": 16, "F32": 32, "F64": 64, "I16": 16, "I32": 32, "I64": 64, "U16": 16, "U32": 32, "U64": 64}


def describe_checkpoint(folder: Path) -> tuple[Description, list[tuple[Path, TensorInfo]]]:
    """The checkpoint in `folder`, and its tensors. Raises `ModelFileError` where it is incomplete, damaged, or not K2's architecture."""
    config = read(folder)
    with Checkpoint(folder) as checkpoint:
        entries, files = list(checkpoint.entries.values()), checkpoint.files
    roles, shape = _shares(entries), _shape(config)
    description = Description(
        path=folder,
        name=config.name,
        architecture="Hugging Face checkpoint, INT4" if config.int4 else "Hugging Face checkpoint",
        files=len(files),
        missing=(),
        bytes=sum(file.stat().st_size for file in files),
        parameters=sum(share.parameters for share in roles),
        active_parameters=active(roles, shape),
        roles=roles,
        shape=shape,
        rope=_rope(config),
        vocabulary=_vocabulary(folder, config),
        projector=None,
        defaults=None,
        refusal="a checkpoint, not a GGUF file: turn it into one with `kimicode models convert`",
    )
    return description, [(entry.file, _info(entry)) for entry in entries]


def _shares(entries: Iterable[Entry]) -> tuple[Share, ...]:
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        name = canonical(entry.name)
        groups[next((role for role, pattern in _ROLES if pattern.match(name)), OTHER)].append(entry)
    return ordered(_share(role, group) for role, group in groups.items())


def _share(role: str, entries: list[Entry]) -> Share:
    kinds: dict[str, int] = defaultdict(int)
    for entry in entries:
        kinds[_kind(entry)] += _bytes(entry)
    return Share(role, len(entries), sum(map(_parameters, entries)), sum(kinds.values()), tuple(kinds.items()))


def _kind(entry: Entry) -> str:
    """What the numbers are: compressed-tensors packs eight of four bits in each 32-bit word."""
    return "INT4" if entry.name.endswith(_PACKED) else entry.dtype


def _parameters(entry: Entry) -> int:
    return 0 if entry.name.endswith(_NO_NUMBERS) else entry.elements * (8 if entry.name.endswith(_PACKED) else 1)


def _bytes(entry: Entry) -> int:
    return entry.elements * _BITS.get(entry.dtype, 8) // 8


def _info(entry: Entry) -> TensorInfo:
    # safetensors has the row length last, ggml first.
    return TensorInfo(entry.name, entry.dtype, tuple(reversed(entry.shape)), entry.start, _bytes(entry))


def _shape(config: Config) -> Shape:
    return Shape(
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        heads=config.num_attention_heads,
        experts=config.n_routed_experts,
        experts_used=config.num_experts_per_tok,
        experts_shared=config.n_shared_experts,
        context=config.max_position_embeddings,
    )


def _rope(config: Config) -> Rope:
    yarn = config.yarn
    return Rope("yarn", yarn.factor, yarn.original, config.rope_theta) if yarn else Rope("none", None, None, config.rope_theta)


def _vocabulary(folder: Path, config: Config) -> Vocabulary:
    kind = "tiktoken" if (folder / "tiktoken.model").is_file() else ""
    return Vocabulary(kind, config.vocab_size, (folder / "chat_template.jinja").is_file())
