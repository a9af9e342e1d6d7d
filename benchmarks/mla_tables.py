"""The figures of `mla` for people to read, as Markdown.

What this module does not do: compute figures (`mla_figures`).
"""

from collections.abc import Iterator, Mapping
from typing import Final

WHO: Final = ("stock", "ik", "precise", "fast")
SHARES: Final = ("precise of peak", "fast of peak")
_PEERS: Final = ("stock", "ik")
_ENDINGS: Final = ("_precise", "")
NOTHING: Final = "–"

Times = Mapping[str, Mapping[str, float]]
Figures = Mapping[str, float]


def operations(times: Times, said: Figures) -> Iterator[str]:
    """A row a case: milliseconds, ratios with their bounds in brackets, shares of the peak."""
    yield row("attention", *(f"{who} ms" for who in WHO), *(f"{ours} to {peer}" for peer in _PEERS for ours in WHO[2:]), *SHARES)
    yield row(*["---"] * 11)
    for case, by in times.items():
        ratios = [_ratio(said, case, peer, ending) for peer in _PEERS for ending in _ENDINGS]
        shares = [f"{said[name]:.0%}" if (name := f"peak_share_{case}{ending}") in said else NOTHING for ending in _ENDINGS]
        yield row(case, *_milliseconds(by), *ratios, *shares)


def steps(times: Times, said: Figures) -> Iterator[str]:
    """A row a step: milliseconds, and ratios to stock."""
    yield row("whole step", *(f"{who} ms" for who in WHO), *(f"{ours} to stock" for ours in WHO[2:]))
    yield row(*["---"] * 7)
    for step, by in times.items():
        names = [f"{step}_vs_stock{ending}" for ending in _ENDINGS]
        yield row(step, *_milliseconds(by), *(f"{said[name]:.2f}" if name in said else NOTHING for name in names))


def row(*cells: str) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def _milliseconds(by: Mapping[str, float]) -> list[str]:
    return [_number(1000 * by[who]) if who in by else NOTHING for who in WHO]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(said: Figures, case: str, peer: str, ending: str) -> str:
    value, bound = (said.get(f"{case}{middle}_vs_{peer}{ending}") for middle in ("", "_bound"))
    return NOTHING if value is None or bound is None else f"{value:.2f} ({bound:.1f})"
