"""The page docs/review-checks.md, made from the rules themselves: `python -m kimicode.review.checks.page` prints it, a test compares it.

What this module does not do: write files.
"""

import sys
from itertools import groupby
from typing import Final

from kimicode.review.checks.rule import Rule
from kimicode.review.checks.run import RULES
from kimicode.streams import write_payload

_HEAD: Final = """\
# Instant checks

<!-- Made by `python -m kimicode.review.checks.page` from the rules; don't edit. -->

What `kimicode review` finds without a model, from what a change adds: what stood there before, or was only moved, is silent. A finding
names its rule; `high` and `critical` ones stop a commit unless `--fail-on` says otherwise.

Where many of these are made up on purpose (tests, fixtures, examples, documentation, other people's code) most rules are silent;
secrets of a known format are reported there too if they look real. A secret is never shown: its line is quoted with the secret masked.

To silence one finding, say why beside it, in a comment on its line or the line above: `kimicode: ignore[secret/jwt] a token of the test
server`. A group (`debug`) or one rule can be switched off in the settings, and files can be left out by pattern.
"""
_GROUPS: Final = {
    "conflict": ("Merge conflicts", ""),
    "secret": (
        "Secrets",
        "Keys and tokens by the formats that their issuers document, checksums included where there are any; private keys; addresses with\n"
        "passwords; values that look drawn at random under a name that tells.",
    ),
    "file": ("Files", ""),
    "syntax": (
        "Syntax",
        "A new file is judged in Python, JavaScript, TypeScript, Go, Rust, Java, JSON and TOML; a changed one also in C, C++, C#, Ruby,\n"
        "PHP, shell, Lua and YAML, if it could be read before. Templates, declarations (.d.ts) and other people's code are not judged.",
    ),
    "hidden": ("Hidden text", ""),
    "debug": ("Left over from debugging", ""),
    "lock": ("Lock files", ""),
}


def page() -> str:
    """The whole page."""
    groups = groupby(sorted(RULES, key=_order), key=lambda rule: rule.id.partition("/")[0])
    return "\n".join([_HEAD, *(_group(name, list(rules)) for name, rules in groups)])


def _order(rule: Rule) -> tuple[int, str]:
    return list(_GROUPS).index(rule.id.partition("/")[0]), rule.id


def _group(name: str, rules: list[Rule]) -> str:
    title, words = _GROUPS[name]
    rows = [
        f"| `{rule.id}` | {rule.severity.word} | {_cell(rule.title)} | {_cell(f'`{rule.example}`')} | {_cell(rule.scenario)} |"
        for rule in rules
    ]
    if name == "secret":
        # Of the formats only the name and the beginning differ.
        own = ("secret/private-key", "secret/url-password", "secret/assigned-value", "secret/file")
        rows = [row if rule.id in own else row.rpartition("| W")[0] + "| |" for row, rule in zip(rows, rules, strict=True)]
    head = ["| rule | severity | what | example | why |", "|---|---|---|---|---|"]
    return "\n".join([f"## {title}", *([words] if words else []), "", *head, *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "&#124;")


if __name__ == "__main__":
    write_payload(sys.stdout, page())
