"""The figures of `experts` for people to read, as Markdown.

What this module does not do: compute figures (`experts_figures`).
"""

from collections.abc import Iterator, Mapping
from typing import Final

import experts_figures
from experts_resident import FEW, Times
from experts_route import Routing
from experts_slice import Slice
from experts_streamed import Decoded, Found
from mla_tables import NOTHING, row

NAMES: Final = {"ours": "kimicode", "mapped": "llama.cpp, mapped", "ik": "ik_llama.cpp, read-ahead", "kt": "kt-kernel"}


def resident(times: Times, said: Mapping[str, float]) -> Iterator[str]:
    """A row a number of rows: milliseconds, and how many bytes of INT4 weights a second that is."""
    yield row("tokens", "llama.cpp repacked, ms", "as in the file, ms", "kimicode, ms", "GB/s", "to llama.cpp", "of memory's rate")
    yield row(*["---"] * 7)
    for rows in times.all:
        name = f"moe_batch{rows}"
        ms = [_said(said, f"{name}_ms_{who}", "{:.3g}") for who in ("repacked", "plain", "ours")]
        more = (_said(said, f"{name}_gb_s_ours", "{:.1f}"), _said(said, f"{name}_vs_stock", "{:.2f}"))
        yield row(str(rows), *ms, *more, _said(said, f"{name}_bandwidth_share", "{:.0%}"))
    if not any("kt" in by for by in times.few.values()):
        return
    yield ""
    yield row(f"tokens, {FEW} experts", "kt-kernel, GB/s", "kimicode, GB/s", "to kt-kernel")
    yield row(*["---"] * 4)
    for rows in times.few:
        rates = [_said(said, f"moe_batch{rows}_of_{FEW}_gb_s_{who}", "{:.1f}") for who in ("kt", "ours")]
        yield row(str(rows), *rates, _said(said, f"moe_batch{rows}_vs_kt", "{:.2f}"))


def streamed(found: Mapping[Routing, Found]) -> Iterator[str]:
    """A row for each routing and each who decodes."""
    yield row("routing", "", "tokens/s", "GB a token from the drive", "found in memory", "load, s", "2,048 tokens, s")
    yield row(*["---"] * 7)
    for routing, each in found.items():
        for who, decoded in each.decoded.items():
            yield row(routing.value, NAMES[who], *_decoded(decoded), _number(each.load.get(who)), _prompt(each, who))
        if each.streams is not None:
            yield row(routing.value, "kimicode, 8 streams", *_decoded(each.streams), NOTHING, NOTHING)


def curve(found: Mapping[Routing, Found], what: Slice) -> Iterator[str]:
    """What a token costs by the share of experts in memory, beside what the published hit rates would leave to be read."""
    yield row("share of experts in memory", "routing", "", "GB read a token", "s a token")
    yield row(*["---"] * 5)
    for routing, each in found.items():
        for who, points in each.points.items():
            for point in points:
                read = experts_figures.read_of(point)
                yield row(
                    f"{point.share:.0%}",
                    routing.value,
                    NAMES[who],
                    NOTHING if read is None else f"{read / 1e9:.3f}",
                    f"{point.decoded.seconds:.3f}",
                )
    for share, read in experts_figures.published(what):
        yield row(f"{share:.0%}", "published", "Kimi-Linear's hit rates", f"{read / 1e9:.3f}", NOTHING)


def _decoded(decoded: Decoded) -> tuple[str, str, str]:
    read = NOTHING if decoded.bytes is None else f"{decoded.bytes / 1e9:.3f}"
    return f"{1 / decoded.seconds:.2f}", read, NOTHING if decoded.hits is None else f"{decoded.hits:.1%}"


def _prompt(found: Found, who: str) -> str:
    times = [seconds for name, seconds in found.prefill.items() if name.startswith(who)]
    return " or ".join(_number(seconds) for seconds in times) or NOTHING


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _said(said: Mapping[str, float], name: str, form: str) -> str:
    return form.format(said[name]) if name in said else NOTHING
