"""Pictures that go with a message: recognised by their bytes, copied to a private place, and read again when they are sent.

PNG, JPEG, GIF and WebP, which is what endpoints of vision models take. The copy lies under its digest, so that a picture shown twice is
kept once, and a session can go on when the original has changed or gone. Nothing is decoded or made smaller: what is too large is refused.
What this module does not do: decide whether a model can see (`Target.images`), or find pictures in a clipboard.
"""

import base64
import hashlib
import os
import stat
from pathlib import Path
from typing import Final

from kimicode.errors import UnavailableError, UsageError
from kimicode.files.atomic import replace_file
from kimicode.files.place import Place
from kimicode.messages import Image

LARGEST: Final = 20 << 20
"""Bytes of the largest picture that is taken; a request holds a third more."""

_SUFFIXES: Final = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
_HINT: Final = "PNG, JPEG, GIF and WebP can be shown to a model."


def media_type(data: bytes) -> str | None:
    """What picture these bytes begin, None where they are none that is known."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def keep_picture(source: Path | bytes, name: str, folder: Path) -> Image:
    """A copy of the picture in `folder`, which is made if need be and, like the copy, only the user's. `name` is what it is called; where
    it is empty, a file's own name.

    Raises `UsageError` for what is no picture or too large, `UnavailableError` where it can't be copied.
    """
    called = _plain(name or (source.name if isinstance(source, Path) else "picture"))
    data = _read(source, called) if isinstance(source, Path) else source
    if len(data) > LARGEST:
        raise UsageError(f"{called} is larger than {LARGEST >> 20} MiB", hint="Make it smaller first; kimicode sends pictures as they are.")
    kind = media_type(data)
    if kind is None:
        raise UsageError(f"{called} is no picture that a model can be shown", hint=_HINT)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = Place(folder.resolve(), (f"{hashlib.sha256(data).hexdigest()}.{_SUFFIXES[kind]}",))
        if not place.path.is_file():
            replace_file(place, data, mode=0o600)
    except OSError as error:
        raise UnavailableError(f"can't keep a copy of {called} in {folder}: {error.strerror}") from None
    return Image(str(place.path), kind, called)


def data_url(image: Image) -> str | None:
    """The picture as a `data:` URL; None where its copy is gone or is none any more."""
    try:
        data = Path(image.path).read_bytes()
    except OSError:
        return None
    kind = media_type(data)
    return None if kind is None or len(data) > LARGEST else f"data:{kind};base64,{base64.b64encode(data).decode()}"


def unseen(image: Image, why: str) -> str:
    """What a model reads in place of a picture."""
    return f"[picture {_plain(image.name) or 'without a name'}: {why}]"


def _read(path: Path, called: str) -> bytes:
    try:
        # Not blocking: a pipe would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"{called} is no file", hint=_HINT)
            return file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"can't read the picture {path}: {error.strerror}") from None


def _plain(name: str) -> str:
    """One line that JSON can hold."""
    return " ".join(name.encode("utf-8", "replace").decode().replace("]", ")").split())
