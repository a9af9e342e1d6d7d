"""K2.5's and K2.6's vision tower (MoonViT) and projector as the `mmproj` GGUF that llama.cpp's mtmd library loads.

Names and shapes are those of its `kimik25` projector. Query and key rows go from interleaved rotary pairs (w, h, w, h, …) to what
mtmd rotates, all of w before all of h. The patch convolution and the position grid stay float32, which its graph needs. The time
embedding is left out: it is a fixed sinusoid, and mtmd has no video. What this module does not do: preprocess images.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from engine.convert.config import Metadata
from engine.convert.encode import Kind
from engine.convert.safetensors import Checkpoint, Entry, Raw
from engine.convert.settings import Settings, load
from engine.convert.sources import Float, Spec, check_float, float_kind, rows_of, whole
from engine.errors import ModelFileError

_CHANNELS: Final = 3
_MIN_PATCHES: Final = 8
_MAX_PATCHES: Final = 16_384
_MEAN: Final = (0.5, 0.5, 0.5)
_OURS: Final = re.compile(r"^(model\.)?(vision_tower|mm_projector)\.")
_LEFT_OUT: Final = re.compile(r"\.pos_emb\.time_weight$|\.inv_freq$")


@dataclass(frozen=True)
class Vision:
    """The tower's sizes. `grid` is the learned positions' height and width; `patches` how many one image may have at most."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    patch: int
    merge: int
    grid: tuple[int, int]
    frames: int
    eps: float
    output: int
    patches: int

    def metadata(self, name: str, wanted: Kind) -> Metadata:
        """The keys of the GGUF."""
        pixels = self.patch * self.patch
        return {
            "general.architecture": "clip",
            "general.type": "mmproj",
            "general.name": name,
            "general.file_type": {Kind.F32: 0, Kind.F16: 1, Kind.Q8_0: 7, Kind.BF16: 32}[wanted],
            "clip.has_vision_encoder": True,
            "clip.projector_type": "kimik25",
            "clip.use_gelu": True,
            "clip.vision.image_size": self.grid[0] * self.patch,
            "clip.vision.patch_size": self.patch,
            "clip.vision.embedding_length": self.hidden,
            "clip.vision.feed_forward_length": self.intermediate,
            "clip.vision.projection_dim": self.output,
            "clip.vision.block_count": self.layers,
            "clip.vision.attention.head_count": self.heads,
            "clip.vision.attention.layer_norm_epsilon": self.eps,
            "clip.vision.projector.scale_factor": self.merge,
            "clip.vision.image_mean": _MEAN,
            "clip.vision.image_std": _MEAN,
            "clip.vision.image_min_pixels": _MIN_PATCHES * pixels,
            "clip.vision.image_max_pixels": self.patches * pixels,
            "vision.pos_emb_height": self.grid[0],
            "vision.pos_emb_width": self.grid[1],
            "vision.pos_emb_time": self.frames,
        }


def read(folder: Path) -> Vision:
    """The vision tower that `config.json` describes. Raises `ModelFileError` where there is none or mtmd can't run it."""
    root = load(folder / "config.json")
    vision = root.part("vision_config")
    if vision is None:
        raise ModelFileError(f"{root.path}: no vision_config: this model has no vision tower; leave --mmproj out")
    merge = vision.pair("merge_kernel_size", (2, 2))
    if merge[0] != merge[1]:
        raise vision.wrong("merge_kernel_size", "square")
    text = root.part("text_config") or root
    return Vision(
        hidden=vision.either("vt_hidden_size", "hidden_size"),
        layers=vision.either("vt_num_hidden_layers", "num_hidden_layers"),
        heads=vision.either("vt_num_attention_heads", "num_attention_heads"),
        intermediate=vision.either("vt_intermediate_size", "intermediate_size"),
        patch=vision.whole("patch_size"),
        merge=merge[0],
        grid=(vision.either("init_pos_emb_height", "pos_emb_height"), vision.either("init_pos_emb_width", "pos_emb_width")),
        frames=vision.either("init_pos_emb_time", "pos_emb_time"),
        eps=vision.real("projector_ln_eps", root.real("projection_layer_norm_eps", 1e-5)),
        output=text.whole("hidden_size"),
        patches=_patch_limit(folder / "preprocessor_config.json"),
    )


def specs(checkpoint: Checkpoint, vision: Vision, wanted: Kind) -> list[Spec]:
    """Every tensor of the mmproj file. Raises `ModelFileError` for one that is missing, of another shape or type, or unknown."""
    if vision.heads == 0 or vision.hidden % (vision.heads * 4):
        raise ModelFileError(f"config.json: {vision.heads} heads do not divide {vision.hidden} into rotary quarters; download it again")
    plan = _Plan(checkpoint, vision, wanted)
    found = list(plan.all())
    plan.check_rest()
    return found


