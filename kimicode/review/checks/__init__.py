"""Instant checks of a change, without a model: what can be told for sure, and at once, from what was added.

Every check looks at added lines only: what stood there before, or was only moved, is silent. What this package does not do: judge meaning,
run anything, or touch a file.
"""

from kimicode.review.checks.config import CheckConfig
from kimicode.review.checks.rule import Rule
from kimicode.review.checks.run import RULES, run_checks

__all__ = ["RULES", "CheckConfig", "Rule", "run_checks"]
