"""One guarded call of git: what is set up at this moment is disarmed first, then git is asked.

To disarm it, one has to know it, so git lists the names of all settings before. That list holds for the next call too, as long as no file
that it came from is another one (`git_known`). What this module does not do: know what git can be asked (`git_read`, `git`).
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import msgspec

from kimicode.errors import RefusedError, ToolError
from kimicode.repo.git_find import Layout, find_layout
from kimicode.repo.git_guard import GUARD, SENTINEL, Settings, disarmed, environment
from kimicode.repo.git_known import Known
from kimicode.repo.git_run import DEFAULT_BOUNDS, Answer, Bounds, Order, execute, locate

_NO_MORE: Mapping[str, str] = {}


class Guarded(msgspec.Struct, frozen=True):
    """One working tree and its repository. `index`: another index than the repository's own, as in a hook; only where asked for.

    `alone`: git may start no other process. `known` is what was listed last.
    """

    layout: Layout
    program: Path
    environ: Mapping[str, str]
    index: Path | None = None
    bounds: Bounds = DEFAULT_BOUNDS
    alone: bool = True
    known: Known = msgspec.field(default_factory=Known)

    @classmethod
    def find(cls, path: Path, environ: Mapping[str, str], *, index: Path | None = None, bounds: Bounds = DEFAULT_BOUNDS) -> Self | None:
        """The repository that `path` lies in; None where there is none. `environ` is the user's: of it, `PATH` and `HOME` count.

        Raises `UsageError` where a `.git` leads somewhere else, `ToolError` where there is no git or one that is too old, `OSError`.
        """
        layout = find_layout(path)
        return None if layout is None else cls.at(layout, environ, index=index, bounds=bounds)

    @classmethod
    def at(cls, layout: Layout, environ: Mapping[str, str], *, index: Path | None = None, bounds: Bounds = DEFAULT_BOUNDS) -> Self:
        """The repository that lies where `layout` says. Raises `ToolError` where there is no git."""
        repository = cls(layout, locate(environ.get("PATH"), layout.work_tree), environ, index, bounds)
        try:
            repository._names()
        except ToolError:
            # What is wrong is the repository's own (then each call says so), or git is a script that starts the real one.
            if repository.call(GUARD, "version").code:
                repository = msgspec.structs.replace(repository, alone=False)
                repository.checked(GUARD, "version")
        return repository

    @property
    def work_tree(self) -> Path:
        """The folder with the files."""
        return self.layout.work_tree

    def require_plain(self) -> None:
        """Raises `RefusedError` where git, told to write here, would write elsewhere: through a symbolic link in its own folders."""
        for folder in {self.layout.git_dir, self.layout.common_dir}:
            for path in _written(folder):
                if path.is_symlink():
                    raise RefusedError(f"{path} is a symbolic link, and kimicode writes nothing through one", hint="Use git itself here.")

    def answer(
        self,
        *arguments: str,
        fine: tuple[int, ...] = (0,),
        stdin: bytes = b"",
        more: Settings = (),
        variables: Mapping[str, str] = _NO_MORE,
    ) -> Answer:
        """Run git, guarded against every driver that is set up at this moment. `more` and `variables` are for this call alone.

        Raises `ToolError` where git fails with a code that is not `fine`.
        """
        return self.checked((*GUARD, *disarmed(self._names()), *more), *arguments, fine=fine, stdin=stdin, variables=variables)

    def checked(
        self,
        settings: Settings,
        *arguments: str,
        fine: tuple[int, ...] = (0,),
        stdin: bytes = b"",
        variables: Mapping[str, str] = _NO_MORE,
    ) -> Answer:
        """Run git with these settings and no others of ours: only for what starts nothing, whatever is set up."""
        answer = self.call(settings, *arguments, stdin=stdin, variables=variables)
        if answer.code not in fine:
            line = (answer.complaint.strip().splitlines() or [f"exit code {answer.code}"])[0].removeprefix("fatal: ")
            raise ToolError(f"git {arguments[0]} failed in {self.work_tree}: {line}")
        return answer

    def call(self, settings: Settings, *arguments: str, stdin: bytes = b"", variables: Mapping[str, str] = _NO_MORE) -> Answer:
        """As `checked`, whatever the exit code."""
        environ = {**environment(self.layout, self.environ, settings, self.index), **variables}
        return execute(Order(self.program, arguments, environ, self.work_tree, stdin, self.alone), self.bounds)

    def _names(self) -> tuple[str, ...]:
        return self.known.names(self.layout, self.environ, self._list)

    def _list(self) -> tuple[str, ...]:
        names = os.fsdecode(self.checked(GUARD, "config", "--list", "-z", "--name-only").out).split("\0")
        if SENTINEL not in names:
            raise ToolError(f"{self.program} is too old to be run safely", hint="Install git 2.31 or later.")
        return tuple(names)


def _written(folder: Path) -> Iterator[Path]:
    """What git may write to, or make files in, when it commits, as far as it is there."""
    yield from folder.glob("*")
    yield from (folder / "objects").glob("*")
    for kind in ("refs", "logs"):
        for parent, folders, files in os.walk(folder / kind):
            yield from (Path(parent, name) for name in (*folders, *files))


def text_of(answer: Answer) -> str:
    """What git wrote, without blanks around it; "" where it failed."""
    return os.fsdecode(answer.out).strip() if answer.code == 0 else ""
