"""The script itself, run by git: what stops a commit or a push, what does not, and what runs before."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.review.hook import Wish, install
from kimicode.review.hook_script import HOOK_NAMES, Script, recognise, render
from tests.e2e.kimi import until
from tests.review.hooks import StandIn, Work


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path / "my 'work'")


@pytest.fixture
def python(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path / "an 'odd' folder $HOME")


def put(work: Work, python: StandIn, **wish: bool) -> None:
    install(work.repository, Wish(str(python.path), **wish))


def test_kimicode_is_called_safely_with_its_options(work: Work, python: StandIn) -> None:
    put(work, python, strict=True, background=True)
    work.add(a="1\n")
    assert work.commit().returncode == 0
    assert "call -P -m kimicode hook run --strict --no-model pre-commit --\n" in python.record


@pytest.mark.parametrize(
    ("code", "stops"), [(0, False), (1, False), (2, False), (3, True), (69, False), (124, True), (130, True), (137, False)]
)
def test_only_a_verdict_stops_a_commit(work: Work, python: StandIn, code: int, stops: bool) -> None:
    put(work, python)
    python.ends_with(code)
    work.add(a="1\n")
    done = work.commit()
    assert (done.returncode != 0) is stops
    assert ("nothing was reviewed" in done.stderr) is (code not in (0, 3, 124, 130))


@pytest.mark.parametrize("code", [1, 2, 69, 77])
def test_strict_stops_whatever_goes_wrong(work: Work, python: StandIn, code: int) -> None:
    put(work, python, strict=True)
    python.ends_with(code)
    work.add(a="1\n")
    assert work.commit().returncode != 0


def test_the_kimicode_on_path_takes_over(work: Work, python: StandIn, tmp_path: Path) -> None:
    put(work, python)
    python.path.unlink()
    work.add(a="1\n")
    other = StandIn(tmp_path / "bin", "kimicode")
    other.ends_with(3)
    assert work.commit(PATH=f"{other.path.parent}:{work.environ['PATH']}").returncode != 0
    assert "call hook run pre-commit --\n" in other.record


@pytest.mark.parametrize("strict", [False, True])
def test_without_any_kimicode_git_goes_on_unless_strict(work: Work, python: StandIn, strict: bool, tmp_path: Path) -> None:
    put(work, python, strict=strict)
    python.path.unlink()
    git = shutil.which("git")
    assert git is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(git)
    work.add(a="1\n")
    done = work.commit(PATH=str(tmp_path / "bin"))
    assert (done.returncode != 0) is strict
    assert len(done.stderr.splitlines()) == 1
    assert "kimicode: not found" in done.stderr


def test_the_earlier_hook_runs_first_and_its_no_is_final(work: Work, python: StandIn, tmp_path: Path) -> None:
    work.hook("pre-commit", f'#!/bin/sh\necho "earlier $# ${{0##*/}}" >>"{tmp_path}/ran"\nexit 7\n')
    put(work, python)
    work.add(a="1\n")
    assert work.commit().returncode != 0
    assert (tmp_path / "ran").read_text() == "earlier 0 pre-commit.before-kimicode\n"
    assert python.record == ""


def test_an_earlier_hook_that_git_would_not_run_is_not_run(work: Work, python: StandIn, tmp_path: Path) -> None:
    work.hook("pre-commit", f'#!/bin/sh\n: >"{tmp_path}/ran"\nexit 7\n', mode=0o644)
    put(work, python)
    work.add(a="1\n")
    assert work.commit().returncode == 0
    assert not (tmp_path / "ran").exists()
    assert "pre-commit" in python.record


def test_before_a_push_both_hooks_get_what_git_says(work: Work, python: StandIn, tmp_path: Path) -> None:
    work.hook("pre-push", f'#!/bin/sh\necho "$*" >"{tmp_path}/got"\ncat >>"{tmp_path}/got"\n')
    put(work, python, pre_push=True)
    work.add(a="1\n")
    work.commit()
    work.git("init", "-q", "--bare", str(tmp_path / "remote"))
    work.git("remote", "add", "origin", str(tmp_path / "remote"))
    head = work.git("rev-parse", "HEAD")
    work.git("push", "-q", "origin", "main", "main:other")
    arguments, *lines = (tmp_path / "got").read_text().splitlines()
    assert arguments == f"origin {tmp_path / 'remote'}"
    assert sorted(lines) == [f"refs/heads/main {head} refs/heads/{name} {'0' * 40}" for name in ("main", "other")]
    assert f"call -P -m kimicode hook run pre-push -- {arguments}\n" in python.record
    assert all(line in python.record for line in lines)


def test_a_hook_that_reads_no_input_is_fine(work: Work, python: StandIn, tmp_path: Path) -> None:
    work.hook("pre-push", "#!/bin/sh\nexit 0\n")
    put(work, python, pre_push=True)
    python.ends_with(3)
    work.add(a="1\n")
    work.commit()
    work.git("init", "-q", "--bare", str(tmp_path / "remote"))
    assert work.run("git", "push", "-q", str(tmp_path / "remote"), "main").returncode != 0


def test_after_a_commit_nobody_waits(work: Work, python: StandIn, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    python.path.write_text(
        f'#!/bin/sh\ncase "$*" in *post-commit*) while [ ! -e "{hold}" ]; do sleep 0.05; done; : >"{tmp_path}/over" ;; esac\n'
    )
    put(work, python, background=True)
    work.add(a="1\n")
    assert work.commit().returncode == 0
    # Git came back although the review still runs.
    assert not (tmp_path / "over").exists()
    hold.touch()
    until((tmp_path / "over").exists)


def test_each_commit_of_a_rebase_is_named(work: Work, python: StandIn) -> None:
    work.add(a="1\n")
    work.commit()
    work.git("branch", "base")
    commits = []
    put(work, python, background=True)
    for number in "234":
        work.add(a=f"{number}\n")
        work.commit()
        commits.append(work.git("rev-parse", "HEAD"))
    until(lambda: all(f"post-commit -- {commit}\n" in python.record for commit in commits))


@given(
    st.text(min_size=1).filter(lambda text: "\0" not in text and text.isprintable()),
    st.booleans(),
    st.booleans(),
    st.sampled_from(HOOK_NAMES),
)
def test_a_script_tells_what_it_was_made_of(python: str, strict: bool, model: bool, name: str) -> None:
    script = Script(next(each for each in HOOK_NAMES if each == name), python, strict, model)
    data = render(script)
    own = recognise(data)
    assert own is not None
    assert (own.script, own.intact) == (script, True)
    changed = recognise(data + b"echo more\n")
    assert changed is not None
    assert not changed.intact


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"#!/bin/sh\n# kimicode hook is mentioned\n", b"\xff\xfe"])
def test_other_files_are_nobodys(data: bytes) -> None:
    assert recognise(data) is None


@pytest.mark.parametrize("shell", [shell for shell in ("sh", "dash", "bash", "busybox") if shutil.which(shell)])
@pytest.mark.parametrize("name", HOOK_NAMES)
def test_every_shell_can_read_it(shell: str, name: str, tmp_path: Path) -> None:
    script = Script(next(each for each in HOOK_NAMES if each == name), "/a 'b'\n$(touch x)")
    (tmp_path / name).write_bytes(render(script))
    command = [shell, *(["sh"] if shell == "busybox" else []), "-n", str(tmp_path / name)]
    done = Work(tmp_path / "work").run(*command)
    assert (done.returncode, done.stderr) == (0, "")
