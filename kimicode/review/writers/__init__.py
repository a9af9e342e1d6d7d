"""A report as text: for people, for programs, for code scanning, for a pull request's page, for reviewdog.

Each writer is a pure function of a report and what blocks. Texts in a report come from outside; whoever prints them makes them harmless
(`kimicode.streams.write_payload` does). What this module does not do: print.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from kimicode.review.report import Gate, Report
from kimicode.review.writers.github import write_github
from kimicode.review.writers.json import write_json
from kimicode.review.writers.rdjson import write_rdjson
from kimicode.review.writers.sarif import write_sarif
from kimicode.review.writers.text import write_text

Format: TypeAlias = Literal["text", "json", "sarif", "github", "rdjson"]

WRITERS: Final[Mapping[Format, Callable[[Report, Gate], str]]] = {
    "text": write_text,
    "json": write_json,
    "sarif": write_sarif,
    "github": write_github,
    "rdjson": write_rdjson,
}
"""Every format and its writer; each ends with a line end, or is empty."""
