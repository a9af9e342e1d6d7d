"""Reading a workspace into the index beside everything else, so that the first search in a large one finds it read.

It has a `Codebase` of its own: calls of one wait for each other, and nobody's search should wait for the whole workspace. What this module
does not do: say when it is done; whoever asks the index sees what is there.
"""

import threading
from collections.abc import Callable

from kimicode.errors import KimicodeError
from kimicode.repo.codebase import Codebase


class Filling:
    """Reads what `make` makes, once `start` is called, in a thread and in processes of least priority."""

    def __init__(self, make: Callable[[], Codebase]) -> None:
        self._make = make
        self._code: Codebase | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; calling it again does nothing."""
        if self._thread is None:
            self._code = self._make()
            self._thread = threading.Thread(target=self._run, args=(self._code,), name="index", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End it, finished or not; what is read stays."""
        if self._code is not None and self._thread is not None:
            while self._thread.is_alive():
                self._code.close()
                self._thread.join(0.1)
            self._code.close()

    def _run(self, code: Codebase) -> None:
        try:
            code.refresh()
        except (KimicodeError, OSError):
            # Whoever asks the index next meets the same, and says it.
            return
