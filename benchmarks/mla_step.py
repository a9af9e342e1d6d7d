"""Whole steps of a model file in llama.cpp, with its own attention or with ours, driven by lines of text as `mla_ik_step.cpp` is.

    python benchmarks/mla_step.py MODEL CELLS THREADS stock|precise|fast

Answers `ready` when the model is loaded. Lines that are read, and the one line that answers each:
    save FILE            -> ok       the saved state of one token at position 0
    restore FILE COUNT   -> ok       the cache holds these COUNT tokens and nothing else
    decode COUNT         -> the seconds that COUNT tokens behind them took, which are then forgotten
What this module does not do: repeat, or judge.
"""

import itertools
import sys
import time
from pathlib import Path
from typing import Final

from engine.errors import EngineError
from engine.llama import Entry, Llama, Options
from engine.native.plugin import Attention

BATCH: Final = 512
STRIDE: Final = 7919  # tokens that follow each other choose other experts


def main() -> None:
    model, cells, threads, wish = sys.argv[1:]
    attention = Attention(wish)
    try:
        with Llama(Path(model), Options(int(cells), BATCH, threads=int(threads), attention=attention)) as llama:
            if attention is not Attention.STOCK and llama.attention.kernel is None:
                sys.exit(llama.attention.reason or "a GPU would compute attention, and that is not what is measured here")
            serve(llama)
    except EngineError as error:
        sys.exit(str(error))


def serve(llama: Llama) -> None:
    """Answer line after line."""
    depth, numbers = 0, itertools.count(1)
    print("ready", flush=True)
    for line in sys.stdin:
        match line.split():
            case ["save", path]:
                llama.decode([Entry(1, 0, 0, True)])
                Path(path).write_bytes(llama.save(0, 0, 1))
                llama.forget(0)
                depth, answer = 0, "ok"
            case ["restore", path, count]:
                depth, answer = int(count), "ok"
                llama.forget(0)
                if depth:
                    llama.restore(0, Path(path).read_bytes(), 0, depth)
            case ["decode", count]:
                last = int(count) - 1
                entries = [Entry(next(numbers) * STRIDE % llama.vocabulary, depth + n, 0, n == last) for n in range(last + 1)]
                begun = time.perf_counter()
                llama.decode(entries)
                llama.logits(last)
                answer = str(time.perf_counter() - begun)
                llama.forget(0, depth)
            case _:
                sys.exit(f"not understood: {line.strip()}")
        print(answer, flush=True)


if __name__ == "__main__":
    main()
