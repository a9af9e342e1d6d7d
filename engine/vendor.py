"""Kimi's own API, as strict as it is: the values it takes for K2.6, and the words in which it refuses any other. Pure.

Sampling is fixed there: top_p 0.95, one answer, no penalties; the temperature 0.6 without thinking. With thinking its documentation
says 1, and its public verifier (MoonshotAI/Kimi-Vendor-Verifier, tests/params) also wants 0.6 and 0 taken. The other limits are those
of its documentation: forced tools only without thinking, function names of 3 to 64 letters, digits, `_` and `-`, stop strings of up to
32 bytes. What this module does not do: what the engine itself refuses (`engine.request`).
"""

import re
from collections.abc import Sequence
from typing import Final

from engine.body import Body, ChosenTool, RequestError

TEMPERATURES_THINKING: Final = (1.0, 0.6, 0.0)
TEMPERATURES_INSTANT: Final = (0.6,)
TOP_P: Final = 0.95
MAX_STOP_BYTES: Final = 32

_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{2,63}")


def check(body: Body, *, thinking: bool, tools: Sequence[str], stop: Sequence[str]) -> None:
    """Raises `RequestError` for what the vendor's API would refuse. `tools` are the names of the declared tools."""
    _only("temperature", body.temperature, TEMPERATURES_THINKING if thinking else TEMPERATURES_INSTANT)
    _only("top_p", body.top_p, (TOP_P,))
    _only("min_p", body.min_p, (0,))
    if thinking and (body.tool_choice == "required" or isinstance(body.tool_choice, ChosenTool)):
        raise RequestError("tool_choice 'required' is incompatible with thinking enabled", "tool_choice")
    for index, name in enumerate(tools):
        if _NAME.fullmatch(name) is None:
            message = (
                f"Invalid request: function name is invalid, {name!r} must start with a letter and have 3 to 64 letters, digits, _ or -"
            )
            raise RequestError(message, f"tools[{index}]")
    for text in stop:
        if len(text.encode("utf-8", "surrogatepass")) > MAX_STOP_BYTES:
            raise RequestError(f"invalid stop: a stop string may have at most {MAX_STOP_BYTES} bytes", "stop")


def refusal(field: str, allowed: Sequence[float]) -> str:
    """The vendor's words for a value of `field` that is not `allowed`; where several are, it names the first."""
    return f"invalid {field}: only {allowed[0]:g} is allowed for this model"


def _only(field: str, value: float | None, allowed: Sequence[float]) -> None:
    if value is not None and value not in allowed:
        raise RequestError(refusal(field, allowed), field)
