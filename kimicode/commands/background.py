"""The review of a commit that was just made, after git has gone on: in a process of its own, with the least priority, into a git note.

One process a repository does it, whoever comes second leaves the commit to it (`review.background`). Nobody reads its output, so it goes
into a log in the cache. What this module does not do: start the process; the hook's script does.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from typing import Final

from kimicode.errors import KimicodeError
from kimicode.home import kimicode_cache
from kimicode.repo.git import Repository
from kimicode.review import verdict as verdicts
from kimicode.review.background import LOG_BYTES, Desk
from kimicode.review.report import Report
from kimicode.review.target import Commit
from kimicode.reviewing import Wish, review_repository
from kimicode.settings import load_settings
from kimicode.streams import complain

DEADLINE_S: Final = 600.0
"""For one commit. A model on two cores needs minutes for a few hundred lines."""
_HARD_S: Final = 900
"""After this the process is ended, whatever it waits for; the commit gets one more try."""
_NICE: Final = 10


def review_later(repository: Repository, revision: str, bypass: str | None) -> int:
    """Let the commit `revision` wait, and review what waits unless somebody is at it; 0. `bypass`: what asked for no review.

    Leaves the terminal, lowers its priority and writes to the log from then on. Raises `ToolError`, `OSError` before that.
    """
    commit = repository.commit(revision)
    if bypass is not None:
        verdicts.write(repository, commit, verdicts.without_review("bypassed", f"{bypass} was set."))
        return 0
    desk = Desk.of(kimicode_cache(os.environ), repository.layout.common_dir)
    desk.add(commit)
    complain(f"kimicode: {commit[:12]} is reviewed in the background; log: {desk.log}")
    _detach(desk)
    done = desk.drain(lambda each: _review(repository, each), lambda each, why: _give_up(repository, each, why))
    complain(f"{_now()} {done} reviewed")
    return 0


def _detach(desk: Desk) -> None:
    # Whoever started this may be the leader of a group already, or may not lower priorities.
    with suppress(OSError):
        os.setsid()
    with suppress(OSError):
        os.nice(_NICE)
    how = os.O_TRUNC if desk.log.exists() and desk.log.stat().st_size > LOG_BYTES else os.O_APPEND
    log = os.open(desk.log, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | how, 0o600)
    try:
        sys.stdout.flush()
        os.dup2(log, 1)
        os.dup2(log, 2)
    finally:
        os.close(log)


def _review(repository: Repository, commit: str) -> None:
    signal.alarm(_HARD_S)
    try:
        verdict = verdicts.reviewed(_report(repository, commit))
    except (KimicodeError, OSError) as error:
        verdict = verdicts.without_review("failed", str(error))
    finally:
        signal.alarm(0)
    complain(f"{_now()} {commit} {verdict.state} {verdict.reason}".rstrip())
    _write(repository, commit, verdict)


def _report(repository: Repository, commit: str) -> Report:
    settings = load_settings(os.environ, {})
    # What a merge brings in was made, and reviewed, elsewhere.
    merge = len(repository.log(1, revision=commit)[0].parents) > 1
    return review_repository(repository, Wish(Commit(commit), model=not merge, deadline_s=DEADLINE_S), settings, os.environ)


def _give_up(repository: Repository, commit: str, why: str) -> None:
    complain(f"{_now()} {commit} given up: {why}")
    _write(repository, commit, verdicts.without_review("failed", why))


def _write(repository: Repository, commit: str, verdict: verdicts.Verdict) -> None:
    try:
        verdicts.write(repository, commit, verdict)
    except KimicodeError as error:
        # The commit may be gone, or the repository not writable: then it counts as not reviewed.
        complain(f"{_now()} {commit}: {error}")


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
