"""What an endpoint's failure means: a pure map from status, headers and body to one error of the tree.

    TemporaryError      408 409 429 500 502 503 504 529 and whatever says «overloaded»: asked again, Retry-After honoured
    UnavailableError    wrong or missing key, unknown model, quota used up, a redirect: asking again would not help
    ContextOverflowError   the conversation does not fit: compact it, then ask again
    ContentFilterError     the endpoint's filter refused this content
    KimicodeError       any other refusal of the request

Wording and codes: platform.kimi.ai/docs/api/errors, and what llama-server, vLLM, Ollama and OpenRouter were seen to answer.
What this module does not do: wait, retry, or read from the network.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import msgspec

from kimicode.errors import KimicodeError, TemporaryError, UnavailableError
from kimicode.model.target import Target

RETRYABLE = frozenset({408, 409, 429, 500, 502, 503, 504, 529})

_OVERFLOW = re.compile(
    r"context[ _]length[ _]exceeded|maximum context length|model token limit|prompt is too long|input is too long"
    r"|exceed\w*.{0,60}context|context (window|size|length).{0,60}exceed|input tokens? exceed",
    re.IGNORECASE | re.DOTALL,
)
_QUOTA = re.compile(
    r"exceeded_current_quota|current quota|insufficient.{0,3}(balance|quota|funds|credit)|recharge|arrears|billing|out of credits",
    re.IGNORECASE,
)
_FILTER = re.compile(r"content[_ ]filter|high risk|content policy|moderation", re.IGNORECASE)
_OVERLOAD = re.compile(r"overload|rate.?limit|try again|temporar|timed? ?out|unavailable|internal|server.?error", re.IGNORECASE)
_PICTURE = re.compile(
    r"(image|vision|multimodal|picture).{0,40}(not? support|unsupported|does ?n.t support|not enabled)"
    r"|(not? support|unsupported|n.t look at|invalid).{0,40}(image|vision|multimodal)",
    re.IGNORECASE,
)
_LONGEST_MESSAGE = 500


class ContextOverflowError(KimicodeError):
    """The conversation and the answer do not fit the model's context."""


class ContentFilterError(KimicodeError):
    """The endpoint's content filter refused the prompt or the answer."""


class Detail(NamedTuple):
    """What an error body says: the message for people, and the endpoint's own type and code."""

    message: str
    kind: str = ""
    status: int | None = None


def fault(target: Target, status: int, body: bytes, headers: Mapping[str, str], *, now: float) -> KimicodeError:
    """The error for an answer with this status. `now` is the wall clock in seconds since 1970, for a Retry-After that is a date."""
    detail = read_detail(body)
    return classify(target, detail._replace(status=status), retry_after(headers, now))


def classify(target: Target, detail: Detail, wait: float | None = None) -> KimicodeError:
    """The error for what was said, with its status or, inside a stream that began well, without one."""
    status, said = detail.status or 0, f"{detail.kind} {detail.message}"
    place = f"{target.endpoint} ({status})" if status else target.endpoint
    text = f"{place}: {detail.message}"
    if status == 413 or (status != 429 and _OVERFLOW.search(said)):
        return ContextOverflowError(
            f"the conversation does not fit the context of {target.model}: {text}",
            hint="Compact the conversation, start a new session, or use a model with a larger context.",
        )
    if (status in (402, 403, 429, 0) and _QUOTA.search(said)) or status == 402:
        return UnavailableError(
            f"the quota is used up: {text}", hint=f"Add credit to the account of {_key_name(target)}, or use another --endpoint."
        )
    if status not in RETRYABLE and _FILTER.search(said):
        return ContentFilterError(
            f"refused by the endpoint's content filter: {text}", hint="Rephrase, or leave out the content it objects to."
        )
    if status not in (401, 403, 404, 429) and _PICTURE.search(said):
        return KimicodeError(
            f"the request was refused for a picture: {text}",
            hint="Rewind to before the picture, or choose a model that sees pictures with --model.",
        )
    if status in (401, 403):
        return UnavailableError(
            f"the key was refused: {text}",
            hint=f"Set {_key_name(target)} to a key that is valid for {target.accepts.title}, or store one: /setup in `kimicode`.",
        )
    if status == 404:
        return UnavailableError(
            f"no such model or address: {text}",
            hint=f"The model asked for is {target.model_id}; check --model, and that {target.base_url} is the API's base URL.",
        )
    if status in RETRYABLE or (status in range(500, 600)) or (status == 0 and (_OVERLOAD.search(said) or not said.strip())):
        return TemporaryError(text, hint="Try again later.", retry_after=wait)
    if status in range(300, 400):
        return UnavailableError(
            f"{place} redirects",
            hint=f"Redirects are not followed with a key. Give the final address with --endpoint, not {target.base_url}.",
        )
    return KimicodeError(f"the request was refused: {text}", hint="See the endpoint's message; --endpoint and --model choose another.")


def read_detail(body: bytes) -> Detail:
    """The message in an error body: JSON in any of the usual shapes, HTML, or plain text."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Detail(_plain(body.decode("utf-8", "replace")))
    return detail_of(data)


def detail_of(data: object) -> Detail:
    """The message in a decoded error object, or in an object that has one under `error`."""
    if isinstance(data, list) and data:
        data = data[0]
    if isinstance(data, dict) and data.get("error"):
        data = data["error"]
    if not isinstance(data, dict):
        return Detail(_plain(str(data)))
    message = next((data[key] for key in ("message", "detail", "msg") if data.get(key)), data)
    kind = " ".join(str(data[key]) for key in ("type", "code") if data.get(key))
    code = data.get("code")
    return Detail(_plain(message if isinstance(message, str) else str(message)), kind, code if isinstance(code, int) else None)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The server's advice in seconds: `retry-after-ms`, or Retry-After as seconds or as an HTTP date. Never negative."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or not value:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _number(value: str | None) -> float | None:
    # A plain pattern, because float() also takes «nan» and «inf», and neither is a time to wait.
    return float(value) if value and re.fullmatch(r"\s*\d{1,9}(\.\d+)?\s*", value) else None


def _plain(text: str) -> str:
    """Markup removed and cut to one readable line."""
    bare = re.sub(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>", " ", text[: 20 * _LONGEST_MESSAGE])
    line = " ".join(bare.split())
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE] + "…"


def _key_name(target: Target) -> str:
    """The variable to set: one that is set comes before a key that is stored."""
    return target.key_env or next(iter(target.accepts.key_env), "the key")
