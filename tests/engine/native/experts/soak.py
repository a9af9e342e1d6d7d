"""Tokens by the thousand, whose experts are compared byte for byte with the file, from a store of a few places that changes its size all
the time: `python -m tests.engine.native.experts.soak [--tokens 10000]`.

Experts are small, so that what counts is how often places change hands. What this module does not do: compute.
"""

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.expert_files import ExpertFiles
from engine.native.store import Policy, Store, StoreCounts, StoreOptions

LAYERS, EXPERTS, USED, PARTS = 4, 16, 3, 3
SIZE: Final = 5000
"""Bytes of a part: not a multiple of anything, so that parts begin anywhere in a sector."""
PLACE: Final = 3 * 3 * 4096
"""Bytes of a place, at most."""


@dataclass(frozen=True)
class Written:
    """A model's only file, where its experts lie in it, and its bytes."""

    files: ExpertFiles
    data: NDArray[np.uint8]

    def expert(self, layer: int, expert: int) -> NDArray[np.uint8]:
        """Its parts, one behind the other."""
        return np.concatenate([self.data[offset : offset + size] for _, offset, size in self.files.ranges[layer, expert]])


def written(path: Path, seed: int = 1) -> Written:
    """A file of random bytes, with parts in the order of a GGUF: all of one kind and layer together, and some bytes before."""
    before = 777
    data = np.random.default_rng(seed).integers(0, 256, before + LAYERS * PARTS * EXPERTS * SIZE, np.uint8)
    data.tofile(path)
    ranges = np.zeros((LAYERS, EXPERTS, PARTS, 3), np.int64)
    layer, expert, part = np.indices(ranges.shape[:3])
    ranges[..., 1] = before + ((layer * PARTS + part) * EXPERTS + expert) * SIZE
    ranges[..., 2] = SIZE
    return Written(ExpertFiles((path,), ranges), data)


def soak(folder: Path, tokens: int, policy: Policy = Policy.LFRU, said: Callable[[int], None] = lambda _: None) -> StoreCounts:
    """Two threads, each with half of the tokens; the store's numbers at the end. Raises `AssertionError` where a byte is wrong."""
    model = written(folder / "experts")
    with Store(model.files, 6 * PLACE, options=StoreOptions(policy)) as store, ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_read, store, model, tokens // 2, seed, said) for seed in range(2)]:
            done.result()
        return store.counts()


def _read(store: Store, model: Written, tokens: int, seed: int, said: Callable[[int], None]) -> None:
    random = np.random.default_rng(seed)
    for token in range(tokens):
        if random.random() < 0.05:
            store.resize(int(random.integers(2, 24)) * PLACE)
        for layer in range(LAYERS):
            # A few are used often.
            experts = np.minimum(random.geometric(0.2, USED), EXPERTS) - 1
            if random.random() < 0.2:
                store.announce((layer + 1) % LAYERS, random.permutation(EXPERTS)[:3].tolist())
            for expert in experts.tolist():
                assert np.array_equal(store.fetch(layer, expert), model.expert(layer, expert)), (token, layer, expert)
        if token % 500 == 499:
            said(token + 1)


def main() -> None:
    """Soak, and print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=10_000)
    tokens: int = parser.parse_args().tokens
    with TemporaryDirectory() as folder:
        counts = soak(Path(folder), tokens, said=lambda done: print(f"{done} tokens of a thread", flush=True))  # noqa: T201
    print(counts)  # noqa: T201


if __name__ == "__main__":
    main()
