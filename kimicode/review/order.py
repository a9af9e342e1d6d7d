"""How a review is to be done, as data. The defaults are those of a hook: quick, bounded, without thinking.

What this module does not do: say what blocks (`report.Gate`), or how a report is written.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from kimicode.model.client import ModelInfo
from kimicode.review.checks import CheckConfig
from kimicode.review.rules import Rules

Effort: TypeAlias = Literal["low", "medium", "high"]
"""Whether the model thinks before it answers: never; while it refutes; always."""


class Silence(msgspec.Struct, frozen=True):
    """Findings of `rule`, a whole group or one rule, in files that fit `glob` (as .gitignore reads patterns) are silenced for `reason`."""

    glob: str
    rule: str
    reason: str


class Bounds(msgspec.Struct, frozen=True):
    """What a review may cost. `group_lines`: changed lines of one call; `group_bytes`: what is shown in one; `most_lines`: changed lines
    that the model sees in all; `content_bytes`: larger files are shown without the code around; `at_once`: calls side by side."""

    group_lines: int = 400
    group_bytes: int = 64_000
    most_lines: int = 2_000
    content_bytes: int = 2 << 20
    at_once: int = 4


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One review to be done.

    `deadline_s` is for all of it, None for no limit. `cache` is the folder for answers, None for none. `model`: whose cached answers count
    where no client is given. `attributes` are git's, by path, as `Repository.attributes` gives them: `linguist-generated` and
    `linguist-vendored` keep a file from the model. `may_show` is False for paths that a model must not see.
    """

    rules: Rules = Rules()
    checks: CheckConfig = CheckConfig()
    deadline_s: float | None = 20.0
    effort: Effort = "low"
    bounds: Bounds = Bounds()
    cache: Path | None = None
    model: ModelInfo | None = None
    silences: tuple[Silence, ...] = ()
    attributes: Mapping[str, Mapping[str, str]] = {}
    may_show: Callable[[str], bool] = lambda _path: True
