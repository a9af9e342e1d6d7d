"""The routed experts of one layer in kt-kernel, by its low-level interface, driven by lines of text as `experts_op.cpp` is.

    python benchmarks/experts_kt.py FOLDER THREADS

FOLDER holds the unpacked wheel of kt-kernel 0.7.2. The kernel is the one that it takes for this processor: with AVX2 alone
`AVX2RawInt4_MOE`.
Lines that are read, and the one line that answers each:
    load FILE EXPERTS WIDTH HIDDEN GATE UP DOWN  -> ok     the first EXPERTS' matrices, Q4_0 at these offsets, in its own order
    case FOLDER TOKENS SETS USED                 -> ok     as `experts_op.cpp`, and FOLDER/weights are f32 [TOKENS][USED]; FOLDER/out is the
                                                           weighted sum, f32 [TOKENS][WIDTH]. Activations are bf16 on both ends
    run                                          -> the seconds that the next set took
Its weights are whole numbers of 0 to 15 that stand for -8 to 7, two a byte, neighbours together, with bf16 scales for 32 of them; rows
one behind the other, [rows][width / 2] (its loader of compressed-tensors files). What this program does not do: repeat, or judge.
"""

import importlib.util
import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

GROUP: Final = 32
_BLOCK: Final = 18
_LONGEST: Final = 4096
_FLAGS: Final = (("avx512_bf16", "avx512_bf16"), ("avx512_vnni", "avx512_vnni"), ("avx512f", "avx512_base"))

Bytes = NDArray[np.uint8]
Halves = NDArray[np.uint16]


def main() -> None:
    folder, threads = Path(sys.argv[1]), int(sys.argv[2])
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # it says this and that on its standard output
        serve(Kernel(extension(folder), threads), answers)


def variant() -> str:
    """Which of its libraries suits this processor. AMX is left out: it is for servers that have it, and this reads /proc/cpuinfo only."""
    flags = Path("/proc/cpuinfo").read_text("utf-8").split()
    return next((name for flag, name in _FLAGS if flag in flags), "avx2")


def extension(folder: Path) -> ModuleType:
    """Its native module, without the package around it, which wants torch."""
    (path,) = folder.glob(f"kt_kernel/_kt_kernel_ext_{variant()}.*.so")
    spec = importlib.util.spec_from_file_location("kt_kernel_ext", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def converted(blocks: Bytes) -> tuple[Bytes, Halves]:
    """Q4_0 blocks, [rows][blocks][18], as packed neighbours, [rows][blocks * 16], and scales, [rows][blocks]."""
    quants = blocks[..., 2:]
    values = np.concatenate([quants & 15, quants >> 4], axis=-1)
    packed = values[..., 0::2] | values[..., 1::2] << 4
    scales = np.ascontiguousarray(blocks[..., :2]).view(np.float16)[..., 0].astype(np.float32)
    return np.ascontiguousarray(packed.reshape(len(blocks), -1)), rounded(scales)


def rounded(values: NDArray[np.float32]) -> Halves:
    """As bf16, to the nearest."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    return np.asarray((bits + 0x7FFF + (bits >> 16 & 1)) >> 16, np.uint16)


def widened(values: Halves) -> NDArray[np.float32]:
    """From bf16."""
    return (values.astype(np.uint32) << 16).view(np.float32)


class Kernel:
    """One layer in its memory, and one case."""

    def __init__(self, module: ModuleType, threads: int) -> None:
        self._module = module
        config = module.WorkerPoolConfig()
        config.subpool_count, config.subpool_numa_map, config.subpool_thread_count = 1, [0], [threads]
        self._cpu = module.CPUInfer(config)
        self._next = 0

    def load(self, path: Path, experts: int, width: int, hidden: int, offsets: list[int], used: int = 8) -> None:
        """Convert and hand over the weights; it copies them."""
        moe = self._module.moe
        config = moe.MOEConfig(experts, used, width, hidden, 0)
        config.max_len, config.pool = _LONGEST, self._cpu.backend_
        config.quant_config.bits, config.quant_config.group_size, config.quant_config.zero_point = 4, GROUP, False
        kept = []
        for name, offset, (rows, row) in zip(
            ("gate", "up", "down"), offsets, ((hidden, width), (hidden, width), (width, hidden)), strict=True
        ):
            blocks = np.memmap(path, np.uint8, "r", offset, (experts, rows, row // GROUP, _BLOCK))
            parts = [converted(np.asarray(blocks[expert])) for expert in range(experts)]
            kept.append(parts)
            setattr(config, f"{name}_projs", [[packed.ctypes.data for packed, _ in parts]])
            setattr(config, f"{name}_scales", [[scales.ctypes.data for _, scales in parts]])
        chosen = getattr(moe, "AMXInt4_KGroup_MOE", None) or moe.AVX2RawInt4_MOE
        self._layer = chosen(config)
        order = np.arange(experts, dtype=np.int64)
        self._cpu.submit(self._layer.load_weights_task(order.ctypes.data))
        self._cpu.sync()
        self._width = width
        del kept

    def case(self, folder: Path, tokens: int, sets: int, used: int) -> None:
        """Take a case's data, compute its first set, and write the result."""
        self._ids = np.fromfile(folder / "ids", np.int32).astype(np.int64).reshape(sets, tokens, used)
        self._weights = np.fromfile(folder / "weights", np.float32)
        self._x = rounded(np.fromfile(folder / "x", np.float32))
        self._out = np.zeros((tokens, self._width), np.uint16)
        self._count = np.array([tokens], np.int32)
        self._next = 0
        self.run()
        widened(self._out).tofile(folder / "out")

    def run(self) -> float:
        """Compute the next set; seconds."""
        sets, _, used = self._ids.shape
        ids = self._ids[self._next % sets]
        self._next += 1
        pointers = (self._count, ids, self._weights, self._x, self._out)
        count, *rest = (array.ctypes.data for array in pointers)
        begun = time.perf_counter()
        self._cpu.submit(self._layer.forward_task(count, used, *rest, False))
        self._cpu.sync()
        return time.perf_counter() - begun


def serve(kernel: Kernel, answers: IO[str]) -> None:
    """Answer line after line."""
    for line in sys.stdin:
        match line.split():
            case ["load", path, experts, width, hidden, *offsets]:
                kernel.load(Path(path), int(experts), int(width), int(hidden), [int(offset) for offset in offsets[:3]])
                answer = "ok"
            case ["case", folder, tokens, sets, used]:
                kernel.case(Path(folder), int(tokens), int(sets), int(used))
                answer = "ok"
            case ["run"]:
                answer = str(kernel.run())
            case _:
                sys.exit(f"not understood: {line.strip()}")
        print(answer, file=answers, flush=True)


if __name__ == "__main__":
    main()
