"""Recording a model's answers to a file, and giving them again without the model: public, for tests and bug reports.

The file has one JSON object a line: first `{"info": …}`, then for each request in the order of their ends
`{"request": …, "deltas": […], "error": null | {"kind", "message", "hint"}}`. It holds the whole conversation, so it is as private as that.
Replay matches strictly: request N must be equal to the recorded one, else a `ContractError` names the first difference.
What this module does not do: leave out secrets, or replay timing.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import cast

import msgspec

from kimicode import errors
from kimicode.errors import ContractError, KimicodeError, TemporaryError, UsageError
from kimicode.messages import JsonValue
from kimicode.model.client import Delta, Finished, ModelClient, ModelInfo, ModelRequest
from kimicode.model.faults import ContentFilterError, ContextOverflowError


class _Error(msgspec.Struct, frozen=True):
    kind: str
    message: str
    hint: str = ""


class _Exchange(msgspec.Struct, frozen=True):
    request: msgspec.Raw
    deltas: tuple[Delta, ...]
    error: _Error | None = None


class _Head(msgspec.Struct, frozen=True):
    info: ModelInfo


class RecordingClient:
    """Passes everything through to `inner` and appends each exchange, when it ends, to the file at `path` (created anew)."""

    def __init__(self, inner: ModelClient, path: Path) -> None:
        self._inner = inner
        self._path = path
        path.write_bytes(msgspec.json.encode(_Head(inner.info)) + b"\n")

    @property
    def info(self) -> ModelInfo:
        """The inner client's."""
        return self._inner.info

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """The inner client's stream. A stream that is left early is recorded as far as it went."""
        deltas: list[Delta] = []
        failure: _Error | None = None
        try:
            async with aclosing(cast("AsyncGenerator[Delta, None]", self._inner.stream(request))) as stream:
                async for delta in stream:
                    deltas.append(delta)
                    yield delta
        except KimicodeError as error:
            failure = _recorded(error)
            raise
        finally:
            exchange = _Exchange(msgspec.Raw(msgspec.json.encode(request)), tuple(deltas), failure)
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(exchange) + b"\n")

    async def aclose(self) -> None:
        """Close the inner client."""
        await self._inner.aclose()


class ReplayClient:
    """Gives the recorded answers. Raises `UsageError` where the file is no recording."""

    def __init__(self, path: Path) -> None:
        self._path = path
        head, *lines = _lines(path)
        try:
            self._info = msgspec.json.decode(head, type=_Head).info
            self._exchanges = [msgspec.json.decode(line, type=_Exchange) for line in lines]
        except msgspec.DecodeError as error:
            raise UsageError(f"{path} is no recording of a model: {error}") from None
        self._next = 0

    @property
    def info(self) -> ModelInfo:
        """The recorded client's."""
        return self._info

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """The recorded answer to this very request. Raises `ContractError` where another was recorded, or none."""
        number = self._next + 1
        if self._next >= len(self._exchanges):
            raise ContractError(f"{self._path}: request {number} was not recorded, the recording has {len(self._exchanges)}")
        exchange = self._exchanges[self._next]
        self._next += 1
        difference = _difference(msgspec.json.decode(exchange.request), msgspec.json.decode(msgspec.json.encode(request)), "request")
        if difference:
            raise ContractError(
                f"{self._path}: request {number} is not the recorded one: {difference}", hint="Record again if the change is meant."
            )
        for delta in exchange.deltas:
            yield delta
        if exchange.error:
            raise _error(exchange.error)
        if not (exchange.deltas and isinstance(exchange.deltas[-1], Finished)):
            raise TemporaryError(f"{self._path}: request {number} was interrupted when it was recorded")

    async def aclose(self) -> None:
        """Nothing to release."""


def _lines(path: Path) -> list[bytes]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"can't read the recording {path}: {error.strerror}") from None
    return [line for line in lines if line] or [b""]


def _kinds() -> dict[str, type[KimicodeError]]:
    """The errors a recording may name: those the agent can tell apart."""
    tree = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, KimicodeError)]
    return {kind.__name__: kind for kind in (*tree, ContextOverflowError, ContentFilterError)}


def _recorded(error: KimicodeError) -> _Error:
    known = _kinds()
    kind = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in known)
    return _Error(kind, error.message, error.hint)


def _error(recorded: _Error) -> KimicodeError:
    return _kinds().get(recorded.kind, KimicodeError)(recorded.message, hint=recorded.hint)


def _difference(recorded: JsonValue, now: JsonValue, where: str) -> str:
    """The first place where two JSON values differ, in words; "" where they are equal."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        for key in [*recorded, *(key for key in now if key not in recorded)]:
            if found := _difference(recorded.get(key), now.get(key), f"{where}.{key}"):
                return found
        return ""
    if isinstance(recorded, list) and isinstance(now, list):
        for index, (left, right) in enumerate(zip(recorded, now, strict=False)):
            if found := _difference(left, right, f"{where}[{index}]"):
                return found
        return "" if len(recorded) == len(now) else f"{where} has {len(now)} items, recorded were {len(recorded)}"
    return "" if recorded == now else f"{where} is {_short(now)}, recorded was {_short(recorded)}"


def _short(value: JsonValue) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "…"
