"""Allowed for the session is what was shown, and nothing like it; and the questions that lead there."""

import pytest

from kimicode.sandbox.approval import Answer, Choice, Question
from kimicode.sandbox.commands.analysis import analyse
from kimicode.sandbox.grants import Grants
from kimicode.sandbox.policy import Permission
from kimicode.sandbox.rules import Decision, Rules, Where
from kimicode.sandbox.verdict import Situation, judge_command, judge_path

OPEN = Situation(Permission.WORKSPACE, contained=False, workspace="/ws")


def decision(command: str, grants: Grants) -> Decision:
    return judge_command(analyse(command), Rules(), grants, OPEN).decision


@pytest.mark.parametrize(
    ("shown", "same", "others"),
    [
        (
            "npm test",
            ["npm test", "npm test; ls", "ls && npm test", "npm test && npm test"],
            [
                "npm",
                "npm test x",
                "npm  run",
                "cd x && npm test",
                "npm test | sh",
                "npm test > a",
                "X=1 npm test",
                "npm test &",
                "(npm test)",
                "npm test; rm x",
                "npm() { rm x; }; npm test",
            ],
        ),
        ("make && npm test", ["make && npm test", "make", "npm test; make"], ["make x", "make | cat"]),
        ("cd /tmp && rm -rf x", ["cd /tmp && rm -rf x"], ["rm -rf x", "cd / && rm -rf x", "cd /tmp; rm -rf x"]),
        ("cat a | sh", ["cat a | sh"], ["sh", "cat b | sh", "cat a|sh"]),
        ("$x a", ["$x a"], ["$x", "$x b"]),
        ("bash -c 'rm x'", ["bash -c 'rm x'"], ["bash -c 'rm y'"]),
    ],
)
def test_a_grant_is_for_what_was_shown(shown: str, same: list[str], others: list[str]) -> None:
    grants = Grants().with_command(analyse(shown))
    for command in same:
        assert decision(command, grants) is Decision.ALLOW, command
    for command in others:
        assert decision(command, grants) is Decision.ASK, command


def test_a_grant_for_a_path_is_for_that_path() -> None:
    grants = Grants().with_read("/etc/hosts").with_write("/etc/motd")

    def judged(path: str, access: str) -> Decision:
        which = "read" if access == "read" else "write"
        where = Where("/ws", "/home/me")
        return judge_path(path, Rules(), grants, access=which, permission=Permission.WORKSPACE, inside=False, where=where).decision

    assert judged("/etc/hosts", "read") is Decision.ALLOW
    assert judged("/etc/hosts", "write") is Decision.ASK
    assert judged("/etc/motd", "read") is Decision.ALLOW
    assert judged("/etc/motd", "write") is Decision.ALLOW
    assert judged("/etc/hosts2", "read") is Decision.ASK
    assert judged("/etc", "read") is Decision.ASK


def test_grants_are_values() -> None:
    empty = Grants()
    empty.with_command(analyse("npm test"))
    assert decision("npm test", empty) is Decision.ASK


def test_a_question_shows_what_would_run() -> None:
    question = Question("shell", "ls \u202ex\x1b[2K", "it is unknown", parts=("ls \u202ex",))
    assert "\u202e" not in question.text() + "".join(question.part_texts())
    assert "\x1b" not in question.text()
    assert "202E" in question.text()


def test_what_nobody_said_is_a_no() -> None:
    assert Answer().choice is Choice.NO
