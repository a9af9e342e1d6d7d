"""A review by a model at an endpoint, through the command line: what it can hold blocks, and the second time nobody is asked."""

import json
import subprocess

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.kimi import Kimi, say
from tests.review.making import defect, found, verdicts

BLOCKED = 3
OLD = "def f(x):\n    if x == 0:\n        return 0\n    return 1 / x\n"
NEW = "def f(x):\n    return 1 / x\n"
HELD = (say(found(defect(2, "return 1 / x"))), say(verdicts("stands")))


@pytest.fixture
def staged(kimi: Kimi) -> Kimi:
    """A user who has staged a change."""
    path = kimi.workspace / "src" / "a.py"
    path.parent.mkdir()
    git(kimi, "init", "-q")
    path.write_text(OLD)
    git(kimi, "add", ".")
    git(kimi, "-c", "user.name=u", "-c", "user.email=u@localhost", "commit", "-qm", "first")
    path.write_text(NEW)
    git(kimi, "add", ".")
    return kimi


def git(kimi: Kimi, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=kimi.workspace, env=kimi.environ, check=True, capture_output=True)


def test_what_the_model_can_hold_blocks_and_is_remembered(staged: Kimi, serve: Serve):
    endpoint = serve(*HELD)
    review = ("review", "--staged", "--endpoint", endpoint.url, "--model", "m", "--format", "json", "--deadline", "0")
    first, second = (staged.run(*review) for _ in range(2))
    assert (first.code, second.code) == (BLOCKED, BLOCKED)
    one, two = json.loads(first.out), json.loads(second.out)
    assert [each["rule"] for each in one["findings"]] == ["model/correctness"]
    assert one["findings"] == two["findings"]
    assert len(endpoint.calls) == 2
    assert all('"json_schema"' in call.body.decode() and '"tools"' not in call.body.decode() for call in endpoint.calls)


def test_an_engine_that_is_down_lets_the_commit_pass_unless_strict(staged: Kimi):
    review = ("review", "--staged", "--endpoint", "http://127.0.0.1:9", "--model", "m", "--deadline", "3")
    open_run, closed = staged.run(*review), staged.run(*review, "--strict")
    assert open_run.code == 0
    assert "not reviewed" in open_run.out + open_run.err
    assert closed.code not in (0, BLOCKED)
