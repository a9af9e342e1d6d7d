"""Reviewing a change: instant checks, one bounded look by a model, findings in five formats, and the git hook."""
