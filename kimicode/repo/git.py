"""A git repository, to be asked (`git_read`) and to be written to. The only way in kimicode to run git.

Nothing that a repository says is executed (`git_guard`), git is told where the repository is instead of asking it (`git_find`), and the
environment is new (`git_run`). What this module does not do: run hooks, talk to another machine, or change files of the working tree. Its
calls wait for git; a caller on an event loop gives them to a thread.

Every method raises `ToolError` where git fails (with git's own first line), takes too long or writes too much.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kimicode.errors import ToolError
from kimicode.files.locks import take
from kimicode.repo.git_call import text_of
from kimicode.repo.git_commit import Committer
from kimicode.repo.git_read import notes_ref

_WAIT_S: Final = 10.0
_OWN_NAME: Final = {
    f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "kimicode"), ("EMAIL", "kimicode@localhost"))
}
"""Notes are kimicode's own words, and a user without a name can have them too."""


class Repository(Committer, frozen=True):
    """One working tree and its repository. `index`: another index than the repository's own, as in a hook; only where asked for."""

    def write_tree(self) -> str:
        """The name of the tree that a commit of the index would have. Neither the index nor an object is written, and no lock is taken.

        Raises `ToolError` where the index holds conflicts.
        """
        index = self.index or self.layout.git_dir / "index"
        with tempfile.TemporaryDirectory(prefix="kimicode-tree-") as folder:
            copy, objects = Path(folder, "index"), Path(folder, "objects")
            objects.mkdir()
            try:
                shutil.copyfile(index, copy)
            except FileNotFoundError:
                pass
            except OSError as error:
                raise ToolError(f"can't read the index {index}: {error.strerror}") from error
            variables = {
                "GIT_INDEX_FILE": str(copy),
                "GIT_OBJECT_DIRECTORY": str(objects),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(self.layout.common_dir / "objects"),
            }
            # What is missing (a partial clone) has a name all the same.
            more = (("core.splitIndex", "false"),)
            return text_of(self.answer("write-tree", "--missing-ok", variables=variables, more=more))

    def notes_add(self, ref: str, commit: str, text: str) -> None:
        """Put the note `text` on a commit under `ref` (`refs/notes/kimicode`), byte by byte, in place of an earlier one there."""
        self.require_plain()
        on = self.commit(commit)
        data = text.encode("utf-8", "surrogateescape")
        with self._turn():
            blob = text_of(self.answer("hash-object", "-w", "-t", "blob", "--stdin", stdin=data))
            self.answer("notes", f"--ref={notes_ref(ref)}", "add", "--force", "--allow-empty", "-C", blob, on, variables=_OWN_NAME)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One kimicode at a time: git itself would let two that add notes at once lose one."""
        # The folder itself is locked, so nothing is left behind.
        descriptor = os.open(self.layout.common_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if not take(descriptor, fcntl.LOCK_EX, time.monotonic() + _WAIT_S):
                raise ToolError(f"another kimicode has been writing in {self.layout.common_dir} for {_WAIT_S:g} s", hint="Try again.")
            yield
        finally:
            os.close(descriptor)


def _quoted(path: Path) -> str:
    """A path among alternate object folders, which `:` separates."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
