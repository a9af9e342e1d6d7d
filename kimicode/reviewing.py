"""A review of this repository as the user's settings want it: change, rules, model and order come together here.

What this module does not do: review (`kimicode.review.run`), write the report, or decide how a process ends.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, assert_never

import msgspec

from kimicode.errors import ToolError, UnavailableError
from kimicode.home import kimicode_cache, kimicode_home
from kimicode.model.client import ModelClient
from kimicode.model.factory import make_client
from kimicode.model.target import Target as ModelTarget
from kimicode.model.target import resolve
from kimicode.model.warm import is_warm
from kimicode.repo.git import Repository
from kimicode.review.change import Change, Contents
from kimicode.review.checks import CheckConfig, run_checks
from kimicode.review.finding import Finding, Severity
from kimicode.review.order import Bounds, Effort, Order, Silence
from kimicode.review.report import Gate, Omission, Report
from kimicode.review.rules import Rules, read_rules
from kimicode.review.run import review_now
from kimicode.review.target import Base, Commit, GitContents, Staged, Target, Uncommitted, read_change
from kimicode.sandbox.hidden import hidden_paths
from kimicode.settings import FailOnName, ReviewSettings, Settings

ATTRIBUTES: Final = ("linguist-generated", "linguist-vendored")


class Wish(msgspec.Struct, frozen=True):
    """What is wanted beside the settings. `model`: ask one at all. `cold`: it may be loaded first, which a commit should not wait for.

    `deadline_s` 0: without end; None: as the settings say.
    """

    target: Target = Staged()
    model: bool = True
    cold: bool = True
    deadline_s: float | None = None
    effort: Effort = "low"


def gate_of(settings: ReviewSettings, *, fail_on: FailOnName | None = None, strict: bool = False) -> Gate:
    """What blocks, by the settings and what was said on the command line."""
    name = fail_on or settings.fail_on
    return Gate(None if name == "none" else Severity[name.upper()], settings.confidence, strict or settings.strict)


def review_repository(repository: Repository, wish: Wish, settings: Settings, environ: Mapping[str, str]) -> Report:
    """Review what `wish` names. Raises `UsageError` for a revision or a setting that is none, `ToolError` where git can't tell."""
    change, contents = read_change(repository, wish.target)
    _prepare(change, contents)
    target, omission = _model(settings, wish, environ)
    order = _order(repository, change, wish, settings, environ, target)

    def tracked() -> list[str]:
        return [file.path for file in repository.ls_files()]

    def checks(change: Change, contents: Contents, config: CheckConfig) -> tuple[Finding, ...]:
        return run_checks(change, contents, config, tracked)

    report = review_now(change, contents, order, client=_client(target, environ, omission), checks=checks)
    kept = tuple(each for each in report.omissions if each.why != "no model")
    told = (omission,) if omission is not None and change.files else ()
    return msgspec.structs.replace(report, omissions=(*told, *kept))


def _prepare(change: Change, contents: GitContents) -> None:
    """Contents in one call rather than one by one; what is too much for one call is read when it is needed."""
    try:
        contents.prepare(change.files)
    except ToolError:
        return


def _model(settings: Settings, wish: Wish, environ: Mapping[str, str]) -> tuple[ModelTarget | None, Omission | None]:
    """The model to ask, or why it is not asked; neither where none is wanted."""
    if not wish.model:
        return None, None
    try:
        target = resolve(settings.review.endpoint or settings.endpoint, settings.review.model or settings.model, environ)
    except UnavailableError as error:
        return None, Omission("no model", (), f"{error.message}. {error.hint}")
    if not wish.cold and not is_warm(target, environ):
        return target, Omission(
            "no model", (), f"{target.model} is not loaded, and a commit does not wait for that: `kimicode engine start`."
        )
    return target, None


def _client(target: ModelTarget | None, environ: Mapping[str, str], omission: Omission | None) -> ModelClient | None:
    return make_client(target, environ) if target is not None and omission is None else None


def _order(
    repository: Repository,
    change: Change,
    wish: Wish,
    settings: Settings,
    environ: Mapping[str, str],
    target: ModelTarget | None,
) -> Order:
    chosen = settings.review
    deadline = chosen.deadline_s if wish.deadline_s is None else wish.deadline_s
    return Order(
        rules=_rules(repository, wish.target, chosen.rules) if target is not None else Rules(),
        checks=CheckConfig(disabled=chosen.disable, excluded=chosen.exclude, max_file_bytes=chosen.max_file_kib << 10),
        deadline_s=deadline or None,
        effort=wish.effort,
        bounds=Bounds(most_lines=chosen.max_lines),
        cache=kimicode_cache(environ) / "review",
        model=target.info if target is not None else None,
        silences=tuple(Silence(each.path, each.rule, each.reason) for each in chosen.ignore),
        attributes=repository.attributes([file.path for file in change.files], ATTRIBUTES) if target is not None else {},
        may_show=_Shown(repository.work_tree, environ),
    )


class _Shown:
    """Which files of the repository a model may see: those that tools may read. The answer is looked for when it is first needed."""

    def __init__(self, top: Path, environ: Mapping[str, str]) -> None:
        self._top = top
        self._environ = environ
        self._hidden: tuple[Path, ...] | None = None

    def __call__(self, path: str) -> bool:
        if self._hidden is None:
            home = Path(self._environ.get("HOME") or Path.home())
            self._hidden = hidden_paths(home, self._environ, kimicode_home(self._environ), own=(self._top,))
        return not any((self._top / path).is_relative_to(hidden) for hidden in self._hidden)


def _rules(repository: Repository, target: Target, own: str) -> Rules:
    """The project's rules from the index for one's own change, else from the side that a change starts from: none brings its own."""
    match target:
        case Staged() | Uncommitted():
            side: str | None = ""
        case Base(revision):
            side = repository.merge_base(revision, "HEAD")
        case Commit(revision):
            side = f"{revision}^"
        case _:
            assert_never(target)

    def read(path: str) -> bytes | None:
        if side is None:
            return None
        try:
            return repository.blob(repository.resolve(f"{side}:{path}"))
        except ToolError:
            return None

    return read_rules(read, own=own)
