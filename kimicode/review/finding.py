"""Findings: what is wrong, where, how bad, how sure, why it would fail. The one form that checks and reviewer make and all writers read.

What this module does not do: find anything, or decide what blocks (`report`).
"""

import enum
import hashlib
from typing import Literal, TypeAlias

import msgspec

Category: TypeAlias = Literal[
    "security", "correctness", "concurrency", "resources", "performance", "compatibility", "tests", "maintainability", "hygiene"
]  # fmt: skip

Source: TypeAlias = Literal["check", "model"]


class Severity(enum.IntEnum):
    """How bad it is if it is true; ordered."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """As people and all formats write it: `low`, `medium`, `high`, `critical`."""
        return self.name.lower()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. Lines count from 1 in the new file and lie on changed lines (for what was only deleted: the line that now stands there).

    `rule` is stable and spelled `group/name`: `secret/aws-access-key`, `conflict/marker`, `model/correctness`. `title` is one line, at most
    100 characters. `scenario` says concretely when and how it fails; `suggestion` what to do; `replacement`, where not None, the exact text
    for the lines `line` to `end_line`. `quote` is the code it is about, as in the file; never a secret itself. `confidence` from 0 to 1.
    `verified`: an attempt to refute it failed, or it is a check's, which needs none.
    """

    rule: str
    path: str
    line: int
    end_line: int
    severity: Severity
    confidence: float
    category: Category
    title: str
    scenario: str
    suggestion: str = ""
    replacement: str | None = None
    quote: str = ""
    source: Source = "check"
    verified: bool = True

    @property
    def fingerprint(self) -> str:
        """The same while rule, path and quoted code are the same, wherever the lines move to: 32 hex digits."""
        code = " ".join(self.quote.split()) or f"line {self.line}"
        return hashlib.sha256(f"{self.rule}\0{self.path}\0{code}".encode("utf-8", "replace")).hexdigest()[:32]
