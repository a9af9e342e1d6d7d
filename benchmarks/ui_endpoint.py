"""An OpenAI-compatible endpoint that answers every prompt with a long text at a steady pace: what user interfaces are measured against.

    with Pacing(tokens_per_s=100, tokens=3000) as endpoint:
        endpoint.url

A token is a word of about five letters. What this module does not do: call tools, or measure.
"""

import asyncio
import json
import threading
import time
from types import TracebackType

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

_LINES = (
    "The loaf rises while the oven warms, and nothing else needs to be done before noon.",
    "- flour, water, salt",
    "- a little patience",
    "",
    "```python",
    "def add_loaves(morning, evening):",
    '    """Return the sum of both."""',
    "    return morning + evening",
    "```",
    "",
    "Then **knead** it again, `slowly`, and let it rest under a cloth for another hour or two.",
    "",
)


def answer(tokens: int) -> list[str]:
    """A Markdown answer of so many tokens."""
    found: list[str] = []
    line = 0
    while len(found) < tokens:
        words = _LINES[line % len(_LINES)].split(" ")
        found += [f"{word} " for word in words[:-1]] + [f"{words[-1]}\n"]
        line += 1
    return found[:tokens]


class Pacing:
    """See the module. `asked` counts requests that were answered."""

    def __init__(self, tokens_per_s: float, tokens: int, *, port: int = 0) -> None:
        self._pause = 1 / tokens_per_s
        self._tokens = tokens
        self.asked = 0
        self._server = uvicorn.Server(uvicorn.Config(self._app(), port=port, log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def url(self) -> str:
        """The base address."""
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/v1"

    def __enter__(self) -> "Pacing":
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(5)

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/models", lambda _: JSONResponse({"object": "list", "data": [{"id": "kimi-k2.6", "object": "model"}]})),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
            ]
        )

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        if not body.get("stream"):
            return JSONResponse({"id": "1", "object": "chat.completion", "choices": [_whole("A title")], "usage": _usage(2)})
        short = not body.get("tools")  # peers ask for a title, too
        self.asked += not short
        return StreamingResponse(self._stream(5 if short else self._tokens), media_type="text/event-stream")

    async def _stream(self, tokens: int):
        due = time.monotonic()
        for word in answer(tokens):
            due += self._pause
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            yield _event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": word}}]})
        yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        yield _event({"choices": [], "usage": _usage(tokens)})
        yield b"data: [DONE]\n\n"


def _event(fields: dict[str, object]) -> bytes:
    whole = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "kimi-k2.6", **fields}
    return b"data: " + json.dumps(whole).encode() + b"\n\n"


def _whole(text: str) -> dict[str, object]:
    return {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 1000, "completion_tokens": tokens, "total_tokens": 1000 + tokens}


if __name__ == "__main__":
    import sys

    with Pacing(100, int(sys.argv[1]) if len(sys.argv) > 1 else 3000, port=8765) as pacing:
        print(pacing.url, flush=True)
        while True:
            time.sleep(1)
