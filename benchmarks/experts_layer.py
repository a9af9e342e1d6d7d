"""The routed experts of one layer by our own products, from a store that holds all of them; driven by lines of text as `experts_op.cpp` is.

    python benchmarks/experts_layer.py THREADS

Lines that are read, and the one line that answers each:
    load FILE EXPERTS WIDTH HIDDEN LAYER -> ok     the first EXPERTS of this layer, read into memory
    case FOLDER TOKENS SETS USED         -> ok     as `experts_op.cpp`
    run                                  -> the seconds that the next set took
    misses                               -> how many experts were not in memory since `load`: times count only where that is 0
What this program does not do: repeat, or judge.
"""

import ctypes
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from engine.errors import EngineError
from engine.expert_files import ExpertFiles, expert_files
from engine.native.build import TARGET
from engine.native.store import Store
from engine.parts import read_parts

Q4_0: Final = 2
SPARE: Final = 64 << 20
"""Bytes of memory beside the experts': places have room for whole sectors."""


class Layer:
    """A store of one layer's experts, and one case."""

    def __init__(self, path: Path, experts: int, width: int, hidden: int, layer: int, threads: int) -> None:
        found = expert_files(read_parts(path))
        assert found is not None
        ranges = np.zeros_like(found.ranges[:, :experts])
        ranges[layer] = found.ranges[layer, :experts]
        files = ExpertFiles(found.files, ranges)
        self._store = Store(files, files.bytes + 3 * 4096 * experts + SPARE)
        for expert in range(experts):
            self._store.fetch(layer, expert)
        self._before = self._store.counts().misses
        self._layer, self._width, self._hidden, self._threads = layer, width, hidden, threads
        self._types = (ctypes.c_int * 3)(Q4_0, Q4_0, Q4_0)
        self._library = ctypes.CDLL(str(TARGET))
        pointer, number = ctypes.c_void_p, ctypes.c_int
        self._library.kimicode_layer.argtypes = (number, pointer, number, number, pointer, pointer, number, number, pointer, number)

    def case(self, folder: Path, tokens: int, sets: int, used: int) -> None:
        """Take a case's data, compute its first set, and write the result."""
        self._x = np.fromfile(folder / "x", np.float32).reshape(tokens, self._width)
        self._ids = np.fromfile(folder / "ids", np.int32).reshape(sets, tokens, used)
        self._out = np.zeros((tokens, used, self._width), np.float32)
        self._next = 0
        self.run()
        self._out.tofile(folder / "out")

    def run(self) -> float:
        """Compute the next set; seconds. Raises `EngineError`."""
        sets, tokens, used = self._ids.shape
        ids = self._ids[self._next % sets]
        self._next += 1
        x, chosen, out = (array.ctypes.data for array in (self._x, ids, self._out))
        begun = time.perf_counter()
        status = self._library.kimicode_layer(
            self._layer, self._types, self._width, self._hidden, x, chosen, tokens, used, out, self._threads
        )
        seconds = time.perf_counter() - begun
        if status:
            raise EngineError(self._store.error())
        return seconds

    def misses(self) -> int:
        """How many experts were read since all had been."""
        return self._store.counts().misses - self._before

    def close(self) -> None:
        """Give the memory back."""
        self._store.close()


def serve(threads: int) -> None:
    """Answer line after line."""
    layer: Layer | None = None
    for line in sys.stdin:
        match line.split():
            case ["load", path, *numbers]:
                if layer is not None:
                    layer.close()
                experts, width, hidden, number = map(int, numbers)
                layer, answer = Layer(Path(path), experts, width, hidden, number, threads), "ok"
            case ["case", folder, tokens, sets, used] if layer is not None:
                layer.case(Path(folder), int(tokens), int(sets), int(used))
                answer = "ok"
            case ["run"] if layer is not None:
                answer = str(layer.run())
            case ["misses"] if layer is not None:
                answer = str(layer.misses())
            case _:
                sys.exit(f"not understood: {line.strip()}")
        print(answer, flush=True)
    if layer is not None:
        layer.close()


def main() -> None:
    try:
        serve(int(sys.argv[1]))
    except EngineError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
