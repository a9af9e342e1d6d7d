"""A user with a repository and plain git, and programs that take kimicode's place in a hook and write down how they were called.

What this module does not do: assert anything.
"""

import os
import subprocess
from pathlib import Path

from kimicode.repo.git import Repository


class Work:
    """A repository in `folder`, whose user's home is beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder.parent)}
        folder.mkdir(exist_ok=True)
        (folder.parent / ".gitconfig").write_text(
            '[user]\nname = n\nemail = e@example.org\n[init]\ndefaultBranch = main\n[protocol "file"]\nallow = always\n'
        )
        self.git("init", "-q")

    def run(self, *command: str | bytes, folder: Path | None = None, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Any command, as this user, to its end."""
        return subprocess.run(
            command,
            cwd=folder or self.folder,
            env=self.environ | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=120,
        )

    def git(self, *arguments: str | bytes, folder: Path | None = None) -> str:
        """Plain git that must not fail."""
        done = self.run("git", *arguments, folder=folder)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, *arguments: str | bytes, folder: Path | None = None, **variables: str) -> "subprocess.CompletedProcess[str]":
        """`git commit`, hooks and all."""
        return self.run("git", "commit", "-q", "-m", "m", *arguments, folder=folder, **variables)

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def add(self, **files: str) -> None:
        """Write and stage."""
        self.write(**files)
        self.git("add", "--", *files)

    @property
    def hooks(self) -> Path:
        return self.folder / ".git" / "hooks"

    def hook(self, name: str, body: str, *, mode: int = 0o755) -> Path:
        """A hook that somebody else wrote."""
        self.hooks.mkdir(exist_ok=True)
        path = self.hooks / name
        path.write_text(body)
        path.chmod(mode)
        return path

    @property
    def repository(self) -> Repository:
        found = Repository.find(self.folder, self.environ)
        assert found is not None
        return found


class StandIn:
    """A program in the place of kimicode's Python. It writes its arguments and its stdin down, and ends with `code`."""

    def __init__(self, folder: Path, name: str = "python") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self._record, self._code = folder / name, folder / f"{name}.record", folder / f"{name}.code"
        self.path.write_text(
            '#!/bin/sh\n{ echo "call $*"; echo "index ${GIT_INDEX_FILE:-none}"; cat; } >>"$0.record"\nexit "$(cat "$0.code")"\n'
        )
        self.path.chmod(0o755)
        self.ends_with(0)

    def ends_with(self, code: int) -> None:
        self._code.write_text(str(code))

    @property
    def record(self) -> str:
        """What it was called with so far."""
        return self._record.read_text() if self._record.exists() else ""
