"""Cache policies against the optimum: the share of uses that find their expert in memory, by the share of experts that fit there.

Traces: uniform routing; routing whose hit rates follow those published for Kimi-Linear (13, 40, 62, 85 and 94 % with 3, 6, 12, 24 and 48 %
of its experts in memory; a token reuses about 30 % of what the one before it used), once with long turns and once with a topic that changes
soon; and kimi-nano's own, which reads this repository. It is real but small: a token uses a quarter of its experts, so it says nothing of
caches below that. The optimum (Belady's) knows what comes. A trace's first fifth warms the caches up and doesn't count.
`python benchmarks/experts_policy.py [--json FILE]`, half a minute.
What this module does not do: read experts; time only choices.
"""

import argparse
import heapq
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from experts_policy_traces import ROOT, Routing, Trace, nano, reuse, synthetic, uniform

from engine.native.build import TARGET
from engine.native.store import Policy, simulate

SHARES = (3, 6, 12, 24, 48, 75)
"""Per cent of the experts in memory."""

KIMI_LINEAR = Routing(experts=256, used=8, layers=12, base=0.8, topic=0.8, recent=0.9, lasting=4, turn=512)
RESTLESS = Routing(experts=256, used=8, layers=12, base=0.8, topic=0.8, recent=0.9, lasting=4, turn=64)


@dataclass(frozen=True)
class Row:
    """Hit rates, 0 to 1, of a policy on a trace, one for each of `SHARES`."""

    trace: str
    policy: str
    hits: list[float]


def hit_rate(policy: Policy, trace: Trace, experts: int, places: int, library: Path) -> float:
    """Of the trace's last four fifths."""
    steps = trace.reshape(-1, trace.shape[-1])
    warm = len(steps) // 5
    hits = simulate(policy, experts, places, steps, path=library) - simulate(policy, experts, places, steps[:warm], path=library)
    return hits / steps[warm:].size


def optimum(trace: Trace, experts: int, places: int) -> float:
    """The hit rate where always the expert goes that is wanted last."""
    uses = trace.reshape(-1)
    wanted_next, later = np.empty(len(uses), np.int64), np.full(experts, len(uses))
    for at in range(len(uses) - 1, -1, -1):
        wanted_next[at] = later[uses[at]]
        later[uses[at]] = at
    warm, hits = int(trace.shape[0]) // 5 * int(trace[0].size), 0
    there: dict[int, int] = {}
    last: list[tuple[int, int]] = []
    for at, (expert, then) in enumerate(zip(uses.tolist(), wanted_next.tolist(), strict=True)):
        hits += expert in there and at >= warm
        if expert not in there and len(there) == places:
            while there.get(last[0][1]) != -last[0][0]:
                heapq.heappop(last)
            del there[heapq.heappop(last)[1]]
        there[expert] = then
        heapq.heappush(last, (-then, expert))
    return hits / (len(uses) - warm)


def rows(name: str, trace: Trace, experts: int, library: Path) -> list[Row]:
    places = [max(1, experts * share // 100) for share in SHARES]
    found = [Row(name, policy.value, [hit_rate(policy, trace, experts, count, library) for count in places]) for policy in Policy]
    return [*found, Row(name, "optimum", [optimum(trace, experts, count) for count in places])]


def choice_seconds(library: Path) -> float:
    """What one use costs, ranking and choice of what goes included, with 23,040 experts and 20,000 places; all but few are misses."""
    steps = np.arange(24_000 * 8, dtype=np.int32).reshape(-1, 8) % 23_040
    start = time.perf_counter()
    simulate(Policy.LFRU, 23_040, 20_000, steps, path=library)
    return (time.perf_counter() - start) / steps.size


def traces() -> dict[str, tuple[Trace, int]]:
    """Each with the number of experts over all layers."""
    text = b"\n".join(path.read_bytes() for path in sorted((ROOT / "engine").glob("*.py")))
    kimi = KIMI_LINEAR.experts * KIMI_LINEAR.layers
    return {
        "uniform": (uniform(256, 8, 12, 256), kimi),
        "like Kimi-Linear": (synthetic(KIMI_LINEAR, 1024), kimi),
        "soon another topic": (synthetic(RESTLESS, 1024), kimi),
        "kimi-nano": (nano(text[:60_000], 8192), 32),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--library", type=Path, default=TARGET)
    asked = parser.parse_args()
    all_rows = []
    for name, (trace, experts) in traces().items():
        print(f"\n{name}: {len(trace)} tokens, {reuse(trace):.0%} used again by the next token")
        print(f"{'':10}" + "".join(f"{share:>7} %" for share in SHARES))
        for row in rows(name, trace, experts, asked.library):
            all_rows.append(row)
            print(f"{row.policy:10}" + "".join(f"{rate:>9.1%}" for rate in row.hits), flush=True)
    seconds = choice_seconds(asked.library)
    print(f"\na use with 23,040 experts and 20,000 places: {seconds * 1e6:.2f} µs")
    if asked.json:
        found = {"shares": SHARES, "rows": [asdict(row) for row in all_rows], "choice_seconds": seconds}
        asked.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
