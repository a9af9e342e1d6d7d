"""`kimicode hook run NAME`: what git's hooks call. It says what was found, and stops git for a verdict and for nothing else.

Exit codes: 0 git may go on; 3 a finding blocks; 124 not all could be reviewed, and that is to stop git (`strict`). Errors do not stop git
unless strict: they are said. Hooks of git's own and those that the program pre-commit runs are both served. What this module does not do:
install anything (`hook`), or judge (`review.report`, `review.push`).
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, assert_never

import msgspec

from kimicode.commands.background import review_later
from kimicode.commands.folder import current_folder
from kimicode.commands.review import exit_code, index_of
from kimicode.errors import KimicodeError, UsageError
from kimicode.repo.git import Repository
from kimicode.review import verdict as verdicts
from kimicode.review.bypass import HOW, bypassed
from kimicode.review.hook_script import BLOCKED, HOOK_NAMES, INCOMPLETE, HookName
from kimicode.review.push import Decision, Update, candidates, decide, parse_updates, stands_in
from kimicode.review.report import Gate, Report
from kimicode.review.target import Staged, open_repository
from kimicode.review.writers.text import counted, place, write_text
from kimicode.reviewing import Wish, gate_of, review_repository
from kimicode.settings import load_settings
from kimicode.streams import complain

_SKIPS: Final[dict[HookName, tuple[str, ...]]] = {
    "pre-commit": ("kimicode-review",),
    "post-commit": ("kimicode-review",),
    "pre-push": ("kimicode-review-push", "kimicode-review"),
}
_STRICT: Final = "--strict"
_NO_MODEL: Final = "--no-model"
_SHOWN: Final = 5


def hook_run(name: str, arguments: list[str], strict: bool = False, no_model: bool = False) -> int:
    """Act as git's hook `name`, which git gave `arguments`; the exit code. Raises `UsageError` for a name that is none."""
    kind = next((each for each in HOOK_NAMES if each == name), None)
    if kind is None:
        raise UsageError(f"{name!r} is no hook of kimicode's", hint=f"They are: {', '.join(HOOK_NAMES)}.")
    asked = bypassed(os.environ, _SKIPS[kind])
    # The program pre-commit puts a user's options behind the hook's name.
    strict, no_model = strict or _STRICT in arguments, no_model or _NO_MODEL in arguments
    given = [each for each in arguments if each not in (_STRICT, _NO_MODEL)]
    if wrong := next((each for each in given if each.startswith("-")), None):
        raise UsageError(f"{name} has no option {wrong!r}", hint=f"There are {_STRICT} and {_NO_MODEL}; the rest is in the settings.")
    match kind:
        case "post-commit":
            return _forgiving(lambda: review_later(_repository(), given[0] if given else "HEAD", asked), strict=False)
        case "pre-commit":
            return _unless(asked, lambda: _pre_commit(strict, not no_model), strict=strict)
        case "pre-push":
            return _unless(asked, lambda: _pre_push(given, strict), strict=strict)
        case _:
            assert_never(kind)


def _unless(asked: str | None, run: Callable[[], int], *, strict: bool) -> int:
    if asked is None:
        return _forgiving(run, strict=strict)
    complain(f"kimicode: not asked, because of {asked}.")
    return 0


def _forgiving(run: Callable[[], int], *, strict: bool) -> int:
    """What `run` says; an error of any kind is said, and stops git only if `strict`."""
    try:
        return run()
    except KimicodeError as error:
        said = str(error)
    except OSError as error:
        said = f"{error.filename or 'input or output'}: {error.strerror or error}"
    except Exception as error:  # noqa: BLE001 - the border: a fault of ours is no reason to keep somebody from committing
        said = f"unexpected {type(error).__name__}: {error}\n  This is a fault in kimicode; please report it."
    complain(f"kimicode: nothing was reviewed: {said}" + ("" if strict else "\n  Git goes on."))
    return INCOMPLETE if strict else 0


def _repository(*, staged: bool = False) -> Repository:
    index = index_of(os.environ) if staged else None
    repository = open_repository(current_folder(), dict(os.environ), index=index)
    given = os.environ.get("GIT_DIR")
    if given and Path(given).resolve() != repository.layout.git_dir.resolve():
        raise UsageError(f"git works with {given} here, and kimicode reviews only what belongs to a .git among the files")
    return repository


