"""Completion while a prompt is written: when to look, what to show, what a choice puts into the text.

Commands and their arguments are looked up at once. Files are searched in a thread, one search at a time: a question that comes meanwhile
makes the older one give up, and an answer that is late is dropped. The list of files is read anew when it is stale, beside that.
What this module does not do: know keys.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from kimicode.interactive.prompt.complete import MOST, Completions, Offer, Want, completions, wanted
from kimicode.interactive.prompt.found import Found
from kimicode.tui.prompt.area import PromptArea
from kimicode.tui.prompt.popup import CompletionList
from kimicode.tui.prompt.surroundings import Files, Start


class Completer:
    """For one area and one list. `commands` and `arguments` (what the command of a name takes) may be set anew at any time.

    `quiet_for` is a text for which nothing is offered: what was recalled, or what the list was closed for.
    """

    def __init__(self, area: PromptArea, popup: CompletionList, files: Files, start: Start) -> None:
        self.files = files
        self.commands: Sequence[Offer] = ()
        self.arguments: Callable[[str], Sequence[str]] = lambda _: ()
        self.quiet_for: str | None = None
        self._area = area
        self._popup = popup
        self._start = start
        self._seen: tuple[str, int] | None = None
        self._sought: Want | None = None
        self._searching = False
        self._refreshing = False

    def update(self) -> None:
        """Show what could stand at the cursor: now, or for files as soon as they are found."""
        text, cursor = self._seen = (self._area.text, self._area.offset_of_cursor)
        if text != self.quiet_for:
            self.quiet_for = None
        want = wanted(text, cursor)
        if want is None or text == self.quiet_for:
            self._sought = None
            self._popup.present(())
        elif want.kind == "file":
            self._seek(want)
        else:
            self._sought = None
            self._present(completions(text, cursor, commands=self.commands, arguments=self.arguments), want)

    def catch_up(self) -> None:
        """Before a choice is taken: a key may be quicker than the message that the text has changed."""
        if self._seen != (self._area.text, self._area.offset_of_cursor):
            self.update()

    def reopen(self) -> bool:
        """Show the list that was closed, if there is anything to complete."""
        self.quiet_for = None
        self.update()
        return self._popup.is_open or self._sought is not None

    def close(self) -> None:
        """Hide the list until the text is another one."""
        self.quiet_for = self._area.text
        self._sought = None
        self._popup.present(())

    def accept(self) -> Want | None:
        """Put what is chosen into the text. None where nothing is chosen, or all of it stands there already: Enter means to send, then."""
        item, text = self._popup.item, self._area.text
        want = wanted(text, self._area.offset_of_cursor)
        if item is None or want is None:
            return None
        insert, there = item.insert, text[want.start : want.end]
        if want.kind != "file" and there == insert.rstrip():
            self.close()
            return None
        stays = item.goes_on and there != insert
        if item.goes_on and not stays:
            insert += " "
        if text[want.end : want.end + 1].isspace():
            insert = insert.rstrip(" ")
        self._area.put(insert, want.start, want.end)
        if not stays:
            self.close()
        return want

    def _present(self, found: Completions | None, want: Want) -> None:
        self._popup.present(found.items if found is not None else ())
        if want.kind == "argument" and not want.query:
            # Nobody has asked for one: Enter runs the command as it is.
            self._popup.highlighted = None

    def _seek(self, want: Want) -> None:
        self._sought = want
        if not self._searching:
            self._searching = True
            self._start(self._search())
        if self.files.stale and not self._refreshing:
            self._refreshing = True
            self._start(self._refresh())

    async def _search(self) -> None:
        """Answer the last question that there is."""
        try:
            while (want := self._sought) is not None:
                found = await asyncio.to_thread(self.files.search, want.query, MOST, partial(self._overtaken, want))
                if found is not None and self._sought is want:
                    self._sought = None
                    self._found(want, found)
        finally:
            self._searching = False

    def _overtaken(self, asked: Want) -> bool:
        return self._sought is not asked

    async def _refresh(self) -> None:
        try:
            if await asyncio.to_thread(self.files.refresh):
                self.update()
        finally:
            self._refreshing = False

    def _found(self, want: Want, found: Sequence[Found]) -> None:
        text, cursor = self._area.text, self._area.offset_of_cursor
        if wanted(text, cursor) == want:
            self._present(completions(text, cursor, files=lambda _: found), want)
