"""Pictures that go along with the next prompt: `/picture shot.png`, or `/picture` for the one on the clipboard.

What this module does not do: know whether the model sees (the model's client says so).
"""

import asyncio
import shlex
from collections.abc import Mapping
from pathlib import Path

from kimicode.errors import UsageError
from kimicode.home import kimicode_home
from kimicode.interactive.prompt.external import ask_program, clipboard_picture
from kimicode.line.words import Line, flat
from kimicode.messages import Image
from kimicode.model.pictures import keep_picture


class Pictures:
    """Those that were chosen and not sent yet."""

    def __init__(self, environ: Mapping[str, str], workspace: Path) -> None:
        self._environ = environ
        self._workspace = workspace
        self._chosen: tuple[Image, ...] = ()

    def take(self) -> tuple[Image, ...]:
        """All of them; the next prompt has none."""
        chosen, self._chosen = self._chosen, ()
        return chosen

    async def add(self, argument: str) -> Line:
        """Choose one more: a file, or what is on the clipboard; what is said then. Raises `KimicodeError` where it is no picture."""
        image = await asyncio.to_thread(self._kept, argument.strip())
        self._chosen = (*self._chosen, image)
        return Line(f"{flat(image.name)} goes with your next prompt.", "Picture:")

    def _kept(self, argument: str) -> Image:
        folder = kimicode_home(self._environ) / "pictures"
        if argument:
            return keep_picture(self._path(argument), "", folder)
        data = clipboard_picture(self._environ, ask_program(self._environ))
        if data is None:
            raise UsageError("there is no picture on the clipboard that can be read here", hint="Name a file: /picture shot.png")
        return keep_picture(data, "clipboard", folder)

    def _path(self, argument: str) -> Path:
        try:
            words = shlex.split(argument)
        except ValueError:
            words = []
        named = words[0] if len(words) == 1 else argument
        if named.startswith("~/"):
            return Path(self._environ.get("HOME") or "/") / named[2:]
        return self._workspace / named
