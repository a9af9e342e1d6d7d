"""What the times mean: ratios to the peers, shares of the processor's peak, and what the peak lets them be.

Times are medians in seconds, by case and by who computed it: `stock`, `ik`, `precise` and `fast` (ours). A ratio is the peer's time over
ours, so more is better; its bound is what it would be if the kernel did nothing but its products at the processor's full rate.
What this module does not do: measure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

OURS: Final = {"fast": "", "precise": "_precise"}
"""Who is ours, and what a figure of it has at the end of its name."""

PEERS: Final = ("stock", "ik")
SEQUENCES: Final = 8
"""How many share a prefix, or don't."""


@dataclass(frozen=True)
class Measured:
    """`times` of operations by case and contestant, `operations` of each case, and the `peaks` of ours, in operations a second; `steps`
    are whole steps' times by their name."""

    times: Mapping[str, Mapping[str, float]]
    operations: Mapping[str, float]
    peaks: Mapping[str, float]
    steps: Mapping[str, Mapping[str, float]]


def figures(measured: Measured) -> dict[str, float]:
    """All that can be said; what was not measured has no figure."""
    found: dict[str, float] = {}
    for case, times in measured.times.items():
        for ours, ending in OURS.items():
            if ours in times:
                found |= _of_case(case, times, ours, ending, measured.operations[case] / measured.peaks[ours])
    for step, times in measured.steps.items():
        found |= {f"{step}_ms_{who}": 1000 * seconds for who, seconds in times.items()}
        for ours, ending in OURS.items():
            found |= {f"{step}_vs_{peer}{ending}": times[peer] / times[ours] for peer in PEERS if peer in times and ours in times}
    return found | _prefixes(measured.times) | _cells(measured.times) | _prompts(measured.steps)


def _of_case(case: str, times: Mapping[str, float], ours: str, ending: str, least: float) -> dict[str, float]:
    """`least` is the time that the products alone take."""
    found = {f"peak_share_{case}{ending}": least / times[ours]}
    for peer in PEERS:
        if peer in times:
            found[f"{case}_vs_{peer}{ending}"] = times[peer] / times[ours]
            found[f"{case}_bound_vs_{peer}{ending}"] = times[peer] / least
    return found


def _prefixes(times: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Sequences over one prefix against as many over separate ones. Separate ones may be computed together or one after the other: what is
    quicker counts."""
    shared, separate, single = (times.get(name, {}) for name in ("shared_prefix", "separate_prefixes", "attention_8k"))

    def apart(who: str) -> float:
        return min(separate[who], SEQUENCES * single[who])

    found = {}
    for ours, ending in OURS.items():
        if ours in shared and ours in separate and ours in single:
            found[f"shared_prefix_vs_separate{ending}"] = apart(ours) / shared[ours]
        if ours in shared and "stock" in separate and "stock" in single:
            found[f"shared_prefix_vs_stock_separate{ending}"] = apart("stock") / shared[ours]
    return found


def _cells(times: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Cells of 8 bits against cells of 16: the time of the first in times of the second."""
    plain, small = times.get("attention_8k", {}), times.get("attention_8k_q8_0", {})
    return {f"q8_vs_f16_time{ending}": small[ours] / plain[ours] for ours, ending in OURS.items() if ours in plain and ours in small}


def _prompts(steps: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Attention of a prompt's part as llama.cpp runs it: what the step takes longer behind 8,192 tokens than behind none."""
    start, deep = (steps.get(f"step_prefill_512_depth_{depth}", {}) for depth in ("0", "8k"))
    longer = {who: deep[who] - start[who] for who in deep if who in start and deep[who] > start[who]}
    pairs = [(peer, ours, ending) for peer in PEERS for ours, ending in OURS.items() if peer in longer and ours in longer]
    return {f"step_prefill_512_attention_vs_{peer}{ending}": longer[peer] / longer[ours] for peer, ours, ending in pairs}
