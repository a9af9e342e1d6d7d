"""`kimicode worktree add | list | remove | prune`: folders for isolated work, each with a branch of its own.

What this module does not do: work in one (`kimicode --headless --worktree NAME …`), or merge what was done there.
"""

import os
import sys
from pathlib import Path

import msgspec

from kimicode.commands.folder import current_folder
from kimicode.errors import UsageError
from kimicode.repo.git import Repository
from kimicode.repo.worktrees import Worktree, Worktrees
from kimicode.streams import complain, write_payload


def worktree_add(name: str, revision: str = "HEAD", folder: Path | None = None) -> int:
    """Make one and write its path; the exit code. Raises `UsageError`, `ToolError`, `RefusedError`."""
    made = _here().create(name, revision=revision, folder=folder)
    write_payload(sys.stdout, f"{made.path}\n")
    complain(f"On the new branch kimicode/{made.name} at {made.head[:10]}. Hooks did not run, and files in Git LFS are pointers.")
    return 0


def worktree_list(as_json: bool) -> int:
    """Write a line for each, by name; the exit code."""
    found = _here().all()
    for each in found:
        write_payload(sys.stdout, f"{_json(each) if as_json else _row(each)}\n")
    if not found and not as_json:
        complain("No worktrees of kimicode yet.")
    return 0


def worktree_remove(name: str, force: bool) -> int:
    """Remove one with its branch; the exit code. Raises `RefusedError` where something would be lost and not `force`."""
    _here().remove(name, force=force)
    complain(f"Removed the worktree {name} and its branch.")
    return 0


def worktree_prune() -> int:
    """Forget those whose folders are gone; the exit code."""
    names = _here().prune()
    complain(f"Forgotten: {', '.join(names)}." if names else "Nothing to forget.")
    return 0


def enter(name: str) -> Path:
    """The folder to work in for the worktree `name` of the current folder's repository, made where there is none yet.

    From a folder below the top, it is the same folder there, where that exists.
    """
    here = current_folder().resolve()
    repository = _repository(here)
    top = Worktrees(repository, os.environ).enter(name)
    same = top / here.relative_to(repository.work_tree)
    return same if same.resolve().is_relative_to(top) and same.is_dir() else top


def _here() -> Worktrees:
    return Worktrees(_repository(current_folder()), os.environ)


def _repository(folder: Path) -> Repository:
    repository = Repository.find(folder, os.environ)
    if repository is None:
        raise UsageError(f"{folder} is in no git repository", hint="Worktrees are of a repository; make one with: git init")
    return repository


def _row(each: Worktree) -> str:
    notes = ("" if each.there else "  (its folder is gone)") + ("  (locked)" if each.locked else "")
    return f"{each.name:<20}  {each.head[:10]}  {each.path}{notes}"


def _json(each: Worktree) -> str:
    return msgspec.json.encode(
        {"name": each.name, "path": str(each.path), "head": each.head, "there": each.there, "locked": each.locked}
    ).decode()
