"""No command that does more than its shown parts is ever allowed: random ones are judged, and those allowed are run for real."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.sandbox.commands.analysis import analyse
from kimicode.sandbox.grants import Grants
from kimicode.sandbox.policy import Permission
from kimicode.sandbox.rules import Decision, Rules
from kimicode.sandbox.verdict import Situation, judge_command
from tests.sandbox.commands.executed import Stubs, shown
from tests.sandbox.commands.generated import Generator

CONTAINED = Situation(Permission.WORKSPACE, contained=True, workspace="/ws")
COMMANDS = 3000


def test_what_runs_was_shown(tmp_path: Path) -> None:
    stubs = Stubs(tmp_path)
    generator = Generator(20251)
    allowed = ran = 0
    for _ in range(COMMANDS):
        command = generator.command()
        analysis = analyse(command)
        if judge_command(analysis, Rules(), Grants(), CONTAINED).decision is not Decision.ALLOW:
            continue
        allowed += 1
        for executed in stubs.run(command):
            ran += 1
            assert shown(executed, analysis), f"{command!r} ran {executed}"
    # Else nothing has been shown by this test.
    assert allowed > COMMANDS / 4
    assert ran > allowed


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from([*"ab$(){}[]<>|&;#'\"`\\=~*?! \n\t0", "if ", "fi", "do ", "<<E", "$((", "${", "é", "\u202e", "\ud800"]), max_size=60
    ).map("".join)
)
def test_any_text_is_read(text: str) -> None:
    analysis = analyse(text)
    assert analysis.text == text
    assert all(
        part.source in text or part.kind in ("script", "assignment") or analysis.unknown or "eval" in text for part in analysis.parts
    )


@pytest.mark.parametrize(
    "text",
    [
        "${a:-" * 3000,
        "$((" * 5000,
        "(" * 10000,
        "`" * 9999,
        "$(" * 8000,
        "{ " * 9000,
        "[" * 20000,
        "{a,b}" * 4000,
        "if " * 6000,
        "! " * 9000,
        "'" * 19999,
        "a=(" * 5000,
        "bash -c " * 2000,
        "eval " * 3000,
        "env " * 4000,
        "x;" * 9999,
        "<<E\n" * 4000,
        "cat <<E\n" + "`a`" * 6000 + "\nE",
    ],
    ids=lambda text: text[:8],
)
def test_large_and_deep_texts_end_soon_and_are_not_allowed(text: str) -> None:
    begun = time.process_time()
    analysis = analyse(text)
    assert time.process_time() - begun < 3
    assert judge_command(analysis, Rules(), Grants(), CONTAINED).decision is not Decision.ALLOW


def test_too_long_and_too_many() -> None:
    assert analyse("echo " + "x" * 20_000).unknown[0].reason == "it is longer than 20000 bytes"
    assert "50 parts" in analyse("; ".join(["ls"] * 51)).unknown[0].reason
    assert analyse("; ".join(["ls"] * 50)).unknown == ()
