"""The GitHub action: its scripts run by bash as a runner would, in a real repository; and nothing from outside is ever part of a script."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.kimi import ROOT
from tests.review.hooks import Work

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SECRET = 'key = "AKIA' + 'QYLPMN5HHHFPZAM2"\n'


class Runner:
    """What GitHub does with a composite action, for its scripts alone: expressions, environment, outputs, exit codes.

    Python is there already and kimicode is this checkout's, so the steps that fetch them are not run.
    """

    def __init__(self, work: Work, temp: Path, **event: str) -> None:
        self._work, self._temp, self._event = work, temp, event
        self.summary, self.log = temp / "summary", ""
        program = temp / "kimicode/bin/kimicode"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m kimicode "$@"\n')
        program.chmod(0o755)
        self.outputs: dict[str, dict[str, str]] = {}

    def run(self, **inputs: str) -> int:
        """The exit code of the first step that fails, else 0."""
        for step in STEPS:
            if "run" in step and step["name"] != "Install kimicode" and (code := self._step(step, inputs)):
                return code
        return 0

    def _step(self, step: dict[str, Any], inputs: dict[str, str]) -> int:
        output = self._temp / "output"
        output.write_text("")
        variables = {
            **self._work.environ,
            **{name: self._fill(value, inputs) for name, value in step.get("env", {}).items()},
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_BASE_REF": self._event.get("base_ref", ""),
            "PYTHONPATH": str(ROOT),
            "KIMICODE_CONFIG": str(self._temp / "settings.toml"),
        }
        script = self._temp / "script.sh"
        script.write_text(step["run"])
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        done = subprocess.run(command, cwd=self._work.folder, env=variables, capture_output=True, text=True, check=False, timeout=120)
        self.log += done.stdout + done.stderr
        if "id" in step:
            self.outputs[step["id"]] = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return done.returncode

    def _fill(self, text: str, inputs: dict[str, str]) -> str:
        def value(found: re.Match[str]) -> str:
            scope, _, name = found[1].strip().partition(".")
            if scope == "inputs":
                return inputs.get(name, ACTION["inputs"][name]["default"])
            if scope == "steps":
                step, _, output = name.partition(".outputs.")
                return self.outputs.get(step, {}).get(output, "")
            return {"runner.temp": str(self._temp), "github.event.before": self._event.get("before", "")}[found[1].strip()]

        return re.sub(r"\$\{\{(.*?)\}\}", value, text)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    work = Work(tmp_path / "work")
    work.add(**{"base.py": "base = 0\n"})
    work.commit()
    work.git("update-ref", "refs/remotes/origin/main", "HEAD")
    return work


def runner(work: Work, tmp_path: Path, **event: str) -> Runner:
    temp = tmp_path / "runner temp"
    temp.mkdir()
    return Runner(work, temp, **event)


def test_a_pull_request_with_a_secret(work: Work, tmp_path: Path) -> None:
    work.add(**{"new.py": SECRET})
    work.commit()
    github = runner(work, tmp_path, base_ref="main")
    assert github.run() == 3
    assert github.outputs["review"]["exit-code"] == "3"
    assert '"version": "2.1.0"' in Path(github.outputs["review"]["sarif"]).read_text().replace('"version":"', '"version": "')
    assert "::error " in github.log
    assert "file=new.py" in github.log
    assert "new.py" in github.summary.read_text()
    assert SECRET.split('"')[1] not in github.log + github.summary.read_text()


def test_a_push_that_is_clean(work: Work, tmp_path: Path) -> None:
    before = work.git("rev-parse", "HEAD")
    work.add(**{"new.py": "new = 1\n"})
    work.commit()
    github = runner(work, tmp_path, before=before)
    assert github.run(**{"no-model": "true", "deadline": "10"}) == 0
    assert github.outputs["review"]["exit-code"] == "0"


def test_the_gate_is_the_callers(work: Work, tmp_path: Path) -> None:
    work.add(**{"new.py": SECRET})
    work.commit()
    assert runner(work, tmp_path, base_ref="main").run(**{"fail-on": "none", "annotations": "false"}) == 0


def test_a_history_that_is_not_there_fails_and_says_why(work: Work, tmp_path: Path) -> None:
    github = runner(work, tmp_path, base_ref="gone")
    assert github.run() == 2
    assert "fetch-depth: 0" in github.log


@pytest.mark.parametrize("name", ["base", "model", "endpoint", "fail-on", "deadline", "no-model", "strict", "annotations"])
def test_no_input_becomes_a_command(work: Work, tmp_path: Path, name: str) -> None:
    sprung = tmp_path / "sprung"
    values = (f'"; touch {sprung}; "', f"$(touch {sprung})", f"--output={sprung}")
    for number, value in enumerate(values):
        Runner(work, tmp_path / f"temp {number}").run(**{"no-model": "true", name: value})
        assert not sprung.exists(), value


def test_expressions_are_only_in_variables() -> None:
    scripts = [step["run"] for step in STEPS if "run" in step]
    assert len(scripts) == 3
    assert not any("${{" in script for script in scripts)
    assert all(step.get("shell") == "bash" for step in STEPS if "run" in step)


def test_every_input_is_used_and_none_is_made_up() -> None:
    text = (ROOT / "action.yml").read_text("utf-8")
    assert set(re.findall(r"inputs\.([a-z-]+)", text)) == set(ACTION["inputs"])


def test_the_findings_are_uploaded_whatever_they_say() -> None:
    upload = next(step for step in STEPS if "upload-sarif" in step.get("uses", ""))
    assert upload["if"].startswith("always()")
    assert all(re.fullmatch(r"[\w/-]+@v\d+", step["uses"]) for step in STEPS if "uses" in step)
