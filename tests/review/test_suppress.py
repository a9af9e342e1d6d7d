"""Comments and settings that silence findings, and comments that do nothing."""

import msgspec
import pytest

from kimicode.errors import ToolError
from kimicode.review.finding import Finding
from kimicode.review.order import Silence
from kimicode.review.suppress import Silenced, directives, fits, silence
from tests.review.making import Made
from tests.review.reports import NOTE, OFF_BY_ONE, SECRET

KNOWN = frozenset({"secret/aws-access-key", "debug/print"})
PATH = "src/a.py"


def at(finding: Finding, line: int, end: int = 0) -> Finding:
    return msgspec.structs.replace(finding, path=PATH, line=line, end_line=end or line)


def silenced(text: str, *findings: Finding, silences: tuple[Silence, ...] = (), old: str = "") -> Silenced:
    made = Made({PATH: old}, {PATH: text})
    return silence(findings, made.change.files, made.new, silences, known=KNOWN)


def reasons(outcome: Silenced) -> list[str]:
    assert outcome.findings == ()
    return [each.reason for each in outcome.suppressed]


@pytest.mark.parametrize(
    "text",
    [
        "x = 1  # kimicode: ignore[secret] shown in docs\n",
        "x = 1; // kimicode:ignore[ secret/aws-access-key ] - shown in docs\n",
        "x = 1 /* kimicode: ignore[debug, secret]: shown in docs */\n",
        "<p>x</p> <!-- kimicode: ignore[secret] shown in docs -->\n",
        "x = 1 -- kimicode: ignore[secret] shown in docs\n",
        "x = 1 # noqa kimicode: IGNORE[secret] shown in docs\n",
    ],
)
def test_a_comment_on_the_line_silences_with_its_reason(text: str):
    assert reasons(silenced(text, at(SECRET, 1))) == ["shown in docs"]


def test_a_comment_above_means_the_next_line_and_several_may_stand_together():
    text = "# kimicode: ignore[secret] one reason\n# kimicode: ignore[debug/print] another reason\nx = 1\ny = 2\n"
    outcome = silenced(text, at(SECRET, 3), at(NOTE, 3), at(SECRET, 4))
    assert [each.reason for each in outcome.suppressed] == ["one reason", "another reason"]
    assert outcome.findings == (at(SECRET, 4),)


@pytest.mark.parametrize("code", ["#define X 1", "'use strict';", "*p = 1;", "--n;", "!f();", "%x = 1"])
def test_code_that_begins_like_a_comment_is_code(code: str):
    outcome = silenced(f"{code} // kimicode: ignore[secret] a reason\ny = 2\n", at(SECRET, 1), at(SECRET, 2))
    assert outcome.findings == (at(SECRET, 2),)


@pytest.mark.parametrize("sign", ["#", "//", "/*", " *", "--", "<!--", ";;", "%", "{#", "'", "REM", '"', "!"])
def test_the_signs_of_many_languages_begin_a_comment(sign: str):
    assert reasons(silenced(f"{sign} kimicode: ignore[secret] a reason\ny = 2\n", at(SECRET, 2))) == ["a reason"]


def test_a_note_about_a_comment_does_not_say_the_secret_beside_it():
    (note,) = silenced('KEY = "hunter2"  # kimicode: ignore[secret]\n').findings
    assert note.quote == "kimicode: ignore[secret]"


def test_a_comment_behind_code_does_not_mean_the_next_line():
    outcome = silenced("x = 1  # kimicode: ignore[secret] a reason\ny = 2\n", at(SECRET, 1), at(SECRET, 2))
    assert outcome.findings == (at(SECRET, 2),)


def test_a_comment_within_the_lines_of_a_finding_counts():
    assert reasons(silenced("a\nb  # kimicode: ignore[model] on purpose\nc\n", at(OFF_BY_ONE, 1, 3))) == ["on purpose"]


def test_a_whole_file_is_silenced_from_its_head_alone():
    text = "# kimicode: ignore-file[secret] made-up keys\n" + "x\n" * 30
    assert reasons(silenced(text, at(SECRET, 20))) == ["made-up keys"]
    late = "x\n" * 20 + "# kimicode: ignore-file[secret] made-up keys\n"
    assert silenced(late, at(SECRET, 3)).suppressed == ()


def test_without_a_reason_nothing_is_silenced_and_it_is_said():
    for reason in ("", " ", " !!", " -->", " ok"):
        outcome = silenced(f"x = 1  # kimicode: ignore[secret]{reason}\n", at(SECRET, 1))
        assert [each.rule for each in outcome.findings] == [SECRET.rule, "suppression/no-reason"]


def test_unknown_rules_are_said():
    outcome = silenced("x = 1  # kimicode: ignore[sekret] a reason\n", at(SECRET, 1))
    assert [each.rule for each in outcome.findings] == [SECRET.rule, "suppression/unknown-rule"]
    assert "sekret" in outcome.findings[1].title
    assert [each.rule for each in silenced("x  # kimicode: ignore[] a reason\n").findings] == ["suppression/unknown-rule"]


def test_comments_that_silence_nothing_are_said_but_not_those_for_a_model():
    text = "x = 1  # kimicode: ignore[debug] a reason\ny  # kimicode: ignore[model/security] a reason\nz  # kimicode: ignore[*] a reason\n"
    assert [(each.rule, each.line) for each in silenced(text).findings] == [("suppression/unused", 1)]


def test_old_comments_are_not_talked_about():
    old = "x  # kimicode: ignore[debug] a reason\ny  # kimicode: ignore[nothing]\n"
    assert silenced(old + "z\n", old=old).findings == ()


def test_a_star_is_every_rule_but_secrets():
    outcome = silenced("x  # kimicode: ignore[*] a reason\n", at(SECRET, 1), at(NOTE, 1), at(OFF_BY_ONE, 1))
    assert outcome.findings == (at(SECRET, 1),)
    assert (fits("*", "secret/x"), fits("secret", "secret/x"), fits("secret/y", "secret/x"), fits("*", "debug/x")) == (
        False,
        True,
        False,
        True,
    )


def test_text_without_a_comments_sign_is_none():
    assert directives(b"kimicode: ignore[secret] a reason\n") == ()


def test_settings_silence_by_path_and_rule():
    wide = Silence("src/", "secret", "made up")
    assert reasons(silenced("x\n", at(SECRET, 1), silences=(wide,))) == ["made up"]
    assert silenced("x\n", at(SECRET, 1), silences=(Silence("tests/", "secret", "no"), Silence("src/", "debug", "no"))).suppressed == ()


def test_a_pattern_that_is_none_is_an_error():
    with pytest.raises(ToolError):
        silenced("x\n", silences=(Silence("x" * 5_000, "secret", "no"),))


def test_files_that_are_no_utf_8_or_cant_be_read_are_fine():
    made = Made({}, {PATH: "\udcff  # kimicode: ignore[secret] a reason\n"})
    assert len(silence([at(SECRET, 1)], made.change.files, made.new).suppressed) == 1
    assert silence([at(SECRET, 1)], made.change.files, lambda _file: None).findings == (at(SECRET, 1),)
