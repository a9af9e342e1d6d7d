"""Stop strings: cut a streamed text before the first of some strings, without showing the beginning of one. Pure.

What this module does not do: know tokens; the text may arrive in pieces of any size.
"""

from collections.abc import Sequence


class StopText:
    """A text on its way. `stopped` turns True once one of `stops` has come; what follows is dropped."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """The text that is surely before any stop string."""
        if self.stopped:
            return ""
        text = self._held + text
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        free = len(text) - max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[free:]
        return text[:free]

    def flush(self) -> str:
        """What was held back because it could have become a stop string."""
        rest, self._held = self._held, ""
        return rest


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` begin `stop`."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
