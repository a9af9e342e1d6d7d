"""Every check on every file of a change, and the list of all rules.

What this module does not do: check. A check of a file is a function from its `Subject` to findings, one of a whole change from all of them.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from kimicode.review.change import Change, Contents
from kimicode.review.checks import conflicts, files, hidden, leftovers, locks, secrets, syntax
from kimicode.review.checks.config import CheckConfig
from kimicode.review.checks.rule import Rule
from kimicode.review.checks.subject import Scene, Subject, Tracked
from kimicode.review.finding import Finding
from kimicode.review.report import ordered
from kimicode.tools.globs import matcher

_FileCheck: TypeAlias = Callable[[Subject], Iterator[Finding]]
_ChangeCheck: TypeAlias = Callable[[tuple[Subject, ...]], Iterator[Finding]]

_OF_TEXT: Final[tuple[_FileCheck, ...]] = (conflicts.conflicts, secrets.secrets, hidden.hidden, leftovers.leftovers)
_OF_FILES: Final[tuple[_FileCheck, ...]] = (files.file_findings,)
_OF_CHANGES: Final[tuple[_ChangeCheck, ...]] = (syntax.errors, files.change_findings, locks.locks)

_DEFAULTS: Final = CheckConfig()

RULES: Final[tuple[Rule, ...]] = (
    *conflicts.RULES,
    *secrets.RULES,
    *files.RULES,
    *syntax.RULES,
    *hidden.RULES,
    *leftovers.RULES,
    *locks.RULES,
)
"""Every rule that a finding of `run_checks` can name."""


def run_checks(change: Change, contents: Contents, config: CheckConfig = _DEFAULTS, tracked: Tracked = tuple) -> tuple[Finding, ...]:
    """What is wrong with `change`, the worst first.

    `contents` is asked only for files that a check has to see whole; what can't be read is passed over. `tracked` gives the paths of all
    files that the repository has after the change, and is called only where a check needs them: without it nothing is said of locks and
    names that did not change. Raises `ToolError` for a pattern in `config` that is none.
    """
    excluded = [matcher(pattern) for pattern in config.excluded]
    scene = Scene(change, contents, config, tracked)
    subjects = tuple(
        Subject(file, scene) for file in change.files if file.status != "deleted" and not any(matches(file.path) for matches in excluded)
    )
    found = [finding for subject in subjects for finding in _of_file(subject)]
    for check in _OF_CHANGES:
        found += check(subjects)
    return ordered(tuple(each for each in found if not config.is_off(each.rule)))


def _of_file(subject: Subject) -> Iterator[Finding]:
    for check in _OF_FILES:
        yield from check(subject)
    if subject.is_text and subject.file.hunks:
        for check in _OF_TEXT:
            yield from check(subject)
