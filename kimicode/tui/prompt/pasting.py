"""What comes into a prompt otherwise than by keys: pastes, dropped files, pictures from the clipboard, texts that are set.

Long texts and those that can't be shown become tokens, pictures are kept and become tokens. The disk is waited for beside the keys.
What this module does not do: say what went wrong itself (`trouble` is told).
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kimicode.errors import KimicodeError
from kimicode.interactive.prompt.dropped import dropped_pictures, may_be_pictures
from kimicode.interactive.prompt.tokens import Tokens, is_long, restored
from kimicode.interactive.waiting import Prompt
from kimicode.text import Untrusted, render_safe, well_formed
from kimicode.tui.prompt.area import PromptArea
from kimicode.tui.prompt.surroundings import Start, Surroundings

_LARGE: Final = 20_000
"""A text that is set and longer than this becomes a token: an editor with much more of it would be slow."""

_NOTHING_THERE: Final = "There is no picture on the clipboard. Text is pasted by the terminal's own key."


class Paster:
    """For one area."""

    def __init__(self, area: PromptArea, surroundings: Surroundings, start: Start, trouble: Callable[[str], object]) -> None:
        self._area = area
        self._surroundings = surroundings
        self._start = start
        self._trouble = trouble

    def paste(self, text: str) -> None:
        """Take in what the terminal pasted, at the cursor."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if self._surroundings.keep is not None and may_be_pictures(text):
            self._start(self._paste_pictures(text))
        elif text:
            self._insert(text)

    def take_picture(self) -> bool:
        """Take the picture that is on the clipboard, or else the text that was copied in here. False where nothing can."""
        if self._surroundings.picture is None or self._surroundings.keep is None:
            return False
        self._start(self._picture_from_clipboard())
        return True

    def replace(self, text: str) -> None:
        """Put `text` there instead of what is; can be undone."""
        self._area.put(self._shown(text, long=len(text) > _LARGE), 0, len(self._area.text))

    def restore(self, prompt: Prompt) -> None:
        """Put a prompt there that was sent, with its pictures."""
        text, tokens = restored(prompt.text, prompt.images)
        mine = self._area.tokens
        # Those that are there stay known: undo may bring them back.
        self._area.tokens = Tokens((*tokens.items, *mine.items), max(mine.last, tokens.last))
        self.replace(text)

    def _insert(self, text: str) -> None:
        start, end = sorted(self._area.offset_at(each) for each in self._area.selection)
        self._area.put(self._shown(text, long=is_long(text)), start, end)

    def _shown(self, text: str, *, long: bool) -> str:
        """It as it is, or a token for it."""
        text = well_formed(text)
        # Invisible characters would be sent and not seen, and would not stay in their column.
        if not long and render_safe(Untrusted(text)) == text:
            return text
        label, self._area.tokens = self._area.tokens.with_paste(text, self._area.text)
        return label

    async def _paste_pictures(self, text: str) -> None:
        paths = await asyncio.to_thread(dropped_pictures, text, self._surroundings.home, self._surroundings.is_file)
        if not paths:
            self._insert(text)
        for path in paths:
            await self._keep(path, path.name)

    async def _picture_from_clipboard(self) -> None:
        assert self._surroundings.picture is not None
        try:
            data = await asyncio.to_thread(self._surroundings.picture)
        except KimicodeError as error:
            self._trouble(str(error))
            return
        if data is not None:
            await self._keep(data, "clipboard")
        elif copied := self._area.app.clipboard:
            self._insert(copied)
        else:
            self._trouble(_NOTHING_THERE)

    async def _keep(self, source: Path | bytes, name: str) -> None:
        assert self._surroundings.keep is not None
        try:
            image = await asyncio.to_thread(self._surroundings.keep, source, name)
        except KimicodeError as error:
            self._trouble(str(error))
            return
        label, self._area.tokens = self._area.tokens.with_picture(image, self._area.text)
        self._insert(f"{label} ")
