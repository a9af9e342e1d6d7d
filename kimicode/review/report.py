"""A finished review: findings, what was not done, and whether it blocks. What every writer, the hook and CI read.

What this module does not do: review (`run`), or write (`writers`).
"""

from typing import Literal, TypeAlias

import msgspec

from kimicode.review.finding import Finding, Severity

Undone: TypeAlias = Literal["deadline", "no model", "model failed", "too large", "skipped", "merge", "unreadable", "answer unusable"]
"""Why a part of the change was not reviewed: the time was over; no model was wanted or is there; it failed; the part is larger than what is
reviewed; it is of a kind that never is (lock files, generated, vendored, binary); a merge is being concluded; git can't read it; the
model's answer broke its contract."""


class Omission(msgspec.Struct, frozen=True):
    """What was not reviewed by the model, and why. `paths` are the files, () for all; `detail` is one sentence for people."""

    why: Undone
    paths: tuple[str, ...]
    detail: str


class Suppressed(msgspec.Struct, frozen=True):
    """A finding that a comment or the settings silence. `reason` is theirs."""

    finding: Finding
    reason: str


class Figures(msgspec.Struct, frozen=True):
    """What the review cost. Tokens and calls are of this run; `cached` counts file groups that were answered from the cache."""

    files: int = 0
    added_lines: int = 0
    checks_ms: float = 0.0
    total_ms: float = 0.0
    calls: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Report(msgspec.Struct, frozen=True):
    """The outcome. `findings` are sorted: the worst first, then by path and line. `model` is "" where none was asked.

    `refuted` counts what the model found and could not hold.
    """

    described: str
    change: str
    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...] = ()
    omissions: tuple[Omission, ...] = ()
    refuted: int = 0
    model: str = ""
    figures: Figures = Figures()

    def blocking(self, gate: "Gate") -> tuple[Finding, ...]:
        """The findings that block: severe enough, sure enough."""
        return tuple(each for each in self.findings if gate.blocks(each))

    @property
    def incomplete(self) -> tuple[Omission, ...]:
        """What should have been reviewed and was not; what is never reviewed does not count."""
        return tuple(each for each in self.omissions if each.why not in ("no model", "skipped", "merge"))


class Gate(msgspec.Struct, frozen=True):
    """What blocks. `fail_on` None: nothing does. `confidence` binds the model's findings; checks are sure. `strict`: a review that is
    incomplete blocks as well."""

    fail_on: Severity | None = Severity.HIGH
    confidence: float = 0.7
    strict: bool = False

    def blocks(self, finding: Finding) -> bool:
        """True where this finding by itself stops the commit."""
        if self.fail_on is None or finding.severity < self.fail_on:
            return False
        return finding.source == "check" or (finding.verified and finding.confidence >= self.confidence)


def ordered(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The worst first, then by place; the same finding twice is one."""
    unique = {(each.fingerprint, each.line): each for each in findings}
    return tuple(sorted(unique.values(), key=lambda each: (-each.severity, each.path, each.line, each.rule)))
