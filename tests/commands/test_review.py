"""`kimicode review` as its user has it: the report on stdout, what is to be known beside it on stderr, and the exit code."""

import json
import subprocess
import sys

import pytest

from kimicode.commands.review import exit_code
from kimicode.review.report import Gate, Omission, Report
from tests.e2e.kimi import Endpoint, say
from tests.review.reports import FULL
from tests.review.test_change import Checkout

KEY = "AKIA" + "Z7QX4T2MWVB5NLKD"


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path / "work")


def review(checkout, *arguments, **environ):
    """Run it in the checkout; its exit code, stdout and stderr."""
    home = checkout.folder.parent
    whole = {**checkout.environ, "KIMICODE_HOME": str(home / "kimicode"), "KIMICODE_CONFIG": str(home / "settings.toml"), **environ}
    command = [sys.executable, "-P", "-m", "kimicode", "review", *arguments]
    done = subprocess.run(command, cwd=checkout.folder, env=whole, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def test_a_secret_blocks_and_a_clean_change_passes(checkout):
    checkout.write(a="x = 1\n")
    code, out, err = review(checkout, "--no-model")
    assert (code, err) == (0, "")
    assert out.startswith("kimicode review: nothing found in what is staged · 1 file, 1 added line · checks only")
    checkout.write(b=f'key = "{KEY}"\n')
    code, out, _ = review(checkout, "--no-model")
    assert code == 3
    assert "b:1: high:" in out
    assert KEY not in out
    assert review(checkout, "--no-model", "--fail-on", "critical")[0] == 0
    assert review(checkout, "--no-model", "--fail-on", "none")[0] == 0


def test_the_index_counts_and_not_the_working_tree(checkout):
    checkout.write(a="x = 1\n")
    (checkout.folder / "a").write_text(f'key = "{KEY}"\n')
    assert review(checkout, "--no-model")[0] == 0
    assert review(checkout, "--uncommitted", "--no-model")[0] == 3


def test_a_file_for_the_report_and_the_summary_beside_it(checkout):
    checkout.write(a=f'key = "{KEY}"\n')
    code, out, err = review(checkout, "--no-model", "--format", "sarif", "--output", "out.sarif")
    assert (code, out) == (3, "")
    assert "1 blocks" in err
    (run,) = json.loads((checkout.folder / "out.sarif").read_text())["runs"]
    assert [each["ruleId"] for each in run["results"]] == ["secret/aws-access-key"]


def test_annotations_and_the_page_of_a_job(checkout, tmp_path):
    checkout.write(a=f'key = "{KEY}"\n')
    page = tmp_path / "page.md"
    page.write_text("before\n")
    code, out, _ = review(checkout, "--no-model", "--format", "github", GITHUB_STEP_SUMMARY=str(page))
    assert code == 3
    assert out.startswith("::error file=a,line=1,endLine=1,title=")
    assert page.read_text().startswith("before\n### kimicode review\n")


def test_without_a_model_it_says_so_and_passes_unless_strict(checkout):
    checkout.write(a="x = 1\n")
    code, out, _ = review(checkout)
    assert code == 0
    assert "not reviewed (no model): no endpoint for kimi-k2.6: no key is set." in out
    assert review(checkout, "--strict")[0] == 69
    assert review(checkout, "--strict", "--no-model")[0] == 0


def test_an_endpoint_that_is_down(checkout):
    checkout.write(a="x = 1\n")
    code, out, _ = review(checkout, "--endpoint", "http://127.0.0.1:9/v1", "--deadline", "2")
    assert code == 0
    assert "not reviewed (" in out
    assert review(checkout, "--endpoint", "http://127.0.0.1:9/v1", "--deadline", "2", "--strict")[0] in (69, 124)


def test_a_models_finding_blocks_and_is_not_asked_for_twice(checkout):
    checkout.write(**{"pages.py": "def pages(n):\n    return n // 5\n"})
    checkout.commit()
    checkout.write(**{"pages.py": "def pages(n):\n    return n // 0\n"})
    finding = {
        "path": "pages.py", "line": 2, "end_line": 2, "severity": "high", "confidence": 0.9, "category": "correctness",
        "title": "division by zero", "quote": "return n // 0", "scenario": "Every call fails.", "suggestion": "Divide by 5.",
    }  # fmt: skip
    verdict = {"number": 1, "why": "nothing guards it", "quote": "", "verdict": "stands"}
    with Endpoint([say(json.dumps({"findings": [finding]})), say(json.dumps({"verdicts": [verdict]}))]) as model:
        code, out, err = review(checkout, "--endpoint", model.url, "--format", "json")
        report = json.loads(out)
        assert [each["title"] for each in report["findings"]] == ["division by zero"], (report, err)
        assert len(model.calls) == 2
        again, out, _ = review(checkout, "--endpoint", model.url, "--format", "json")
        assert [each["title"] for each in json.loads(out)["findings"]] == ["division by zero"]
        assert len(model.calls) == 2
        assert (code, again) == (3, 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--staged", "--uncommitted"), "exclude each other"),
        (("--format", "xml"), "text, json, sarif, github, rdjson"),
        (("--fail-on", "bad"), "low, medium, high, critical, none"),
        (("--effort", "most"), "low, medium, high"),
        (("--deadline", "-1"), "0 is without end"),
        (("--base", "nowhere"), "there is no revision"),
        (("--commit", "--all"), "names no single revision"),
        (("--output", "no/such/../../../nowhere/x"), "nowhere"),
    ],
)
def test_bad_input_is_told_and_ends_with_its_code(checkout, arguments, said):
    checkout.write(a="x = 1\n")
    checkout.commit()
    code, out, err = review(checkout, *arguments, "--no-model")
    assert code in (1, 2)
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_outside_a_repository(tmp_path):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "kimicode", "review"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "KIMICODE_HOME": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no git repository" in done.stderr


@pytest.mark.parametrize(
    ("why", "code"),
    [("deadline", 124), ("too large", 124), ("no model", 69), ("model failed", 69), ("answer unusable", 4), ("skipped", 0), ("merge", 0)],
)
def test_strict_closes_for_what_was_not_done(why, code):
    report = Report("", "", (), omissions=(Omission(why, (), "x"),))
    assert exit_code(report, Gate(strict=True)) == code
    assert exit_code(report, Gate()) == 0
    assert exit_code(FULL, Gate(strict=True)) == 3
