"""The page docs/attacks.md, made from the catalogue: `python -m tests.security.table` writes it, `test_table` checks it."""

from itertools import groupby
from pathlib import Path
from typing import Final

from kimicode.sandbox.boundary import Tier
from tests.security.attacks import ATTACKS
from tests.security.case import Attack
from tests.security.cases import CASES

PAGE: Final = Path(__file__).parents[2] / "docs" / "attacks.md"

_HEAD = """\
# Attacks

<!-- Made by `python -m tests.security.table` from the attack suite; don't edit. -->

What the sandbox is tested against, and what came of it. Each attack below is run by `pytest tests/security` through the product's own
`run_command` and file tools, as an unprivileged user, in each tier. What counts is the state outside afterwards: bytes, modes,
connections that a server got, processes that are left; never an exit code. Each has a positive control: in the same command something
allowed works, and without a sandbox the attack does its harm (third table).

- **held**: no harm was done.
- **gap**: harm that this tier can't prevent; the reason is given. The tests expect it, so that a change is noticed.
- **allowed**: it is meant to work.
- **open**: nothing holds it: without a sandbox and with full permission the attack works.
"""
_TITLES: Final = {
    Tier.BUBBLEWRAP: ("Tier 1: bubblewrap", "Own namespaces, with Landlock and seccomp inside."),
    Tier.LANDLOCK: ("Tier 2: Landlock and seccomp", "Where namespaces are not to be had. Protected paths are put back after each command."),
    Tier.NONE: ("No sandbox", "Only on request, with full permission: what the attacks do where nothing holds them."),
}


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, _summary(), *(_table(tier) for tier in _TITLES), _elsewhere()])


def _summary() -> str:
    words = ("held", "gap", "allowed", "open")
    rows = [[sum(attack.expected[tier] == word for attack in ATTACKS) for word in words] for tier in _TITLES]
    lines = [f"| {_TITLES[tier][0]} | {' | '.join(map(str, row))} |" for tier, row in zip(_TITLES, rows, strict=True)]
    run = len({attack.case for attack in ATTACKS})
    head = f"{len(ATTACKS)} attacks of {run} cases are run in each tier; the other cases are tests elsewhere.\n"
    return "\n".join([head, "| | held | gap | allowed | open |", "|---|---|---|---|---|", *lines, ""])


def _table(tier: Tier) -> str:
    title, words = _TITLES[tier]
    lines = [f"## {title}", "", words, "", "| case | attack | result |", "|---|---|---|"]
    for number, attacks in groupby(ATTACKS, key=lambda attack: attack.case):
        lines += [f"| {number} {CASES[number].title} | {_cell(attack.title)} | {_result(attack, tier)} |" for attack in attacks]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "&#124;")


def _result(attack: Attack, tier: Tier) -> str:
    word = attack.expected[tier]
    said = word if word == "held" else f"**{word}**"
    tells = attack.why and (word in ("gap", "allowed") or (tier is Tier.LANDLOCK and word == "held" and attack.put_back))
    return f"{said}: {attack.why}" if tells else said


def _elsewhere() -> str:
    lines = ["## Cases with tests in other rooms", "", "| case | tests |", "|---|---|"]
    for number, case in CASES.items():
        if case.elsewhere:
            lines.append(f"| {number} {case.title} | {', '.join(f'`{each}`' for each in case.elsewhere)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
