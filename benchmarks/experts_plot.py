"""What a token costs by the share of experts in memory, as a small SVG: what is read for it, and the time it takes.

What this module does not do: measure, or draw anything else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, log10
from typing import Final
from xml.sax.saxutils import escape

from mla_plot import label_places

WIDTH, HEIGHT = 900, 400
TOP, BOTTOM = 60, 346
_COLOURS: Final = ("#1b8a4b", "#2f6db5", "#c4690c", "#8b3fa0", "#7a7a7a")
_STEPS: Final = 5

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """A diagram from pixel `left` to `right`; the vertical axis, named `what`, goes from 0 to `high`."""

    left: float
    right: float
    what: str
    high: float

    def x(self, share: float) -> float:
        """The pixel of a share of experts in memory, 0 to 0.6."""
        return self.left + share / 0.6 * (self.right - self.left)

    def y(self, value: float) -> float:
        """The pixel of a value."""
        return BOTTOM - value / self.high * (BOTTOM - TOP)


def svg(title: str, read: Mapping[str, Points], seconds: Mapping[str, Points]) -> str:
    """The picture. Series are named and have points: shares of experts in memory, up to a half, with gigabytes or seconds a token."""
    colours = dict(zip(dict.fromkeys([*read, *seconds]), _COLOURS, strict=False))
    panels = (
        (Panel(60, 340, "GB read a token", _round(read)), read),
        (Panel(520, 720, "seconds a token", _round(seconds)), seconds),
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            f'<text x="20" y="24" font-size="15" fill="#222222">{escape(title)}</text>',
            *(line for panel, series in panels for line in (*_grid(panel), *_lines(panel, series, colours))),
            "</svg>\n",
        ]
    )


def _round(series: Mapping[str, Points]) -> float:
    """A little more than the greatest value, in steps that can be read."""
    greatest = max((value for points in series.values() for _, value in points), default=1.0)
    step = 10.0 ** (ceil(log10(greatest)) - 1)
    return ceil(greatest / step) * step


def _grid(panel: Panel) -> Iterator[str]:
    for tenth in range(7):
        share = tenth / 10
        place = panel.x(share)
        yield f'<line x1="{place:.1f}" y1="{TOP}" x2="{place:.1f}" y2="{BOTTOM}" stroke="#e4e4e4"/>'
        yield f'<text x="{place:.1f}" y="{BOTTOM + 17}" text-anchor="middle" fill="#444444">{share:.0%}</text>'
    for step in range(_STEPS + 1):
        value = panel.high * step / _STEPS
        place = panel.y(value)
        yield f'<line x1="{panel.left}" y1="{place:.1f}" x2="{panel.right}" y2="{place:.1f}" stroke="#e4e4e4"/>'
        yield f'<text x="{panel.left - 7}" y="{place + 4:.1f}" text-anchor="end" fill="#444444">{value:.3g}</text>'
    middle = (panel.left + panel.right) / 2
    yield f'<text x="{middle}" y="{BOTTOM + 38}" text-anchor="middle" fill="#222222">share of experts in memory</text>'
    yield f'<text x="{panel.left}" y="{TOP - 12}" fill="#222222">{escape(panel.what)}</text>'


def _lines(panel: Panel, series: Mapping[str, Points], colours: Mapping[str, str]) -> Iterator[str]:
    """Each with its name at its right end."""
    ordered = {name: sorted(points) for name, points in series.items() if points}
    labels = label_places([panel.y(points[-1][1]) for points in ordered.values()])
    for (name, points), label in zip(ordered.items(), labels, strict=True):
        colour = colours[name]
        for (share, value), (next_share, next_value) in pairwise(points):
            ends = f'x1="{panel.x(share):.1f}" y1="{panel.y(value):.1f}" x2="{panel.x(next_share):.1f}" y2="{panel.y(next_value):.1f}"'
            yield f'<line {ends} stroke="{colour}" stroke-width="2"/>'
        for share, value in points:
            yield f'<circle cx="{panel.x(share):.1f}" cy="{panel.y(value):.1f}" r="3" fill="{colour}"/>'
        yield f'<text x="{panel.right + 9}" y="{label + 4:.1f}" fill="{colour}">{escape(name)}</text>'
