"""`kimicode review`: findings on what is staged, uncommitted, on a branch or in a commit, in one of five formats.

Exit codes: 0 nothing blocks, 3 a finding blocks; with `--strict` also 124 where time was over, 69 where no model could be asked, and 4
where its answers were unusable. What this module does not do: review (`kimicode.reviewing`), or act as a hook (`commands.hook_run`).
"""

import os
import sys
from pathlib import Path
from typing import Final, TypeVar, get_args

from kimicode.commands.folder import current_folder
from kimicode.errors import BudgetReached, ContractError, UnavailableError, UsageError
from kimicode.files.atomic import replace_file
from kimicode.files.place import Place
from kimicode.review.order import Effort
from kimicode.review.report import Gate, Report
from kimicode.review.target import Base, Commit, Staged, Target, Uncommitted, open_repository
from kimicode.review.writers import WRITERS, Format
from kimicode.review.writers.github import write_markdown
from kimicode.review.writers.text import write_text
from kimicode.reviewing import Wish, gate_of, review_repository
from kimicode.settings import FailOnName, load_settings
from kimicode.streams import complain, write_payload

BLOCKED: Final = 3
_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
_Choice = TypeVar("_Choice")


def review(
    staged: bool,
    uncommitted: bool,
    base: str | None,
    commit: str | None,
    form: str,
    output: Path | None,
    fail_on: str | None,
    deadline: float | None,
    strict: bool,
    no_model: bool,
    effort: str,
    flags: dict[str, object],
) -> int:
    """Review, write the report, and say by the exit code whether it blocks."""
    target = _target(staged, uncommitted, base, commit)
    known_form: Format = _one_of("--format", form, get_args(Format))
    known_effort: Effort = _one_of("--effort", effort, get_args(Effort))
    known_fail_on: FailOnName | None = None if fail_on is None else _one_of("--fail-on", fail_on, get_args(FailOnName))
    if deadline is not None and not deadline >= 0:
        raise UsageError(f"--deadline can't be {deadline:g}", hint="Give seconds; 0 is without end.")
    settings = load_settings(os.environ, flags)
    repository = open_repository(current_folder(), dict(os.environ), index=index_of(os.environ) if isinstance(target, Staged) else None)
    wish = Wish(target, model=not no_model, deadline_s=deadline, effort=known_effort)
    report = review_repository(repository, wish, settings, os.environ)
    gate = gate_of(settings.review, fail_on=known_fail_on, strict=strict)
    _deliver(WRITERS[known_form](report, gate), output)
    if output is not None or known_form in ("sarif", "json", "rdjson"):
        complain(write_text(report, gate).rstrip("\n").rsplit("\n", 1)[-1])
    if known_form == "github" and (page := os.environ.get(_SUMMARY)):
        _append(Path(page), write_markdown(report, gate))
    return exit_code(report, gate)


def exit_code(report: Report, gate: Gate) -> int:
    """0 where nothing blocks; else why."""
    if report.blocking(gate):
        return BLOCKED
    if not gate.strict:
        return 0
    reasons = {each.why for each in report.omissions}
    if reasons & {"no model", "model failed"}:
        return UnavailableError.exit_code
    if "answer unusable" in reasons:
        return ContractError.exit_code
    return BudgetReached.exit_code if report.incomplete else 0


def index_of(environ: os._Environ[str]) -> Path | None:
    """The index that git gives a hook: while `git commit FILE` or `git commit -a` runs it is not the repository's own."""
    given = environ.get("GIT_INDEX_FILE")
    return Path(given).absolute() if given else None


def _target(staged: bool, uncommitted: bool, base: str | None, commit: str | None) -> Target:
    chosen: list[Target] = []
    if staged:
        chosen.append(Staged())
    if uncommitted:
        chosen.append(Uncommitted())
    if base is not None:
        chosen.append(Base(base))
    if commit is not None:
        chosen.append(Commit(commit))
    if len(chosen) > 1:
        raise UsageError(
            "--staged, --uncommitted, --base and --commit exclude each other", hint="Give one of them; --staged is meant without."
        )
    return chosen[0] if chosen else Staged()


def _one_of(option: str, value: str, choices: tuple[_Choice, ...]) -> _Choice:
    for choice in choices:
        if choice == value:
            return choice
    raise UsageError(f"{option} can't be {value!r}", hint=f"Choose one of: {', '.join(map(str, choices))}.")


def _deliver(text: str, output: Path | None) -> None:
    if output is None:
        write_payload(sys.stdout, text)
        return
    whole = output.absolute()
    replace_file(Place(whole.parent.resolve(), (whole.name,)), text.encode("utf-8", "replace"))


def _append(page: Path, text: str) -> None:
    with page.open("a", encoding="utf-8", errors="replace") as file:
        file.write(text)
