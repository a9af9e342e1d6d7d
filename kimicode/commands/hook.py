"""`kimicode hook install`, `uninstall` and `status`: git's hooks of the repository that one stands in.

What was done goes to stderr, the status to stdout. What this module does not do: run as a hook (`hook_run`), or decide what is changed
(`review.hook_plan`).
"""

import os
import sys
import time
from typing import Final, assert_never

from kimicode.commands.folder import current_folder
from kimicode.home import kimicode_cache
from kimicode.repo.git import Repository
from kimicode.repo.git_parse import Commit
from kimicode.review import verdict as verdicts
from kimicode.review.background import Desk
from kimicode.review.bypass import HOW
from kimicode.review.hook import Done, Folder, Installed, Wish, hooks_folder, install, status, uninstall
from kimicode.review.hook_plan import Chain, Nothing, Refusal, Remove, Restore, Write
from kimicode.review.hook_script import Own, Script, before_name
from kimicode.review.target import open_repository
from kimicode.streams import complain, write_payload

_RECENT: Final = 10

_DOES: Final = {
    "pre-commit": "reviews what is staged",
    "post-commit": "reviews the new commit in the background",
    "pre-push": "looks for the verdicts on what is pushed",
}


def hook_install(pre_push: bool = False, background: bool = False, strict: bool = False, force: bool = False) -> int:
    """Make the hooks of this repository as the options say; 0. Raises `UsageError`, `RefusedError` with nothing done, `OSError`."""
    repository = _repository()
    folder = hooks_folder(repository)
    wish = Wish(os.path.abspath(sys.executable) if sys.executable else "", pre_push, background, strict, force)
    for done in install(repository, wish):
        if said := _done(done, folder):
            complain(said)
    if folder.tracked:
        complain(f"{folder.path} lies among the files: whoever gets them gets the hook. It looks for kimicode on PATH, and passes without.")
    if folder.shared:
        complain(f"{folder.path} lies outside this repository: every repository that uses it has the hook now.")
    complain(f"Once without: {HOW}. Away with it: kimicode hook uninstall")
    return 0


def hook_uninstall(force: bool = False) -> int:
    """Take the hooks away and bring back what was there before; 0. Raises `UsageError`, `RefusedError` with nothing done, `OSError`."""
    repository = _repository()
    folder = hooks_folder(repository)
    said = [text for done in uninstall(repository, force=force) if (text := _done(done, folder))]
    moved = [folder.path / each.moved for each in status(repository) if each.moved]
    said += [f"{path} is kimicode's too: another program moved it there and runs it. Remove it by hand." for path in moved]
    for text in said or [f"No hook of kimicode's is in {folder.path}."]:
        complain(text)
    return 0


def hook_status() -> int:
    """Say what is installed, whether it would run, and what is known of the last commits; 0. Raises `UsageError`, `ToolError`."""
    repository = _repository()
    folder = hooks_folder(repository)
    where = " (outside this repository)" if folder.shared else " (among the files)" if folder.tracked else ""
    if folder.path.exists() and not folder.path.is_dir():
        where = " (no folder: git runs no hook here)"
    lines = [f"hooks: {folder.path}{where}", *(f"{each.name + ':':13}{_state(each)}" for each in status(repository))]
    write_payload(sys.stdout, "\n".join([*lines, *_background(repository), *_recent(repository)]) + "\n")
    return 0


def _repository() -> Repository:
    return open_repository(current_folder(), dict(os.environ))


def _done(done: Done, folder: Folder) -> str:
    path = folder.path / done.name
    match done.step:
        case Nothing() | Refusal():
            return ""
        case Write():
            return f"{path} {_DOES[done.name]}."
        case Chain():
            return f"{path} {_DOES[done.name]}. The hook that was there is now {before_name(done.name)}, and is run first."
        case Restore():
            return f"{path} is again what it was before."
        case Remove():
            return f"{path} is gone; there was none before."
        case _:
            assert_never(done.step)


def _state(each: Installed) -> str:
    own = each.found.own
    if own is not None:
        return "; ".join([_DOES[each.name], *_details(own, each)])
    if each.moved:
        return f"kimicode's is called {each.moved} now, and run by the hook that took its place" + (
            f" ({each.manager})" if each.manager else ""
        )
    if each.found.kind == "missing":
        return "none"
    return f"not kimicode's{f', but of {each.manager}' if each.manager else ''}"


def _details(own: Own, each: Installed) -> list[str]:
    found = [] if own.script.model else ["instant checks only"]
    if own.script.strict:
        found.append("strict: stops what could not be reviewed")
    if each.chained.kind != "missing":
        found.append(f"after {before_name(each.name)}" + ("" if each.chained.runs else " (which is not executable, so it is not run)"))
    if not own.intact:
        found.append("changed by somebody since")
    if not each.found.runs:
        found.append("NOT EXECUTABLE: git does not run it (kimicode hook install repairs it)")
    return [*found, _python(own.script)]


def _python(script: Script) -> str:
    if not script.python:
        return "with the kimicode on PATH"
    if script.python == os.path.abspath(sys.executable):
        return "with this kimicode"
    if os.access(script.python, os.X_OK):
        return f"with another kimicode: {script.python}"
    return f"{script.python} IS GONE: the kimicode on PATH is taken, if there is one (kimicode hook install repairs it)"


def _background(repository: Repository) -> list[str]:
    desk = Desk.of(kimicode_cache(os.environ), repository.layout.common_dir)
    waiting = desk.waiting()
    if not waiting:
        return []
    try:
        worker = "one is being reviewed now" if desk.busy() else "nobody is at it: the next commit starts that"
    except OSError as error:
        worker = f"its folder can't be used: {error.strerror}"
    return [f"background:  {len(waiting)} wait, {worker}; log: {desk.log}"]


def _recent(repository: Repository) -> list[str]:
    commits = repository.log(_RECENT)
    if not commits:
        return []
    known = verdicts.read(repository, [commit.oid for commit in commits])
    if not known:
        return []
    return ["verdicts:", *(f"  {commit.oid[:12]} {_verdict(known.get(commit.oid))}  {_subject(commit)}" for commit in commits)]


def _verdict(verdict: verdicts.Verdict | None) -> str:
    if verdict is None:
        return "not reviewed"
    age = time.strftime("%Y-%m-%d %H:%M", time.localtime(verdict.at))
    if verdict.report is None:
        return f"{verdict.state} {age}: {verdict.reason}"
    worst = max((each.severity for each in verdict.report.findings), default=None)
    found = f"{len(verdict.report.findings)} found, the worst {worst.word}" if worst is not None else "nothing found"
    how = ", in part" if verdict.report.incomplete else "" if verdict.report.model else ", by checks only"
    return f"reviewed {age}: {found}{how}"


def _subject(commit: Commit) -> str:
    return (commit.message.splitlines() or [""])[0][:60]
