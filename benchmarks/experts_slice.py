"""A slice of K2.6's shape that is larger than memory: one dense and four mixture-of-experts layers of the real dimensions, 39 GB.

    python benchmarks/experts_slice.py FILE [--experts N] [--layers N] [--routing uniform|skewed]

One file serves both routings: they differ in the router's biases alone, which are rewritten in place. The vocabulary has 4,096 tokens, so
that inputs don't repeat themselves. What this module does not do: write the rest of the file (`mla_slice`), or choose biases
(`experts_route`).
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import experts_route
import mla_slice
from experts_route import Routing
from mla_slice import BIAS, Shape
from platformdirs import user_cache_path

from engine.errors import EngineError
from engine.gguf import read_header

LAYERS: Final = 4
"""With experts."""

VOCABULARY: Final = 4096


@dataclass(frozen=True)
class Slice:
    """A file, and what it holds."""

    path: Path
    shape: Shape

    @property
    def bytes(self) -> int:
        """Of the whole file, nearly."""
        return sum(tensor.bytes for tensor in mla_slice.tensors(self.shape))

    @property
    def expert_bytes(self) -> int:
        """Of one expert."""
        return self.experts_bytes // (self.shape.experts * self.shape.mixed)

    @property
    def experts_bytes(self) -> int:
        """Of all experts."""
        return sum(tensor.bytes for tensor in mla_slice.tensors(self.shape) if "_exps." in tensor.name)


def default_path() -> Path:
    """Where the slice lies unless told otherwise."""
    return user_cache_path("kimicode") / "experts-slice.gguf"


def slice_at(path: Path, experts: int = Shape.experts, layers: int = LAYERS) -> Slice:
    """The slice that is, or would be, at `path`."""
    return Slice(path, Shape(experts=experts, vocabulary=VOCABULARY, mixed=layers))


def route(what: Slice, routing: Routing) -> None:
    """Rewrite the biases. Raises `EngineError` where the file isn't this slice."""
    header, shape = read_header(what.path), what.shape
    places = [tensor.offset for tensor in header.tensors if tensor.name.endswith(BIAS)]
    if len(places) != shape.mixed:
        raise EngineError(f"{what.path}: {len(places)} layers have biases, not {shape.mixed}: make the slice again")
    with what.path.open("r+b") as file:
        for layer, place in enumerate(places):
            file.seek(place)
            file.write(experts_route.biases(routing, shape.experts, shape.used, layer).tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=default_path())
    parser.add_argument("--experts", type=int, default=Shape.experts, help="fewer make a smaller file, for trying things out")
    parser.add_argument("--layers", type=int, default=LAYERS, help="with experts")
    parser.add_argument("--routing", choices=[routing.value for routing in Routing], default=Routing.UNIFORM.value)
    chosen = parser.parse_args()
    what, routing = slice_at(chosen.file, chosen.experts, chosen.layers), Routing(chosen.routing)
    try:
        made = mla_slice.make(what.path, what.shape)
        route(what, routing)
    except (EngineError, OSError) as error:
        sys.exit(str(error))
    print(f"{what.path}: {what.path.stat().st_size / 1e9:.1f} GB, {'made' if made else 'there already'}; routing is {routing.value}")
    print(f"found by the best choice of experts to hold: {experts_route.text(experts_route.curve(routing, chosen.experts, Shape.used))}")


if __name__ == "__main__":
    main()
