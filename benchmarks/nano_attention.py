"""kimi-nano's training attention against PyTorch's `scaled_dot_product_attention`: forward and backward, bfloat16, as in training.

Medians over several runs in turn; the last line is one JSON object with both times and their ratio. `--quick` takes 3 runs instead of 9.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from engine.nano.model import Shape, attend

SEQUENCES, LENGTH = 9, 480


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 runs instead of 9")
    runs = 3 if parser.parse_args().quick else 9
    jobs: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
        "attend_ms": attend,
        "scaled_dot_product_ms": lambda q, k, v: scaled_dot_product_attention(q, k, v, is_causal=True),
    }
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for run in range(runs + 1):
        for name, job in jobs.items():
            milliseconds = once(job)
            if run:  # the first round warms up
                taken[name].append(milliseconds)
    figures = {name: round(statistics.median(values), 1) for name, values in taken.items()}
    figures["ratio"] = round(figures["scaled_dot_product_ms"] / figures["attend_ms"], 2)
    print(json.dumps(figures))


def once(job: Callable[[Tensor, Tensor, Tensor], Tensor]) -> float:
    shape = Shape()
    q, k, v = (torch.randn(SEQUENCES, shape.heads, LENGTH, 64, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    started = time.perf_counter()
    job(q, k, v).float().sum().backward()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