def _pre_commit(strict: bool, model: bool) -> int:
    repository, settings = _repository(staged=True), load_settings(os.environ, {})
    # A commit waits for no model to be loaded.
    report = review_repository(repository, Wish(Staged(), model=model, cold=False), settings, os.environ)
    gate = gate_of(settings.review, strict=strict)
    code = exit_code(report, gate)
    if code or report.figures.files:
        complain(write_text(_worth_saying(report, model), gate).rstrip("\n"))
    if code:
        complain(_stopped("commit"))
    return code if code in (0, BLOCKED) else INCOMPLETE


def _worth_saying(report: Report, model: bool) -> Report:
    """Without what is always so: lock files are not reviewed, and no model was wanted. What to do is said by `kimicode review`."""
    kept = (each for each in report.omissions if each.why != "skipped" and (model or each.why != "no model"))
    short = tuple(msgspec.structs.replace(each, detail=each.detail.partition(". ")[0].removesuffix(".") + ".") for each in kept)
    return msgspec.structs.replace(report, omissions=short)


def _stopped(what: str) -> str:
    by = f"SKIP=kimicode-review git {what} …, or {HOW}" if os.environ.get("PRE_COMMIT") else HOW
    return f"kimicode: this {what} is stopped. Correct it and {what} again. Once without a review: {by}"


def _pre_push(arguments: list[str], strict: bool) -> int:
    repository, settings = _repository(), load_settings(os.environ, {})
    pushed, cut = candidates(repository, _updates(repository), _remote(arguments))
    known = verdicts.read(repository, [each.commit for each in pushed]) if pushed else {}
    gate = gate_of(settings.review, strict=strict)
    decision = decide(pushed, known, gate, stands_in(repository), cut=cut)
    for line in _said(decision):
        complain(line)
    if decision.blocking:
        complain(_stopped("push"))
        return BLOCKED
    return _incomplete(decision, gate)


def _incomplete(decision: Decision, gate: Gate) -> int:
    if not (gate.strict and decision.gaps):
        return 0
    complain(_stopped("push"))
    return INCOMPLETE


def _updates(repository: Repository) -> tuple[Update, ...]:
    """What is pushed, from git itself or, as variables, from the program pre-commit, which has read git's words."""
    if not os.environ.get("PRE_COMMIT"):
        if sys.stdin.isatty():
            raise UsageError("there is nothing on stdin", hint="It is for git to call, before a push.")
        return parse_updates(sys.stdin.read())
    tip = os.environ.get("PRE_COMMIT_TO_REF") or os.environ.get("PRE_COMMIT_LOCAL_BRANCH")
    known = os.environ.get("PRE_COMMIT_FROM_REF")
    if not tip:
        return ()
    return (Update("", repository.commit(tip), "", repository.commit(known) if known else ""),)


def _remote(arguments: list[str]) -> str:
    return arguments[0] if arguments else os.environ.get("PRE_COMMIT_REMOTE_NAME", "")


def _said(decision: Decision) -> list[str]:
    if not decision.total:
        return []
    lines = []
    for each in decision.blocking:
        finding = each.finding
        lines.append(f"{each.commit[:12]} {place(finding)}: {finding.severity.word}: {finding.title} ({finding.rule}, blocks)")
        lines += [f"  why: {finding.scenario.splitlines()[0]}"] if finding.scenario.strip() else []
    gaps = (
        ("not reviewed yet (kimicode hook run post-commit COMMIT does it)", decision.unreviewed),
        ("reviewed in part", decision.unfinished),
        ("could not be reviewed", decision.failed),
        ("not to be reviewed", decision.bypassed),
    )
    lines += [f"kimicode: {what}: {_names(commits)}" for what, commits in gaps if commits]
    if decision.cut:
        lines.append(f"kimicode: only the newest {decision.total} of the commits were looked at.")
    known = decision.total - len(decision.unreviewed) - len(decision.failed) - len(decision.bypassed)
    settled = f", {decision.settled} settled by a later commit" if decision.settled else ""
    found = f"{counted(len(decision.blocking), 'finding')} that block{'s' if len(decision.blocking) == 1 else ''}{settled}"
    return [*lines, f"kimicode: {known} of {counted(decision.total, 'commit')} reviewed, {found}"]


def _names(commits: tuple[str, ...]) -> str:
    more = f" and {len(commits) - _SHOWN} more" if len(commits) > _SHOWN else ""
    return ", ".join(each[:12] for each in commits[:_SHOWN]) + more
