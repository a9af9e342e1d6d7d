"""Messages through a pipe: four bytes of length, then msgpack.

What this module does not do: know what is said.
"""

import os
import select
import struct
from typing import Final

_LENGTH: Final = struct.Struct(">I")


class Ended(Exception):
    """The other side is gone, or has said nothing for too long."""


def send(descriptor: int, data: bytes) -> None:
    """Write one message, whole. Raises `Ended`."""
    rest = memoryview(_LENGTH.pack(len(data)) + data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError as error:
        raise Ended from error


def receive(descriptor: int, seconds: float | None = None) -> bytes:
    """Read one message, waiting at most `seconds` for each part of it. Raises `Ended`."""
    (length,) = _LENGTH.unpack(_exactly(descriptor, _LENGTH.size, seconds))
    return _exactly(descriptor, length, seconds)


def _exactly(descriptor: int, count: int, seconds: float | None) -> bytes:
    taken = bytearray()
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    try:
        while len(taken) < count:
            if seconds is not None and not waiting.poll(seconds * 1000):
                raise Ended
            piece = os.read(descriptor, count - len(taken))
            if not piece:
                raise Ended
            taken += piece
    except OSError as error:
        raise Ended from error
    return bytes(taken)
