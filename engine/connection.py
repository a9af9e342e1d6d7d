"""HTTP connections that can't be held open for nothing: a uvicorn protocol with deadlines.

A connection must have sent the head of its first request `HEAD_SECONDS` after it was made, and a later one as long after its first byte;
and a client that has stopped reading has `SEND_SECONDS` to take what waits for it. After that the connection is aborted: what waits to
be sent is dropped, and an answer that is being written for it ends.
What this module does not do: limit a request's body (`engine.access`).
"""

import asyncio
from collections.abc import Callable
from typing import ClassVar, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 30.0
"""How long the head of a request may take to arrive."""

SEND_SECONDS: Final = 600.0
"""How long a client may leave what was sent to it unread: a person may have stopped a terminal for a while."""


class _Deadline:
    """Calls `late` once, `seconds` after `start`, unless stopped before."""

    def __init__(self, seconds: float, late: Callable[[], None]) -> None:
        self._seconds = seconds
        self._late = late
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._late)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class DeadlineProtocol(H11Protocol):
    """`uvicorn.Config(http=DeadlineProtocol)`; a subclass may have other deadlines."""

    head_seconds: ClassVar[float] = HEAD_SECONDS
    send_seconds: ClassVar[float] = SEND_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """asyncio."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # the kernel has a buffer of its own; what is left here was not taken
        self._head = _Deadline(self.head_seconds, transport.abort)
        self._send = _Deadline(self.send_seconds, transport.abort)
        self._head.start()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio."""
        self._head.stop()
        self._send.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """asyncio. Between two requests of a connection the clock stands still: uvicorn closes idle ones itself."""
        self._head.start()
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._head.stop()  # the head was whole; its body has a deadline of its own

    def on_response_complete(self) -> None:
        """uvicorn."""
        self._head.stop()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """asyncio: more waits to be sent than a client that reads would leave."""
        self._send.start()
        super().pause_writing()

    def resume_writing(self) -> None:
        """asyncio."""
        self._send.stop()
        super().resume_writing()
