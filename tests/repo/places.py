"""Folders with and without git, and codebases of them, for the tests of the index."""

import os
import subprocess
from pathlib import Path

from kimicode.repo.codebase import Codebase
from kimicode.repo.looks import Looks
from kimicode.repo.snapshot import LARGE, Snapshots
from kimicode.repo.tree import Tree


class Folder:
    """A folder below a home of its own."""

    def __init__(self, home: Path, name: str = "work") -> None:
        self.path = home / name
        self.path.mkdir(parents=True, exist_ok=True)
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(home)}

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        always = (
            "-c",
            "protocol.file.allow=always",
            "-c",
            "user.name=n",
            "-c",
            "user.email=e@example.org",
            "-c",
            "init.defaultBranch=main",
        )
        done = subprocess.run(["git", *always, *arguments], cwd=folder or self.path, env=self.environ, check=True, capture_output=True)
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def write(self, path: str, text: str) -> None:
        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).write_text(text)

    def commit(self, **files: str) -> None:
        for name, text in files.items():
            self.write(f"{name}.py", text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "m")

    def tree(self, *, large: int = LARGE) -> Tree:
        return Snapshots(self.path, self.environ, large=large).take(Looks(self.path, {})).tree

    def codebase(self, cache: Path, *, below: str = "", processes: int = 2) -> Codebase:
        return Codebase(self.path / below, self.environ, cache=cache, processes=processes)


def paths(tree: Tree) -> list[str]:
    return [file.path for file in tree.files]
