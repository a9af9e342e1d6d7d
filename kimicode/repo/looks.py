"""What the content of a file was called when it last looked as it does: so nothing is read twice that has not changed.

One `Looks` is of one workspace; the index keeps it between processes. What this module does not do: store itself, or trust a look that
was taken too soon after a change.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from kimicode.files.place import Place, look
from kimicode.repo.contents import Look, look_of, read


class Known(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file that looked like `look` had the content `key`. `instead`: what git calls its content, where that is something else (a filter
    or an encoding stands between)."""

    look: Look
    key: str
    instead: str = ""


class Looks:
    """By path. `fresh` is what was learnt since it was last stored; `gone` what is not needed any more."""

    def __init__(self, root: Path, known: Mapping[str, Known]) -> None:
        self.root = root
        self._known = dict(known)
        self._instead = {path for path, each in known.items() if each.instead}
        self._fresh: set[str] = set()

    def key_of(self, path: str, found: Look | None, *, wide: bool) -> str:
        """The name of what is in the file. `found` is how it looks, where that is known. Raises `OSError`."""
        known = self._known.get(path)
        if known is not None and known.look == (found or self._look(path)) and len(known.key) == (64 if wide else 40):
            return known.key
        content = read(self.root, path, wide=wide)
        if content.settled:
            self.learn(path, Known(content.look, content.key))
        return content.key

    def learn(self, path: str, known: Known) -> None:
        """Take in what a file was seen to hold."""
        self._known[path] = known
        self._fresh.add(path)
        (self._instead.add if known.instead else self._instead.discard)(path)

    def corrections(self) -> dict[str, tuple[str, str]]:
        """Path, git's name and the real name of files that differ from what git says, and look as when that was seen."""
        made = {}
        for path in self._instead:
            known = self._known[path]
            if self._look(path) == known.look:
                made[path] = (known.instead, known.key)
        return made

    def take_fresh(self) -> dict[str, Known]:
        """What was learnt since the last call."""
        fresh = {path: self._known[path] for path in self._fresh}
        self._fresh.clear()
        return fresh

    def forget(self, paths: Iterable[str]) -> None:
        """Let go of files that are not there any more."""
        for path in paths:
            self._known.pop(path, None)
            self._instead.discard(path)
            self._fresh.discard(path)

    def _look(self, path: str) -> Look | None:
        try:
            found = look(Place(self.root, tuple(path.split("/"))))
        except OSError:
            return None
        return look_of(found) if found is not None else None
