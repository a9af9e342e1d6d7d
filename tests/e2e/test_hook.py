"""A real `git commit` and `git push` with the hooks in real repositories: what is stopped, what is not, and nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from kimicode.repo.git import Repository
from kimicode.review import verdict as verdicts
from kimicode.review.hook import Wish, install
from tests.e2e.conftest import Serve
from tests.e2e.kimi import DEADLINE, PYTHON, ROOT, Kimi, say, until
from tests.model.faultserver import stall
from tests.review.hooks import Work
from tests.review.making import defect, found
from tests.review.making import verdicts as second_pass

SECRET = 'key = "AKIA' + 'QYLPMN5HHHFPZAM2"\n'
MARKERS = "<<<<<<< ours\na = 1\n=======\na = 2\n>>>>>>> theirs\n"
CLEAN = "total = 1 + 1\n"

Finished = subprocess.CompletedProcess[str]


class User(Work):
    """A repository of somebody who uses kimicode."""

    def __init__(self, kimi: Kimi) -> None:
        super().__init__(kimi.workspace)
        self.kimi = kimi
        self.environ = kimi.environ | {"GIT_TERMINAL_PROMPT": "0"}

    def install(self, *, folder: Path | None = None, **wish: bool) -> None:
        repository = Repository.find(folder or self.folder, self.environ)
        assert repository is not None
        install(repository, Wish(sys.executable, **wish))

    def setting(self, text: str) -> None:
        self.kimi.config.write_text(text)

    @property
    def head(self) -> str:
        return self.run("git", "rev-parse", "--verify", "-q", "HEAD").stdout.strip()

    def remote(self) -> None:
        self.git("init", "-q", "--bare", str(self.folder.parent / "remote"))
        self.git("remote", "add", "origin", str(self.folder.parent / "remote"))

    def push(self, *arguments: str, **variables: str) -> Finished:
        return self.run("git", "push", "-q", "origin", *(arguments or ("HEAD",)), **variables)

    def noted(self, commit: str) -> bool:
        return bool(verdicts.read(self.repository, [commit]))


@pytest.fixture
def user(kimi: Kimi) -> User:
    user = User(kimi)
    user.install(background=False)
    user.add(**{"base.py": "base = 0\n"})
    user.git("commit", "-q", "--no-verify", "-m", "base")
    return user


def went(done: Finished) -> str:
    assert done.returncode == 0, done.stderr
    return done.stderr


def stopped(done: Finished) -> str:
    assert done.returncode != 0, done.stderr
    assert "is stopped" in done.stderr
    return done.stderr


def test_a_secret_is_stopped_and_a_clean_change_passes(user: User) -> None:
    user.add(**{"new.py": SECRET})
    before = user.head
    said = stopped(user.commit())
    assert "new.py:1: high:" in said
    assert "KIMICODE_REVIEW=off" in said
    assert SECRET.split('"')[1] not in said
    assert user.head == before
    assert user.git("diff", "--cached", "--name-only") == "new.py"
    assert not (user.folder / ".git/index.lock").exists()
    user.add(**{"new.py": CLEAN})
    said = went(user.commit())
    assert "nothing found" in said
    assert user.head != before


def test_the_first_commit_of_all(kimi: Kimi) -> None:
    user = User(kimi)
    user.install()
    user.add(**{"new.py": SECRET})
    stopped(user.commit())
    assert user.head == ""
    user.add(**{"new.py": CLEAN})
    went(user.commit())


def test_what_is_staged_counts_and_not_the_file(user: User) -> None:
    user.add(**{"new.py": SECRET})
    user.write(**{"new.py": CLEAN})
    stopped(user.commit())
    user.add(**{"new.py": CLEAN})
    user.write(**{"new.py": SECRET})
    went(user.commit())
    assert user.git("diff", "--name-only") == "new.py"


def test_commit_all_and_commit_of_a_path_have_an_index_of_their_own(user: User) -> None:
    user.write(**{"base.py": SECRET})
    stopped(user.commit("-a"))
    stopped(user.commit("base.py"))
    # What is staged and not committed is not what is reviewed.
    user.add(**{"base.py": SECRET, "new.py": "new = 1\n"})
    went(user.commit("new.py"))
    assert user.git("diff", "--cached", "--name-only") == "base.py"
    assert not list((user.folder / ".git").glob("*.lock"))


@pytest.mark.parametrize("name", [b"a b.py", b"line\nend.py", b"\xff\xfe.py", b"-n.py", '"q" ü.py'.encode(), b":(glob)x.py"])
def test_any_name(user: User, name: bytes) -> None:
    path = os.path.join(os.fsencode(user.folder), name)
    with open(path, "w") as file:
        file.write(SECRET)
    user.git("add", "-A")
    stopped(user.commit())
    with open(path, "w") as file:
        file.write(CLEAN)
    user.git("add", "-A")
    went(user.commit())


def test_moved_deleted_binary_linked_and_large(user: User) -> None:
    user.add(**{"old.py": SECRET})
    went(user.commit("--no-verify"))
    user.git("mv", "old.py", "moved.py")
    went(user.commit())
    user.git("rm", "-q", "moved.py")
    went(user.commit())
    (user.folder / "picture.bin").write_bytes(bytes(range(256)) * 40)
    (user.folder / "link").symlink_to("base.py")
    (user.folder / "base.py").chmod(0o755)
    user.write(**{"large.py": "".join(f"value_{number} = {number}\n" for number in range(10_000))})
    user.git("add", "-A")
    went(user.commit())
    with (user.folder / "large.py").open("w") as file:
        file.writelines(f"value_{number} = {number + 1}\n" for number in range(10_000))
        file.write(SECRET)
    user.git("add", "-A")
    assert "large.py:10001: " in stopped(user.commit())


def test_nothing_to_review_says_nothing(user: User) -> None:
    assert went(user.commit("--allow-empty")) == ""
    assert went(user.commit("--amend", "--allow-empty")) == ""


def test_a_merge(user: User) -> None:
    user.git("checkout", "-q", "-b", "other")
    user.add(**{"other.py": SECRET, "base.py": "base = 1\n"})
    went(user.commit("--no-verify"))
    user.git("checkout", "-q", "main")
    user.add(**{"base.py": "base = 2\n"})
    went(user.commit())
    assert user.run("git", "merge", "-q", "other").returncode != 0
    # The markers were left in: stopped. A secret that the other side brings is looked at as well.
    user.git("add", "base.py")
    assert "base.py" in stopped(user.commit())
    user.add(**{"base.py": "base = 3\n", "other.py": "other = 1\n"})
    went(user.commit())
    assert len(user.git("log", "-1", "--format=%P").split()) == 2


def test_a_detached_head_and_a_linked_worktree(user: User) -> None:
    user.git("checkout", "-q", "--detach")
    user.add(**{"new.py": SECRET})
    stopped(user.commit())
    linked = user.folder.parent / "linked tree"
    user.git("worktree", "add", "-q", "-b", "linked", str(linked))
    for text, expected in ((SECRET, stopped), (CLEAN, went)):
        (linked / "new.py").write_text(text)
        user.git("add", "new.py", folder=linked)
        expected(user.commit(folder=linked))


def test_two_worktrees_at_once(user: User) -> None:
    linked = user.folder.parent / "linked"
    user.git("worktree", "add", "-q", "-b", "linked", str(linked))
    for folder in (user.folder, linked):
        (folder / "new.py").write_text(CLEAN)
        user.git("add", "new.py", folder=folder)
    command = ["git", "commit", "-q", "-m", "m"]
    running = [subprocess.Popen(command, cwd=folder, env=user.environ, stderr=subprocess.PIPE) for folder in (user.folder, linked)]
    said = [process.communicate(timeout=DEADLINE)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], said


def test_a_submodule_and_its_new_state(user: User, tmp_path: Path) -> None:
    inner = Work(tmp_path / "inner")
    inner.add(a="1\n")
    inner.commit()
    user.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.folder), "sub")
    went(user.commit())
    sub = user.folder / "sub"
    user.install(folder=sub)
    (sub / "new.py").write_text(SECRET)
    user.git("add", "new.py", folder=sub)
    stopped(user.commit(folder=sub))
    (sub / "new.py").write_text(CLEAN)
    user.git("add", "new.py", folder=sub)
    went(user.commit(folder=sub))
    user.git("add", "sub")
    went(user.commit())


def test_an_environment_with_nothing_in_it(user: User) -> None:
    user.add(**{"new.py": SECRET})
    kept = {name: user.environ[name] for name in ("KIMICODE_HOME", "KIMICODE_CONFIG", "PYTHONPATH")}
    user.git("config", "user.name", "n")
    user.git("config", "user.email", "e@example.org")
    user.environ = {"PATH": "/usr/bin:/bin", **kept}
    stopped(user.commit())
    user.add(**{"new.py": CLEAN})
    went(user.commit())


def test_what_lies_in_the_repository_is_not_imported(user: User) -> None:
    for name in ("kimicode.py", "msgspec.py", "typing.py", "json.py", "sitecustomize.py"):
        (user.folder / name).write_text(f"open({str(user.folder / 'sprung')!r}, 'w')\n")
    user.git("add", "-A")
    went(user.commit())
    assert not (user.folder / "sprung").exists()


def test_git_with_a_folder_elsewhere_is_left_alone(user: User, tmp_path: Path) -> None:
    home = tmp_path / "home of dots"
    home.mkdir()
    user.git("init", "-q", "--bare", str(tmp_path / "dots"))
    dots = ("git", f"--git-dir={tmp_path / 'dots'}", f"--work-tree={home}")
    (tmp_path / "dots/hooks").mkdir(exist_ok=True)
    (tmp_path / "dots/hooks/pre-commit").write_bytes((user.hooks / "pre-commit").read_bytes())
    (tmp_path / "dots/hooks/pre-commit").chmod(0o755)
    (home / "a.py").write_text(SECRET)
    assert user.run(*dots, "add", "a.py", folder=home).returncode == 0
    done = user.run(*dots, "commit", "-q", "-m", "m", folder=home)
    assert "nothing was reviewed" in went(done)


@pytest.mark.parametrize(
    ("variables", "shown"), [({"KIMICODE_REVIEW": "off"}, "KIMICODE_REVIEW=off"), ({"SKIP": "a, kimicode-review"}, "SKIP=")]
)
def test_ways_to_be_left_alone(user: User, variables: dict[str, str], shown: str) -> None:
    user.add(**{"new.py": SECRET})
    said = went(user.commit(**variables))
    assert shown in said
    assert len(said.splitlines()) == 1


def test_broken_settings_stop_nobody_unless_strict(user: User) -> None:
    user.setting("nonsense = 1\n")
    user.add(**{"new.py": SECRET})
    assert "nothing was reviewed" in went(user.commit())
    user.install(strict=True)
    user.add(**{"new.py": SECRET * 2})
    assert user.commit().returncode != 0


def test_a_repository_and_a_cache_that_can_t_be_written(user: User) -> None:
    user.add(**{"new.py": SECRET})
    locked = ("bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/var/tmp", "--setenv", "TMPDIR", "/var/tmp")
    assert user.run(*locked, *PYTHON, "hook", "run", "pre-commit").returncode == 3


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def use(user: User, url: str) -> None:
    user.setting(f'[review]\nendpoint = "{url}"\nmodel = "m"\n')


def test_an_engine_that_is_down(user: User) -> None:
    use(user, f"http://127.0.0.1:{closed_port()}")
    user.setting(user.kimi.config.read_text() + "deadline_s = 5.0\n")
    user.add(**{"new.py": CLEAN})
    assert "not reviewed" in went(user.commit())
    user.install(strict=True)
    user.add(**{"new.py": CLEAN * 2})
    stopped(user.commit())
    # What checks find stops it all the same.
    user.install()
    user.add(**{"new.py": SECRET})
    stopped(user.commit())


def test_a_model_stops_a_commit_and_is_not_asked_twice(user: User, serve: Serve) -> None:
    quote = "return total / count"
    first = found(defect(2, quote, path="new.py"))
    with_model = serve(say(first), say(second_pass("stands")))
    use(user, with_model.url)
    user.add(**{"new.py": f"def mean(total, count):\n    {quote}\n"})
    said = stopped(user.commit())
    assert "new.py:2: high: it fails" in said
    asked = len(with_model.calls)
    assert asked == 2
    again = stopped(user.commit())
    assert "from the cache" in again
    assert len(with_model.calls) == asked


def test_ctrl_c_in_the_middle(user: User, serve: Serve) -> None:
    hanging = serve(stall())
    use(user, hanging.url)
    user.add(**{"new.py": CLEAN})
    before = user.head
    process = subprocess.Popen(
        ["git", "commit", "-q", "-m", "m"],
        cwd=user.folder,
        env=user.environ,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    until(lambda: bool(hanging.calls))
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=DEADLINE)[1].decode()
    assert process.returncode != 0
    assert "Traceback" not in said
    assert user.head == before
    assert not list((user.folder / ".git").glob("*.lock"))
    user.setting("")
    went(user.commit())


def test_a_commit_is_reviewed_behind_its_back_and_a_push_reads_that(user: User) -> None:
    user.install(background=True)
    user.remote()
    user.add(**{"new.py": MARKERS})
    went(user.commit("--no-verify"))
    first = user.head
    until(lambda: user.noted(first))
    assert "new.py:1" in stopped(user.push())
    assert user.git("ls-remote", "origin") == ""
    user.add(**{"new.py": CLEAN})
    went(user.commit())
    second = user.head
    until(lambda: user.noted(second))
    said = went(user.push())
    assert "settled by a later commit" in said
    # The notes are this user's own.
    assert "notes" not in user.git("ls-remote", "origin")
    assert went(user.push("--delete", "main") if user.push("HEAD:refs/heads/b").returncode else user.push("--delete", "b")) == ""


def test_a_secret_is_not_settled_and_a_new_history_is_free_of_it(user: User) -> None:
    user.install(background=True)
    user.remote()
    user.add(**{"new.py": SECRET})
    went(user.commit("--no-verify"))
    first = user.head
    until(lambda: user.noted(first))
    user.add(**{"new.py": CLEAN})
    went(user.commit("--amend"))
    second = user.head
    until(lambda: user.noted(second))
    assert "1 of 2 commits reviewed" in went(user.push())
    # Forced, and as a tag: the old commit has its verdict still.
    assert "new.py:1" in stopped(user.push("--force", f"{first}:refs/heads/main"))
    user.git("tag", "-a", "v1", "-m", "v1", first)
    assert "new.py:1" in stopped(user.push("v1"))


def test_what_is_not_reviewed_passes_unless_strict(user: User) -> None:
    user.install(pre_push=True)
    user.remote()
    assert "not reviewed yet" in went(user.push())
    user.install(pre_push=True, strict=True)
    user.git("commit", "-q", "--no-verify", "--allow-empty", "-m", "m", "--author", "a <a@example.org>")
    bare = user.git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "not by git commit")
    stopped(user.push(f"{bare}:refs/heads/other"))
    assert went(user.push(f"{bare}:refs/heads/other", KIMICODE_REVIEW="off"))


def test_a_bypass_is_written_down(user: User) -> None:
    user.install(pre_push=True)
    user.add(**{"new.py": SECRET})
    went(user.commit(KIMICODE_REVIEW="off"))
    until(lambda: user.noted(user.head))
    verdict = verdicts.read(user.repository, [user.head])[user.head]
    assert (verdict.state, verdict.reason) == ("bypassed", "KIMICODE_REVIEW=off was set.")


def test_the_commands(kimi: Kimi) -> None:
    user = User(kimi)
    earlier = user.hook("pre-commit", "#!/bin/sh\nexit 0\n")
    content, mode = earlier.read_bytes(), earlier.stat().st_mode
    assert kimi.run("hook", "status").out.count("none") == 2
    assert "pre-commit.before-kimicode" in kimi.run("hook", "install", "--background").err
    user.add(**{"new.py": CLEAN})
    went(user.commit())
    until(lambda: user.noted(user.head))
    shown = kimi.run("hook", "status").out
    assert "pre-commit:  reviews what is staged; instant checks only; after pre-commit.before-kimicode; with this kimicode" in shown
    assert f"{user.head[:12]} reviewed" in shown
    assert kimi.run("hook", "uninstall").code == 0
    assert (earlier.read_bytes(), earlier.stat().st_mode) == (content, mode)
    assert "No hook" in kimi.run("hook", "uninstall").err
    assert kimi.run("hook", "run", "pre-merge").code == 2
    assert kimi.run("hook", "run", "pre-commit", "--strict", "--fail-on=low").code == 2
    outside = kimi.run("hook", "install", cwd=Path("/"))
    assert (outside.code, "in no git repository" in outside.err) == (2, True)


@contextmanager
def served_by_pre_commit(user: User, *ids: str) -> Iterator[Callable[..., Finished]]:
    """The program pre-commit with this checkout's manifest, whose hooks are run by this Python instead of being built."""
    manifest = Work(user.folder.parent / "manifest")
    manifest.write(**{".pre-commit-hooks.yaml": (ROOT / ".pre-commit-hooks.yaml").read_text()})
    manifest.git("add", "-A")
    manifest.commit()
    entries = {each["id"]: each["entry"] for each in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    command = f"'{sys.executable}' -P -m kimicode"
    hooks = [{"id": name, "language": "system", "entry": entries[name].replace("kimicode", command, 1)} for name in ids]
    repos = [{"repo": str(manifest.folder), "rev": manifest.git("rev-parse", "HEAD"), "hooks": hooks}]
    config = {"default_install_hook_types": ["pre-commit", "pre-push"], "repos": repos}
    user.write(**{".pre-commit-config.yaml": json.dumps(config)})
    user.environ |= {"PRE_COMMIT_HOME": str(user.folder.parent / "pre-commit")}
    user.git("add", ".pre-commit-config.yaml")
    user.git("commit", "-q", "--no-verify", "-m", "configured")

    def run(*arguments: str) -> Finished:
        return user.run(sys.executable, "-m", "pre_commit", *arguments)

    assert run("install").returncode == 0
    yield run


def test_pre_commits_own_runner(kimi: Kimi) -> None:
    user = User(kimi)
    user.add(**{"base.py": "base = 0\n"})
    user.commit()
    with served_by_pre_commit(user, "kimicode-review", "kimicode-checks", "kimicode-review-push") as run:
        user.add(**{"new.py": SECRET})
        said = user.commit()
        assert said.returncode != 0
        assert "SKIP=kimicode-review" in said.stderr + said.stdout
        # Only what is staged: pre-commit takes the rest away meanwhile.
        user.add(**{"new.py": CLEAN})
        user.write(**{"new.py": SECRET})
        went(user.commit())
        user.add(**{"new.py": CLEAN + CLEAN})
        went(user.commit())
        done = run("run", "--all-files", "kimicode-checks")
        assert done.returncode == 0, done.stdout
        head = user.head
        report = verdicts.reviewed(verdicts.Report("c", "n", ()))
        verdicts.write(user.repository, head, report)
        user.remote()
        assert "1 of 4 commits reviewed" in user.push().stdout


def test_the_manifest_is_valid() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout
