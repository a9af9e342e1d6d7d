"""The table of verdicts, row by row, and each row with one more command."""

import random

import pytest

from kimicode.sandbox.commands.analysis import analyse, simple_commands
from kimicode.sandbox.grants import Grants
from kimicode.sandbox.policy import Permission
from kimicode.sandbox.rules import Decision, Rules, parse_rules
from kimicode.sandbox.verdict import Situation, judge_command
from tests.sandbox.commands.table import Row, rows

SITUATIONS = (
    Situation(Permission.WORKSPACE, contained=False, workspace="/ws"),
    Situation(Permission.WORKSPACE, contained=True, workspace="/ws"),
    Situation(Permission.READ_ONLY, contained=True, workspace="/ws"),
)
SIGNS = {Decision.ALLOW: "A", Decision.ASK: "?", Decision.DENY: "D"}
ROWS = rows()


def verdicts(command: str, rules: Rules = Rules()) -> str:  # noqa: B008 - a constant value
    analysis = analyse(command)
    return "".join(SIGNS[judge_command(analysis, rules, Grants(), situation).decision] for situation in SITUATIONS)


def test_the_table_is_large() -> None:
    assert len(ROWS) >= 300
    assert {row.expected for row in ROWS} == {"AAA", "?AD", "??D", "?AA"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: repr(row.command)[:60])
def test_verdict(row: Row) -> None:
    assert verdicts(row.command) == row.expected


@pytest.mark.parametrize("row", [row for row in ROWS if row.expected[0] == "?"], ids=lambda row: repr(row.command)[:60])
def test_full_permission_asks_only_for_rules_sake(row: Row) -> None:
    full = Situation(Permission.FULL, contained=False)
    analysis = analyse(row.command)
    assert judge_command(analysis, Rules(), Grants(), full).decision is Decision.ALLOW
    with_rules = judge_command(analysis, parse_rules({"deny": ["shell(kcdenied *)"]}, "t"), Grants(), full)
    assert (with_rules.decision is Decision.ASK) == bool(analysis.unknown)


INSERTED = "kcinserted x"
SEPARATORS = [
    "; {}; ",
    "\n{}\n",
    " && {} && ",
    " || {} ; ",
    " | {} | ",
    " & {} & ",
    " $({}) ",
    ' "$({})" ',
    " `{}` ",
    " <({}) ",
    " >({}) ",
    "$({})",
    "`{}`",
    " ${{x:-$({})}} ",
    ";{};",
    "&{}&",
    "\r{}\r",
    " |& {} |& ",
]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_another_command_never_goes_unseen(separator: str) -> None:
    """By any separator, at any place of any row: it is shown, and then not allowed unasked, or it is text (in quotes, in a comment)."""
    chance = random.Random(5)
    deny = parse_rules({"deny": ["shell(kcinserted *)"]}, "t")
    seen = 0
    for row in ROWS:
        for _ in range(2):
            at = chance.randint(0, len(row.command))
            command = row.command[:at] + separator.format(INSERTED) + row.command[at:]
            analysis = analyse(command)
            shown = any(part.argv[:1] == ("kcinserted",) for part in simple_commands(analysis))
            seen += shown
            if shown:
                assert verdicts(command)[0] != "A", command
                assert verdicts(command)[2] == "D", command
                assert verdicts(command, deny) == "DDD", command
            elif verdicts(command)[1] == "A":
                # Text within a part that is shown, or a comment, or a word that a loop goes over.
                other = "#" in command or any(part.kind == "loop" for part in analysis.parts)
                assert other or any("kcinserted" in part.source for part in analysis.parts), command
    assert seen > 50 or "\r" in separator