class _Plan:
    def __init__(self, checkpoint: Checkpoint, vision: Vision, wanted: Kind) -> None:
        self._entries = {_OURS.sub(r"\2.", name): entry for name, entry in checkpoint.entries.items() if _OURS.match(name)}
        self._checkpoint = checkpoint
        self._vision = vision
        self._wanted = wanted
        self._used: set[str] = set()

    def all(self) -> Iterator[Spec]:
        """Patches, blocks, projector."""
        v, embed = self._vision, "vision_tower.patch_embed."
        wide = v.hidden * v.merge * v.merge
        kernel = (v.hidden, _CHANNELS, v.patch, v.patch)
        yield self._exact("v.patch_embd.weight", self._take(f"{embed}proj.weight", *kernel))
        yield self._exact("v.patch_embd.bias", self._take(f"{embed}proj.bias", v.hidden))
        yield self._exact("v.position_embd.weight", self._take(f"{embed}pos_emb.weight", *v.grid, v.hidden))
        for index in range(v.layers):
            yield from self._block(f"v.blk.{index}.", f"vision_tower.encoder.blocks.{index}.")
        yield from self._pair("v.post_ln", "vision_tower.encoder.final_layernorm", v.hidden)
        yield from self._pair("mm.input_norm", "mm_projector.pre_norm", v.hidden)
        yield from self._pair("mm.1", "mm_projector.proj.0", wide, wide)
        yield from self._pair("mm.2", "mm_projector.proj.2", v.output, wide)

    def check_rest(self) -> None:
        """Refuse what is neither used nor left out on purpose."""
        for name, entry in self._entries.items():
            if name not in self._used and not _LEFT_OUT.search(name):
                raise ModelFileError(f"{entry} has no place in K2's vision tower; is this a Kimi K2 checkpoint, and complete?")

    def _block(self, out: str, source: str) -> Iterator[Spec]:
        v = self._vision
        yield from self._pair(f"{out}ln1", f"{source}norm0", v.hidden)
        yield from self._pair(f"{out}attn_qkv", f"{source}wqkv", 3 * v.hidden, v.hidden, change=self._rotated)
        yield from self._pair(f"{out}attn_out", f"{source}wo", v.hidden, v.hidden)
        yield from self._pair(f"{out}ln2", f"{source}norm1", v.hidden)
        yield from self._pair(f"{out}ffn_up", f"{source}mlp.fc0", v.intermediate, v.hidden)
        yield from self._pair(f"{out}ffn_down", f"{source}mlp.fc1", v.hidden, v.intermediate)

    def _rotated(self, stored: Raw) -> Raw:
        """Rows of queries and keys, in each head from (quarter, axis, pair) to (axis, quarter, pair); values as they are."""
        v = self._vision
        parts = stored.reshape(3, v.heads, v.hidden // v.heads // 4, 2, 2, -1).copy()
        turned = parts[:2].swapaxes(2, 3).reshape(2 * v.hidden, -1)
        parts.reshape(3 * v.hidden, -1)[: 2 * v.hidden] = turned
        return parts.reshape(stored.shape)

    def _pair(self, out: str, source: str, *shape: int, change: Callable[[Raw], Raw] | None = None) -> Iterator[Spec]:
        """A weight of this shape and its bias."""
        for suffix, size in (("weight", shape), ("bias", shape[:1])):
            entry = self._take(f"{source}.{suffix}", *size)
            kind = float_kind(self._wanted, size)
            pieces = partial(whole, self._checkpoint, entry, change=change) if change else partial(rows_of, self._checkpoint, entry)
            yield Spec(f"{out}.{suffix}", size, Float(kind, (entry,), pieces))

    def _exact(self, out: str, entry: Entry) -> Spec:
        return Spec(out, entry.shape, Float(Kind.F32, (entry,), partial(rows_of, self._checkpoint, entry)))

    def _take(self, name: str, *shape: int) -> Entry:
        entry = self._entries.get(name)
        if entry is None:
            raise ModelFileError(f"{self._checkpoint.folder}: no tensor {name} in its safetensors files: download the missing file")
        check_float(entry, shape)
        self._used.add(name)
        return entry


def _patch_limit(path: Path) -> int:
    """How many patches an image may have: `in_patch_limit` of the image processor's settings, or K2.6's."""
    if not path.is_file():
        return _MAX_PATCHES
    settings = load(path)
    media: Settings = settings.part("media_proc_cfg") or settings
    return media.whole("in_patch_limit", _MAX_PATCHES)
