"""Where a finding lies, what it must quote, and what refutes it."""

import msgspec
import pytest

from kimicode.errors import ContractError
from kimicode.review.answer import FINDINGS, VERDICTS, Findings, Said, Verdict, Verdicts, read_answer
from kimicode.review.blocks import USUAL
from kimicode.review.finding import Finding, Severity
from kimicode.review.refute import judge, listed
from kimicode.review.settle import settle
from kimicode.review.view import Piece, View, view
from tests.review.making import Made, defect, found

OLD = "import os\n\n\ndef read(path):\n    if not path:\n        return None\n    with open(path) as file:\n        return file.read()\n"
NEW = "import os\n\n\ndef read(path):\n    # never empty\n    file = open(path)\n    return file.read()\n\n\n\n\n\ndef last():\n    pass\n"


def views(old: str = OLD, new: str = NEW, path: str = "src/a.py") -> tuple[View, ...]:
    made = Made({path: old}, {path: new})
    return tuple(view(Piece(file, file.hunks), made.new(file), USUAL) for file in made.change.files)


def said(line: int, quote: str, **more: object) -> Said:
    return msgspec.convert(defect(line, quote, **more), Said)


def settled(*all_said: Said, shown: tuple[View, ...] = views()) -> list[tuple[int, int]]:
    return [(each.line, each.end_line) for each in settle(all_said, shown)[0]]


def test_lines_are_kept_where_they_are_changed_lines():
    assert settled(said(6, "file = open(path)")) == [(6, 6)]


def test_lines_near_a_changed_one_are_moved_there_and_others_are_dropped():
    text = "a = 1\n" * 20
    shown = views(text, text + "b = 2\n")
    assert settled(said(19, "a = 1"), said(12, "a = 1"), shown=shown) == [(21, 21)]
    assert settle([said(12, "a = 1")], shown)[1] == 1


def test_a_copied_line_is_surer_than_a_counted_one():
    assert settled(said(1, "file = open(path)")) == [(6, 6)]


def test_a_range_is_cut_to_what_changed():
    assert settled(said(4, "file = open(path)", end_line=14)) == [(5, 14)]


def test_what_was_removed_can_be_quoted():
    assert settled(said(5, "if not path:\n        return None")) == [(5, 5)]


@pytest.mark.parametrize("quote", ["", "x", "file = open(path, 'rb')", "…"])
def test_who_does_not_quote_the_code_is_not_believed(quote: str):
    assert settled(said(6, quote)) == []


@pytest.mark.parametrize(
    "quote", ["  file=open( path )", "     6 +     file = open(path)", "+    file = open(path)\n+    return file.read()", "open(path)"]
)
def test_spaces_and_a_copied_gutter_do_not_matter(quote: str):
    assert settled(said(6, quote)) == [(6, 6)]


@pytest.mark.parametrize("path", ["src/a.py", "a.py", "`src/a.py`", "whatever"])
def test_the_path_may_be_sloppy_where_it_is_clear(path: str):
    assert settled(said(6, "open(path)", path=path)) == [(6, 6)]


def test_a_path_that_is_not_clear_is_none():
    both = (*views(), *views(path="b.py"))
    assert settled(said(6, "open(path)", path="whatever"), shown=both) == []


def test_words_are_bounded_and_odd_values_are_brought_into_range():
    (finding,), dropped = settle([said(6, "open(path)", title="a\n" * 90, confidence=7, category="odd", severity=" HIGH ")], views())
    assert (finding.confidence, finding.category, finding.severity, dropped) == (1.0, "correctness", Severity.HIGH, 0)
    assert len(finding.title) == 100


def test_findings_without_severity_title_or_scenario_are_dropped():
    bad = [said(6, "open(path)", severity="awful"), said(6, "open(path)", title=" "), said(6, "open(path)", scenario="")]
    assert settle(bad, views()) == ((), 3)


def test_a_replacement_stays_where_the_lines_are_the_meant_ones():
    (exact,), _ = settle([said(6, "open(path)", replacement="    with open(path) as file:")], views())
    (off,), _ = settle([said(4, "open(path)", end_line=14, replacement="x")], views())
    assert (exact.replacement, off.replacement) == ("    with open(path) as file:", None)


def one(severity: str = "high", quote: str = "open(path)") -> Finding:
    return settle([said(6, quote, severity=severity)], views())[0][0]


def falls(quote: str, severity: str = "high") -> bool:
    return judge([one(severity)], [Verdict(1, "refuted", quote)], views()) == ((), 1)


def test_only_code_that_was_shown_refutes():
    assert falls("return file.read()")
    assert not falls("with closing(file):")
    assert not falls("")
    assert not falls("pass")


def test_comments_refute_nothing():
    assert not falls("# never empty")


def test_a_critical_finding_falls_only_for_whole_lines():
    assert falls("return file.read()", "critical")
    assert not falls("file.read()", "critical")
    assert falls("file.read()")


def test_each_finding_has_its_own_verdict():
    findings = [one(), one("low", "return file.read()"), one("medium")]
    kept, fallen = judge(findings, [Verdict(1, "stands"), Verdict(2, "unsure"), Verdict(7, "refuted", "def read(path):")], views())
    assert ([each.verified for each in kept], fallen) == ([True, False, False], 0)
    assert [each.confidence for each in kept] == [0.9, 0.45, 0.45]


def test_findings_are_listed_so_that_none_can_end_the_list():
    text = listed([msgspec.structs.replace(one(), quote="a\n</findings>\nb", scenario="x\n</findings>")])
    assert not any(line.startswith("</findings>") for line in text.split("\n"))


def test_answers_are_read_from_what_stands_around_them():
    assert len(read_answer(f"Here:\n```json\n{found(defect(1, 'a'))}\n```\nDone.", Findings).findings) == 1
    assert read_answer('{"verdicts": []}', Verdicts).verdicts == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"findings": [{"path": "a"}]}', '{"verdicts": []}', "{" * 5_000])
def test_other_answers_are_unusable(text: str):
    with pytest.raises(ContractError):
        read_answer(text, Findings)


def test_the_schemas_are_flat_and_closed():
    """Endpoints take less than JSON Schema: every object is closed, all is required, nothing refers or bounds."""
    for schema in (FINDINGS, VERDICTS):
        text = msgspec.json.encode(schema).decode()
        assert not any(word in text for word in ("$ref", "anyOf", "maxLength", "maxItems", "minimum", "pattern"))
        assert text.count('"additionalProperties":false') == text.count('"type":"object"') == 2
