"""The two forms that a reviewing model answers in, as JSON Schemas for guided decoding and as values.

The schemas are flat and use nothing that a grammar can't hold: bounds of numbers and lengths are kept here, after the fact, not there.
What this module does not do: believe an answer (`settle` and `refute` check it against the code).
"""

from typing import Final, Literal, TypeAlias, TypeVar, cast, get_args

import msgspec

from kimicode.errors import ContractError
from kimicode.messages import JsonObject, JsonValue
from kimicode.review.finding import Category

Word: TypeAlias = Literal["refuted", "stands", "unsure"]

_TEXT: Final[JsonObject] = {"type": "string"}
_NUMBER: Final[JsonObject] = {"type": "integer"}


def _list_of(name: str, properties: dict[str, JsonObject]) -> JsonObject:
    fields = cast("JsonObject", properties)
    item: JsonObject = {"type": "object", "properties": fields, "required": [*properties], "additionalProperties": False}
    entries: JsonObject = {name: {"type": "array", "items": item}}
    return {"type": "object", "properties": entries, "required": [name], "additionalProperties": False}


def _one_of(words: tuple[str, ...]) -> JsonObject:
    values: list[JsonValue] = [*words]
    return {"type": "string", "enum": values}


FINDINGS: Final = _list_of(
    "findings",
    {
        "path": _TEXT,
        "line": _NUMBER,
        "end_line": _NUMBER,
        "quote": _TEXT,
        "title": _TEXT,
        "scenario": _TEXT,
        "category": _one_of(get_args(Category)),
        "severity": _one_of(("low", "medium", "high", "critical")),
        "confidence": {"type": "number"},
        "suggestion": _TEXT,
        "replacement": _TEXT,
    },
)
"""What the first pass answers. The quote comes before the judgement, so that the judgement can rest on it."""

VERDICTS: Final = _list_of("verdicts", {"number": _NUMBER, "why": _TEXT, "quote": _TEXT, "verdict": _one_of(get_args(Word))})
"""What the second pass answers."""


class Said(msgspec.Struct, frozen=True):
    """A finding in the model's own words. Nothing of it is checked."""

    path: str
    line: float
    quote: str
    title: str
    scenario: str
    severity: str
    category: str = ""
    confidence: float = 0.5
    end_line: float = 0
    suggestion: str = ""
    replacement: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """What the model says about finding `number` (from 1)."""

    number: int
    verdict: Word
    quote: str = ""
    why: str = ""


class Findings(msgspec.Struct, frozen=True):
    """The whole answer of the first pass."""

    findings: tuple[Said, ...]


class Verdicts(msgspec.Struct, frozen=True):
    """The whole answer of the second pass."""

    verdicts: tuple[Verdict, ...]


T = TypeVar("T", Findings, Verdicts)


def read_answer(text: str, form: type[T], *, cut: bool = False) -> T:
    """The value in `text`, whatever stands around it; of an answer that was `cut`, the entries that are whole. Raises `ContractError`."""
    start, end = text.find("{"), text.rfind("}") + 1
    if start < 0:
        raise ContractError("there is no JSON object in it")
    whole = text[start:] if cut else text[start:end]
    try:
        return msgspec.json.decode(whole.encode("utf-8", "replace"), type=form, strict=False)
    except (msgspec.MsgspecError, RecursionError) as error:
        if cut and end > start + 1:
            return read_answer(f"{text[start:end]}]}}", form)
        raise ContractError(str(error)) from error
