"""Two questions of a push: which commits a remote does not have yet, and what notes are on them, each in one call of git.

What this module does not do: push, fetch, or ask the remote: it may know more than is known here.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from kimicode.errors import ToolError
from kimicode.repo.git import Repository
from kimicode.repo.git_read import notes_ref

_OID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LISTED: Final = 2


class Outgoing(msgspec.Struct, frozen=True):
    """A commit that a remote does not have. `merge`: it has more than one parent."""

    commit: str
    merge: bool


def outgoing(repository: Repository, tip: str, known: Iterable[str], remote: str, limit: int) -> tuple[Outgoing, ...]:
    """At most `limit` commits, newest first, that `tip` has and neither `known` nor a branch of `remote` (as last seen).

    `tip` and `known` are names of objects; of `known`, those that this repository does not have are passed over. `tip` may be a tag;
    what leads to no commit has none. `remote` "" or one that is no name (an address): every remote's branches count.
    """
    start = _commits(repository, (tip,))
    if not start:
        return ()
    # A pattern after --remotes= is a glob: what could mean more than one remote, or an option, is not passed on.
    named = f"--remotes={remote}" if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", remote) else "--remotes"
    without = [f"^{each}" for each in _commits(repository, known)]
    answer = repository.answer("rev-list", f"--max-count={limit}", "--topo-order", "--parents", *start, *without, "--not", named, "--")
    lines = [line.split() for line in answer.out.decode("ascii").splitlines()]
    return tuple(Outgoing(commit, len(parents) > 1) for commit, *parents in lines)


def notes_on(repository: Repository, ref: str, commits: Iterable[str]) -> dict[str, str]:
    """The notes under `ref` on those of `commits` that have one."""
    wanted = set(commits)
    listed = repository.answer("notes", f"--ref={notes_ref(ref)}", "list").out.decode("ascii").splitlines()
    pairs = [pair for line in listed if len(pair := line.split()) == _LISTED and pair[1] in wanted]
    contents = repository.blobs(blob for blob, _ in pairs)
    return {commit: contents[blob].decode("utf-8", "surrogateescape") for blob, commit in pairs}


def _commits(repository: Repository, oids: Iterable[str]) -> list[str]:
    """The commits that object names lead to, through tags; those that lead to none, or that are not here, are left out."""
    asked = list(oids)
    if (wrong := next((oid for oid in asked if not _OID.fullmatch(oid)), None)) is not None:
        raise ToolError(f"{wrong!r} is no name of an object")
    if not asked:
        return []
    stdin = "".join(f"{oid}^{{commit}}\n" for oid in asked).encode()
    lines = repository.answer("cat-file", "--batch-check=%(objectname)", stdin=stdin).out.decode("ascii", "replace").splitlines()
    return [line for line in lines if _OID.fullmatch(line)]
