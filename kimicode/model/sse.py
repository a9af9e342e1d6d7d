"""Server-sent events: bytes in, payloads out. Incremental, tolerant of what real servers send, linear in the input.

Accepted: `data:{` without a space, LF, CRLF and CR line ends split anywhere, comments and keep-alives, several `data:` lines in
one event, `error:` lines and bare JSON lines of servers that break the format in the middle of a stream.
What this module does not do: decode text (a payload stays bytes until it is whole, so a cut character is never seen) or read JSON.
"""

_LONGEST_EVENT = 64 << 20


class SseOverflowError(Exception):
    """One event is longer than any answer can be; the stream is not worth keeping."""


class SseDecoder:
    """Feed it chunks as they arrive; each call returns the payloads that became complete."""

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._event: list[bytes] = []
        self._size = 0
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The payloads completed by this chunk. Raises `SseOverflowError` above 64 MiB in one event."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._size += len(chunk)
        if self._size > _LONGEST_EVENT:
            raise SseOverflowError
        *whole, rest = chunk.split(b"\n")
        payloads: list[bytes] = []
        for part in whole:
            self._line.append(part)
            payloads += self._end_line()
        if rest:
            self._line.append(rest)
        return payloads

    def flush(self) -> list[bytes]:
        """What is left when the stream ends: a last event whose blank line never came."""
        return self._end_line() + self._end_event()

    def _end_line(self) -> list[bytes]:
        line = b"".join(self._line)
        self._line.clear()
        if not line:
            return self._end_event()
        field, colon, value = line.partition(b":")
        if line.startswith(b"{"):
            self._event.append(line)
        elif colon and field in (b"data", b"error"):
            self._event.append(value.removeprefix(b" "))
        return []

    def _end_event(self) -> list[bytes]:
        self._size = 0
        if not self._event:
            return []
        lines, self._event = self._event, []
        # Servers that forget the blank line send one JSON text a line; a true multi-line payload starts only once with «{».
        if all(line.startswith((b"{", b"[DONE]")) for line in lines):
            return lines
        return [payload] if (payload := b"\n".join(lines).strip()) else []
