"""Asking on a terminal: what is shown can't be mistaken, and only a clear yes is one."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from kimicode.commands.asking import approver_for, diff_lines
from kimicode.sandbox.approval import Answer, Choice, FileText, Question


class Terminal:
    """One end of a pseudo-terminal, which a person types at."""

    def __init__(self) -> None:
        self.hand, self.line = os.openpty()
        self.stdin = open(self.line, encoding="utf-8", closefd=False)  # noqa: SIM115 - closed below

    def close(self) -> None:
        self.stdin.close()
        os.close(self.line)
        os.close(self.hand)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def answer(terminal: Terminal, question: Question, typed: str, *, before: str = "") -> Answer:
    approver = approver_for(terminal.stdin, terminal.stdin)
    assert approver is not None
    os.write(terminal.hand, before.encode())

    async def run() -> Answer:
        asked = asyncio.create_task(approver.ask(question))
        # The question is out, and what was typed before it gone, when it first waits.
        await asyncio.sleep(0)
        os.write(terminal.hand, typed.encode())
        return await asked

    return asyncio.run(run())


QUESTION = Question("shell", "make", "no rule allows it", ("make",))


@pytest.mark.parametrize(
    ("typed", "rule", "expected"),
    [
        ("y\n", "", Answer(Choice.ONCE)),
        ("YES\n", "", Answer(Choice.ONCE)),
        ("s\n", "", Answer(Choice.SESSION)),
        ("a\n", "shell(make)", Answer(Choice.ALWAYS)),
        ("always\n", "shell(make)", Answer(Choice.ALWAYS)),
        ("a\n", "", Answer(Choice.NO, "a")),
        ("n\n", "", Answer(Choice.NO)),
        ("\n", "shell(make)", Answer(Choice.NO, "")),
        ("use ninja\n", "shell(make)", Answer(Choice.NO, "use ninja")),
    ],
)
def test_answers(terminal: Terminal, capsys: pytest.CaptureFixture[str], typed: str, rule: str, expected: Answer) -> None:
    question = Question("shell", "make", "no rule allows it", ("make",), rule=rule)
    assert answer(terminal, question, typed) == expected
    assert ("[a]lways, by the rule shell(make) in your settings" in capsys.readouterr().err) == bool(rule)


def test_what_was_typed_before_is_no_answer(terminal: Terminal) -> None:
    assert answer(terminal, QUESTION, "no\n", before="y\n") == Answer(Choice.NO)


def test_nobody_is_there_without_a_terminal() -> None:
    with open(os.devnull, encoding="utf-8") as nothing:
        assert approver_for(nothing, nothing) is None
    assert approver_for(None, None) is None


def test_the_change_is_shown(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    answer(terminal, Question("edit", "/w/a.py", "asked", files=(FileText("a.py", "x = 1\n", "x = \u202e2\n"),)), "n\n")
    assert "  a.py (changed)\n  @@ -1,2 +1,2 @@\n  -x = 1\n  +x = ⟨U+202E⟩2\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "lines"),
    [
        (FileText("a", None, "x\n\ty"), ["  a (new file)", "  +x", "  +␉y"]),
        (FileText("a", "x\n\n", None), ["  a (deleted)", "  -x", "  -"]),
        (FileText("a", None, ""), ["  a (new file)"]),
        (FileText("a", None, None, "not text"), ["  a (not text)"]),
        (FileText("b", "x", "y", "moved from a"), ["  b (changed; moved from a)", "  @@ -1,1 +1,1 @@", "  -x", "  +y"]),
        (FileText("a\x1b", "", "\x1b[2J"), ["  a␛ (changed)", "  @@ -1,1 +1,1 @@", "  -", "  +␛[2J"]),
        (FileText("a", None, "… 3 more lines"), ["  a (new file)", "  +⟨U+2026⟩ 3 more lines"]),
    ],
)
def test_diffs(file: FileText, lines: list[str]) -> None:
    assert list(diff_lines(file)) == lines


def test_long_changes_are_cut_and_it_is_said() -> None:
    lines = list(diff_lines(FileText("a", None, "\n".join(["x" * 500] * 100))))
    assert lines[1] == f"  +{'x' * 200}…"
    assert lines[-1] == "  … 40 more lines"
    assert len(lines) == 62
    assert list(diff_lines(FileText("a", "\n".join("a" * 100), "\n".join("b" * 100))))[-1].startswith("  … ")
