"""Which files a session changed, and what each was before its first change: pure, from events.

What this module does not do: look at files (`looking` does).
"""

from collections.abc import Iterable

from kimicode.events import Event, FilesChanged, Rewound
from kimicode.files.state import FileState
from kimicode.interactive.looking import counts
from kimicode.interactive.view.status import Touched
from kimicode.sandbox.approval import FileText


class Changed:
    """The files that were changed so far."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._first: dict[str, FileState] = {}
        for event in events:
            self.note(event)

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them, as recorded, in the order of their first change."""
        return tuple(self._first)

    def note(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, FilesChanged | Rewound):
            for change in event.changes:
                self._first.setdefault(change.path, change.before)

    def first(self, paths: Iterable[str]) -> tuple[tuple[str, FileState], ...]:
        """What each of these was before the session changed it."""
        return tuple((path, self._first[path]) for path in paths if path in self._first)


def with_counts(touched: tuple[Touched, ...], found: Iterable[tuple[str, FileText | None]]) -> tuple[Touched, ...]:
    """`touched` with the lines of what was looked at anew; without the files that are again as they were."""
    known = {file.path: file for file in touched}
    for path, text in found:
        if text is None:
            known.pop(path, None)
        else:
            added, removed = counts(text) or (None, None)
            known[path] = Touched(path, added, removed)
    return tuple(known.values())
