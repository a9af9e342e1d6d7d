"""Whether a push may go, by the verdicts that are there already. Nothing is reviewed here: a push waits for no model.

What blocks is found in one of the commits to be pushed and still stands in what is pushed: a later commit that takes the code away has
settled it. But a secret stays in the history, so that no later commit settles it. What this module does not do: print, or ask the remote.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from kimicode.errors import ToolError, UsageError
from kimicode.repo.git import Repository
from kimicode.repo.git_outgoing import outgoing
from kimicode.review.finding import Finding
from kimicode.review.report import Gate
from kimicode.review.verdict import Verdict

MAX_COMMITS: Final = 200
"""More than this are not looked at, the newest are: somebody pushes a whole history."""

_LINE: Final = re.compile(r"(.*) ([0-9a-f]{40,64}) (.*) ([0-9a-f]{40,64})")

Stands: TypeAlias = Callable[[str, Finding], bool]
"""Whether the code of a finding is still there at the end of the branch with this name (an object)."""


class Update(msgspec.Struct, frozen=True):
    """One reference that a push changes, as git tells its hook. Names of objects are "" where there is none (deleted, new)."""

    local_ref: str
    local_oid: str
    remote_ref: str
    remote_oid: str


class Candidate(msgspec.Struct, frozen=True):
    """A commit to be pushed, and the end of the branch or tag it is pushed with. `merge`: it has more than one parent."""

    commit: str
    tip: str
    merge: bool = False


class Blocking(msgspec.Struct, frozen=True):
    """A finding that stops the push."""

    commit: str
    finding: Finding


class Decision(msgspec.Struct, frozen=True):
    """`unreviewed` have no verdict yet; `failed` could not be reviewed, `bypassed` were not to be; `unfinished` were reviewed in part.
    A merge without a verdict was made by git alone, which calls no hook of ours then: it is none of them. `cut`: there were more commits
    than are looked at."""

    blocking: tuple[Blocking, ...]
    unreviewed: tuple[str, ...]
    failed: tuple[str, ...]
    bypassed: tuple[str, ...]
    unfinished: tuple[str, ...]
    settled: int
    total: int
    cut: bool

    @property
    def gaps(self) -> bool:
        """True where not every commit was reviewed whole."""
        return bool(self.unreviewed or self.failed or self.bypassed or self.unfinished or self.cut)


def parse_updates(text: str) -> tuple[Update, ...]:
    """What git gives a pre-push hook on stdin. Raises `UsageError` for anything else."""
    return tuple(_update(line) for line in text.splitlines() if line.strip())


def _update(line: str) -> Update:
    found = _LINE.fullmatch(line)
    if found is None:
        raise UsageError(f"{line[:80]!r} is not what git tells a pre-push hook", hint="It is for git to call: kimicode hook run pre-push")
    return Update(found[1], _oid(found[2]), found[3], _oid(found[4]))


def _oid(text: str) -> str:
    return text if text.strip("0") else ""


def candidates(
    repository: Repository, updates: tuple[Update, ...], remote: str, *, limit: int = MAX_COMMITS
) -> tuple[tuple[Candidate, ...], bool]:
    """The commits that a push brings, each once, at most `limit`; and whether there were more."""
    found: dict[str, Candidate] = {}
    known = [update.remote_oid for update in updates if update.remote_oid]
    for update in updates:
        if update.local_oid:
            for each in outgoing(repository, update.local_oid, known, remote, limit + 1):
                found.setdefault(each.commit, Candidate(each.commit, update.local_oid, each.merge))
    return tuple(found.values())[:limit], len(found) > limit


def decide(pushed: tuple[Candidate, ...], verdicts: Mapping[str, Verdict], gate: Gate, stands: Stands, *, cut: bool = False) -> Decision:
    """The decision about a push. Asks `stands` only for findings that would block."""
    states: dict[str, list[str]] = {"none": [], "failed": [], "bypassed": [], "unfinished": [], "reviewed": [], "merged": []}
    blocking: list[Blocking] = []
    settled = 0
    for each in pushed:
        verdict = verdicts.get(each.commit)
        states[_state(each, verdict)].append(each.commit)
        for finding in verdict.report.blocking(gate) if verdict and verdict.report else ():
            if finding.rule.startswith("secret/") or stands(each.tip, finding):
                blocking.append(Blocking(each.commit, finding))
            else:
                settled += 1
    return Decision(
        blocking=tuple(blocking),
        unreviewed=tuple(states["none"]),
        failed=tuple(states["failed"]),
        bypassed=tuple(states["bypassed"]),
        unfinished=tuple(states["unfinished"]),
        settled=settled,
        total=len(pushed),
        cut=cut,
    )


def _state(each: Candidate, verdict: Verdict | None) -> str:
    if verdict is None:
        return "merged" if each.merge else "none"
    if verdict.report is None:
        return verdict.state
    return "unfinished" if verdict.report.incomplete else "reviewed"


def stands_in(repository: Repository) -> Stands:
    """`Stands` by what `repository` has: the quoted code is still in the file, be it indented in another way."""

    def stands(tip: str, finding: Finding) -> bool:
        quote = _squeezed(finding.quote)
        try:
            content = repository.blob(repository.resolve(f"{tip}^{{commit}}:{finding.path}"))
        except ToolError:
            # Gone, or unreadable; a file that can't be told apart from one that is there would block for ever.
            return False
        return not quote or quote in _squeezed(content.decode("utf-8", "replace"))

    return stands


def _squeezed(text: str) -> str:
    return " ".join(text.split())
