"""Rules of instant checks as values: what each is called, how bad it is, what it says and advises. Findings are made from them.

What this module does not do: look at a change.
"""

import msgspec

from kimicode.review.finding import Category, Finding, Severity

MAX_QUOTE: int = 200
"""Characters of a line that a finding quotes."""

_MAX_TITLE = 100


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. `id` is spelled `group/name` and never changes its meaning; `example` shows in docs what is found, never a real secret."""

    id: str
    severity: Severity
    category: Category
    title: str
    scenario: str
    suggestion: str
    example: str = ""
    confidence: float = 1.0

    def at(
        self,
        path: str,
        line: int,
        *,
        end_line: int | None = None,
        quote: str = "",
        title: str = "",
        scenario: str = "",
        severity: Severity | None = None,
        confidence: float | None = None,
    ) -> Finding:
        """The finding of this rule at `line` (from 1) of `path`; what is given replaces the rule's own words and weights."""
        return Finding(
            rule=self.id,
            path=path,
            line=line,
            end_line=line if end_line is None else end_line,
            severity=self.severity if severity is None else severity,
            confidence=self.confidence if confidence is None else confidence,
            category=self.category,
            title=shortened(title or self.title, _MAX_TITLE),
            scenario=scenario or self.scenario,
            suggestion=self.suggestion,
            quote=shortened(quote, MAX_QUOTE),
        )


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, the last one `…` where some are missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
