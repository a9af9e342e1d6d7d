"""What goes wrong, as a client sees it: status codes and error objects in the shapes of Kimi's API.

    400  invalid_request_error          the request; `code` is context_length_exceeded where it is too long
    401  invalid_authentication_error   no token, or another one
    404  resource_not_found_error       no such route or model
    405  408 413 415 431                invalid_request_error
    429  engine_overloaded_error        too many requests wait; Retry-After says when to ask again
    500  server_error                   the engine failed
    503  unavailable_error              the model is still loading; Retry-After says when to ask again

What this module does not do: send anything.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from engine.answer import JsonObject
from engine.body import RequestError
from engine.chat import ChatFormatError
from engine.errors import ContextOverflowError, EngineError, OverloadedError
from engine.guide import GuideError
from engine.tokenizer import VocabularyError

_BAD_REQUEST: Final = "invalid_request_error"
_RETRY_SECONDS: Final = {429: "2", 503: "1"}
_GUIDED_FIELDS: Final = ("tool_choice", "response_format", "tools")


class ApiError(Exception):
    """An error reply. `param` is the field that is wrong, if it is one field."""

    def __init__(self, status: int, message: str, *, kind: str = _BAD_REQUEST, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code

    @property
    def body(self) -> JsonObject:
        """The reply's JSON; what is unknown is left out."""
        error: JsonObject = {"message": str(self), "type": self.kind}
        if self.param:
            error["param"] = self.param
        if self.code:
            error["code"] = self.code
        return {"error": error}

    @property
    def headers(self) -> Mapping[str, str]:
        """What belongs to the status."""
        if self.status == 401:
            return {"WWW-Authenticate": "Bearer"}
        return {"Retry-After": seconds} if (seconds := _RETRY_SECONDS.get(self.status)) else {}


def loading() -> ApiError:
    """The model can't answer yet."""
    return ApiError(503, "the model is still loading; ask again in a moment", kind="unavailable_error", code="loading")


def failed(problem: Exception) -> ApiError:
    """The engine failed while it worked."""
    return ApiError(500, str(problem), kind="server_error")


def not_found(message: str, param: str | None = None) -> ApiError:
    """There is no such route or model."""
    return ApiError(404, message, kind="resource_not_found_error", param=param)


def plain(status: int, message: str) -> ApiError:
    """An error that HTTP itself knows."""
    return not_found(message) if status == 404 else ApiError(status, message)


@contextmanager
def as_api_errors() -> Iterator[None]:
    """Whatever can be wrong with a request becomes an `ApiError`."""
    try:
        yield
    except RequestError as problem:
        raise ApiError(400, str(problem), param=problem.param) from None
    except ChatFormatError as problem:
        raise ApiError(400, str(problem), param=f"messages[{problem.index}]") from None
    except GuideError as problem:
        field = str(problem).partition(":")[0]
        raise ApiError(400, str(problem), param=field if field in _GUIDED_FIELDS else None) from None
    except ContextOverflowError as problem:
        raise ApiError(400, str(problem), param="messages", code="context_length_exceeded") from None
    except VocabularyError as problem:
        raise ApiError(400, f"the messages need something this model does not have: {problem}", param="messages") from None
    except RecursionError:
        raise ApiError(400, "the tools or messages are nested too deeply") from None
    except OverloadedError as problem:
        raise ApiError(429, str(problem), kind="engine_overloaded_error") from None
    except EngineError as problem:
        raise failed(problem) from problem
