"""How the time of a token grows with the keys it sees, as a small SVG: both axes logarithmic, a line for each who computes.

What this module does not do: measure, or draw anything else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 44, 56
_COLOURS: Final = ("#7a7a7a", "#c4690c", "#2f6db5", "#1b8a4b", "#8b3fa0")
_LABEL_GAP: Final = 17.0

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis from `low` to `high`, drawn from pixel `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """The pixel of a value."""
        share = (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return self.start + share * (self.end - self.start)


def svg(title: str, series: Mapping[str, Points]) -> str:
    """The picture. Each series is named and has points (keys, milliseconds), all positive."""
    keys = [key for points in series.values() for key, _ in points]
    times = [time for points in series.values() for _, time in points]
    x = Axis(min(keys), max(keys), LEFT, WIDTH - RIGHT)
    y = Axis(10 ** floor(log10(min(times))), 10 ** ceil(log10(max(times))), HEIGHT - BOTTOM, TOP)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            f'<text x="{LEFT}" y="24" font-size="15" fill="#222222">{escape(title)}</text>',
            *_grid(x, y, sorted(set(keys))),
            *_lines(x, y, series),
            "</svg>\n",
        ]
    )


def _grid(x: Axis, y: Axis, keys: Sequence[float]) -> Iterator[str]:
    """Every second number of keys, every power of ten of milliseconds, and what the axes mean."""
    for key in keys[::-2]:
        place = x.place(key)
        yield f'<line x1="{place:.1f}" y1="{y.start}" x2="{place:.1f}" y2="{y.end}" stroke="#e4e4e4"/>'
        yield f'<text x="{place:.1f}" y="{y.start + 19:.1f}" text-anchor="middle" fill="#444444">{key:,.0f}</text>'
    for power in range(round(log10(y.low)), round(log10(y.high)) + 1):
        for part in range(1, 10):
            if (value := part * 10.0**power) > y.high * 1.001:
                break
            place = y.place(value)
            yield f'<line x1="{x.start}" y1="{place:.1f}" x2="{x.end}" y2="{place:.1f}" stroke="{"#d0d0d0" if part == 1 else "#f1f1f1"}"/>'
        place = y.place(10.0**power) + 4
        yield f'<text x="{x.start - 8}" y="{place:.1f}" text-anchor="end" fill="#444444">{10.0**power:,g}</text>'
    yield f'<text x="{(x.start + x.end) / 2}" y="{HEIGHT - 14}" text-anchor="middle" fill="#222222">keys in the cache</text>'
    middle = (y.start + y.end) / 2
    yield f'<text transform="translate(20 {middle}) rotate(-90)" text-anchor="middle" fill="#222222">ms a token and layer</text>'


def _lines(x: Axis, y: Axis, series: Mapping[str, Points]) -> Iterator[str]:
    labels = label_places([y.place(points[-1][1]) for points in series.values()])
    for (name, points), label, colour in zip(series.items(), labels, _COLOURS, strict=False):
        path = " ".join(f"{x.place(key):.1f},{y.place(time):.1f}" for key, time in points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for key, time in points:
            yield f'<circle cx="{x.place(key):.1f}" cy="{y.place(time):.1f}" r="2.6" fill="{colour}"/>'
        yield f'<text x="{x.end + 9}" y="{label + 4:.1f}" fill="{colour}">{escape(name)}</text>'


def label_places(wanted: Sequence[float]) -> list[float]:
    """Places for labels, as near to those wanted as their height allows, in the same order from top to bottom."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    places = [0.0] * len(wanted)
    last = -_LABEL_GAP
    for index in order:
        last = max(wanted[index], last + _LABEL_GAP)
        places[index] = last
    return places
