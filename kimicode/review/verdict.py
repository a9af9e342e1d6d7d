"""What was found in one commit, kept as a git note on it: `refs/notes/kimicode`, a reference of its own that git neither shows nor pushes.

A note is JSON, so that `git notes --ref kimicode show` is legible. It belongs to one commit: an amended or rebased one has none, and gets
its own, for which the review's cache has most of the answers. What this module does not do: review, or judge a push (`push`).
"""

import json
import time
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec

from kimicode import __version__
from kimicode.repo.git import Repository
from kimicode.repo.git_outgoing import notes_on
from kimicode.review.report import Report

NOTES: Final = "refs/notes/kimicode"
FORM: Final = 1

State: TypeAlias = Literal["reviewed", "failed", "bypassed"]


class Verdict(msgspec.Struct, frozen=True):
    """`reviewed`, with the report; `failed` or `bypassed`, with the `reason` in one sentence. `at`: seconds since 1970."""

    state: State
    report: Report | None = None
    reason: str = ""
    at: int = 0
    version: str = __version__
    form: int = FORM


def encode(verdict: Verdict) -> str:
    """The note's text, in ASCII."""
    # Escaped, the lone surrogates of a path that is not UTF-8 survive; msgspec would refuse them.
    return json.dumps(msgspec.to_builtins(verdict), indent=1) + "\n"


def decode(text: str) -> Verdict | None:
    """The verdict in a note; None where it is none, or of another form than this version writes."""
    try:
        verdict = msgspec.convert(json.loads(text), Verdict)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return None
    whole = verdict.state != "reviewed" or verdict.report is not None
    return verdict if whole and verdict.form == FORM else None


def reviewed(report: Report) -> Verdict:
    """The verdict of a review that was made now."""
    return Verdict("reviewed", report, at=int(time.time()))


def without_review(state: Literal["failed", "bypassed"], reason: str) -> Verdict:
    """The verdict where there was no review."""
    return Verdict(state, reason=reason, at=int(time.time()))


def write(repository: Repository, commit: str, verdict: Verdict) -> None:
    """Put the verdict on the commit, in place of an earlier one. Raises `ToolError`."""
    repository.notes_add(NOTES, commit, encode(verdict))


def read(repository: Repository, commits: Iterable[str]) -> dict[str, Verdict]:
    """The verdicts on those of `commits` that have one. Raises `ToolError`."""
    found = {commit: decode(text) for commit, text in notes_on(repository, NOTES, commits).items()}
    return {commit: verdict for commit, verdict in found.items() if verdict is not None}
