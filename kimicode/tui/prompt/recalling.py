"""What was sent before, in a prompt: Up and Down walk through it and keep the draft, a search shows what fits.

What this module does not do: know keys, or where prompts are kept (`surroundings.Past` does).
"""

import asyncio

from textual.document._document import Location

from kimicode.interactive.prompt.complete import MOST, Item
from kimicode.interactive.prompt.history import Recall, matching
from kimicode.interactive.prompt.tokens import remembered
from kimicode.tui.prompt.area import PromptArea
from kimicode.tui.prompt.completing import Completer
from kimicode.tui.prompt.pasting import Paster
from kimicode.tui.prompt.popup import CompletionList
from kimicode.tui.prompt.surroundings import Past, Start


class Recaller:
    """For one area and one list. `searching`: the list shows what was sent before."""

    def __init__(
        self, area: PromptArea, popup: CompletionList, completer: Completer, paster: Paster, past: Past | None, start: Start
    ) -> None:
        self.searching = False
        self._area = area
        self._popup = popup
        self._completer = completer
        self._paster = paster
        self._past = past
        self._start = start
        self._recall = Recall()
        self._recalled: str | None = None
        self._resting: tuple[str, Location] | None = None

    def load(self) -> None:
        """Read what there is, beside everything else."""
        if self._past is not None:
            self._start(self._load(self._past))

    def remember(self) -> None:
        """Keep what stands there now."""
        text = remembered(self._area.text, self._area.tokens)
        self._recall, self._recalled = Recall((text, *(each for each in self._recall.prompts if each != text))), None
        if self._past is not None:
            self._start(self._keep(self._past, text))

    def older(self) -> bool:
        """One further back. False where the cursor has lines above it to go to."""
        if not self._rests() and not self._area.cursor_at_first_line_on_screen:
            return False
        return self._walk(self._recall_now().older(self._area.text), to_end=False)

    def newer(self) -> bool:
        """One nearer, the draft at last. False where the cursor has lines below it to go to."""
        if not self._rests() and not self._area.cursor_at_last_line_on_screen:
            return False
        return self._walk(self._recall_now().newer(), to_end=True)

    def search(self) -> None:
        """Show what was sent before and fits what stands there."""
        found = matching(self._recall.prompts, self._area.text.strip())[:MOST]
        self._popup.present(tuple(Item(text, text) for text in found), "sent before")
        self.searching = bool(found)

    def accept(self) -> None:
        """Put what the search has marked there."""
        item = self._popup.item
        self.searching = False
        if item is not None:
            self._paster.replace(item.insert)
        self._rest()

    async def _load(self, past: Past) -> None:
        loaded = await asyncio.to_thread(past.load)
        prompts = tuple(dict.fromkeys([*self._recall.prompts, *loaded]))
        self._recall = Recall(prompts, self._recall.at, self._recall.draft)

    async def _keep(self, past: Past, text: str) -> None:
        await asyncio.to_thread(past.add, text)

    def _recall_now(self) -> Recall:
        """Where walking goes on: at the draft, once what was recalled has been changed."""
        return self._recall if self._recalled == self._area.text else Recall(self._recall.prompts)

    def _walk(self, there: Recall | None, *, to_end: bool) -> bool:
        if there is None:
            return False
        self._recall = there
        self._paster.replace(there.text)
        document = self._area.document
        self._area.move_cursor(document.end if to_end else (0, len(document.get_line(0))))
        self._rest()
        return True

    def _rests(self) -> bool:
        """True while nothing was done but walking: then both ways go on, whatever the number of lines."""
        return self._resting == (self._area.text, self._area.cursor_location)

    def _rest(self) -> None:
        """This was recalled: walking goes on from it, and nothing is offered for it."""
        self._recalled = self._area.text
        self._resting = (self._area.text, self._area.cursor_location)
        self._completer.close()
