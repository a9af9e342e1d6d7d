"""Whether a target answers, in words for somebody who is just setting it up: the smallest real request, or a look at a model file.

    trying = {**environ, row.key_env[0]: typed}    # a key that is not stored yet: never in os.environ, where programs would inherit it
    await probe(resolve("moonshot", None, trying), trying)    # Probed(True, "kimi-k2.6 answers at moonshot, in 0.8 s.", 0.8)

A server of one's own is asked for its models too (`/models`), because a name that it does not know is the usual mistake. A model file is
not loaded: its head says what it is, and the planner whether it would run here. What this module does not do: try again, start an engine,
or keep anything.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final, cast

import httpx
import msgspec

from kimicode.errors import ContractError, KimicodeError, UsageError
from kimicode.messages import User
from kimicode.model.client import Delta, ModelRequest, Thinking
from kimicode.model.connect import connect, transport_of
from kimicode.model.engine_asked import FIT, asked
from kimicode.model.gguf_header import read_head
from kimicode.model.keys import Key, key_for
from kimicode.model.patience import Patience
from kimicode.model.target import Target

SECONDS: Final = 60.0
"""How long an answer may take: a server of one's own may have to load its model first."""

_CONNECT_SECONDS: Final = 10.0
_LARGEST: Final = 4 << 20
_NAMED: Final = 8
_SMALLEST: Final = ModelRequest((User("Answer with: ok"),), thinking=Thinking.OFF, max_tokens=1)


class Probed(msgspec.Struct, frozen=True):
    """What came of it. `words` say it, and what to do where it is not `ok`; `seconds` is how long the answer took, None without one;
    `models` are the ids that the server lists, empty where it lists none or was not asked."""

    ok: bool
    words: str
    seconds: float | None = None
    models: tuple[str, ...] = ()


class _Fit(msgspec.Struct, frozen=True):
    runs: bool
    found: str
    advice: str = ""


class _FitReport(msgspec.Struct, frozen=True):
    models: tuple[_Fit, ...]


async def probe(target: Target, environ: Mapping[str, str], *, deadline: float = SECONDS, fit: Sequence[str] = FIT) -> Probed:
    """Try `target`, whose key comes from where it says. Raises nothing of the error tree: every failure is words."""
    if target.model_file:
        return await _file(Path(target.model_file), environ, fit)
    models: tuple[str, ...] = ()
    try:
        if target.accepts.any_model or target.socket:
            models = await served_models(target, environ)
        seconds = await _first_answer(target, environ, deadline)
    except KimicodeError as error:
        return Probed(False, f"{error.message}. {error.hint}{_others(target, models)}".strip(), models=models)
    except TimeoutError:
        words = f"{target.endpoint} took the request and did not answer in {deadline:g} s; it may still be loading its model."
        return Probed(False, words, models=models)
    return Probed(True, f"{target.model} answers at {target.endpoint}, in {seconds:.1f} s.", seconds, models)


async def served_models(target: Target, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The ids that the endpoint lists; none where it lists none, or can't be asked. Raises `UnavailableError` where there is a key and it
    can't be had."""
    key = await asyncio.to_thread(key_for, target.endpoint, target.accepts, environ) if target.key_from else Key()
    headers = {"User-Agent": "kimicode", **({"Authorization": f"Bearer {key.value}"} if key.value else {})}
    try:
        async with (
            asyncio.timeout(_CONNECT_SECONDS),
            httpx.AsyncClient(transport=transport_of(target), headers=headers, timeout=_CONNECT_SECONDS) as http,
            http.stream("GET", f"{target.base_url.rstrip('/')}/models") as answer,
        ):
            data = b""
            async with aclosing(cast("AsyncGenerator[bytes, None]", answer.aiter_bytes())) as chunks:
                async for chunk in chunks:
                    data += chunk
                    if len(data) > _LARGEST:
                        return ()
        return _ids(msgspec.json.decode(data)) if answer.is_success else ()
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # The request itself will say what is wrong.
        return ()


async def _first_answer(target: Target, environ: Mapping[str, str], deadline: float) -> float:
    """Seconds of one answer. Raises what the client raises, and `TimeoutError`."""
    patience = Patience(attempts=1, connect_attempts=1, empty_attempts=1, connect=_CONNECT_SECONDS, idle=deadline)
    client = await asyncio.to_thread(connect, target, environ, lambda _text: None, patience)
    begun = time.monotonic()
    try:
        async with asyncio.timeout(deadline), aclosing(cast("AsyncGenerator[Delta, None]", client.stream(_SMALLEST))) as deltas:
            async for _ in deltas:
                pass
    except ContractError:
        # One token is nothing to read for some: it answers, and that was the question.
        pass
    finally:
        await client.aclose()
    return time.monotonic() - begun


def _others(target: Target, models: tuple[str, ...]) -> str:
    """What the server has instead of the model that was asked for."""
    if not models or target.model_id in models:
        return ""
    more = f" and {len(models) - _NAMED} more" if len(models) > _NAMED else ""
    return f" It lists: {', '.join(models[:_NAMED])}{more}."


def _ids(answer: object) -> tuple[str, ...]:
    match answer:
        case {"data": list(rows)}:
            return tuple(row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str))
        case _:
            return ()


async def _file(path: Path, environ: Mapping[str, str], fit: Sequence[str]) -> Probed:
    try:
        head = read_head(path)
    except UsageError as error:
        return Probed(False, f"{error.message}. {error.hint}".strip())
    what = f"{path.name} is {head.name} ({head.architecture}, {head.context:,} tokens of context)."
    said = await asked((*fit, str(path)), environ)
    try:
        (found,) = msgspec.json.decode(said.out, type=_FitReport).models if said.ok else ()
    except (msgspec.DecodeError, ValueError):
        # The name of the error's class stands before what it says.
        why = said.complaint.removeprefix("engine.errors.").partition(": ")[2] or said.complaint or "it gave no reason"
        return Probed(False, f"{what} The planner can't place it: {why}")
    return Probed(found.runs, f"{what} {found.found}. {found.advice}".strip())
