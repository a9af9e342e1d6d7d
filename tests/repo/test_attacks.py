"""A repository that wants something executed gets nothing executed, whatever it is asked; plain git executes all of it."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kimicode.errors import RefusedError, ToolError
from kimicode.repo.git import Repository
from kimicode.repo.git_outgoing import notes_on
from kimicode.repo.worktrees import Worktrees

Ask = Callable[[Repository], object]

ASK: dict[str, Ask] = {
    "find": lambda repo: Repository.find(repo.work_tree, repo.environ),
    "head": Repository.head,
    "branch": Repository.branch,
    "status": lambda repo: repo.status(ignored=True),
    "diff": Repository.diff,
    "diff staged": lambda repo: repo.diff(staged=True),
    "diff of commits": lambda repo: repo.diff("HEAD~1"),
    "diff staged of commits": lambda repo: repo.diff("HEAD~1", staged=True, paths=["a.conv"]),
    "log": lambda repo: repo.log(10),
    "log of a path": lambda repo: repo.log(10, paths=["a.conv"]),
    "ls_files": Repository.ls_files,
    "resolve": lambda repo: repo.resolve("HEAD:a.conv"),
    "merge_base": lambda repo: repo.merge_base("HEAD", "HEAD~1"),
    "blob": lambda repo: repo.blob(repo.resolve("HEAD:a.clean")),
    "write_tree": Repository.write_tree,
    "notes_on": lambda repo: [notes_on(repo, "refs/notes/kimicode", [repo.commit("HEAD")])],
    "config": lambda repo: repo.config("core.pager"),
    "hooks_folder": Repository.hooks_folder,
    "blame": lambda repo: repo.blame("a.conv"),
    "blame of a commit": lambda repo: repo.blame("a.clean", revision="HEAD~1"),
    "log of lines": lambda repo: repo.log(10, paths=["a.conv"], lines=(1, 1)),
    "log with files": lambda repo: repo.log(10, files=True),
    "diff of trees": lambda repo: repo.diff_trees("HEAD~1", "HEAD"),
    "ends": lambda repo: repo.ends("HEAD~1...HEAD"),
    "reference": lambda repo: repo.reference("refs/heads/main"),
    "merging": lambda repo: [repo.merging()],
    "commit_hooks": Repository.commit_hooks,
    "obstacles": lambda repo: repo.obstacles(["a.clean", "a.plain"]),
    "identity": Repository.identity,
    "worktrees": lambda repo: [Worktrees(repo, {**repo.environ, "KIMICODE_HOME": f"{repo.work_tree.parent}/home"}).all()],
    "attributes": lambda repo: repo.attributes(["a.conv"], ["diff"], staged=False),
}
"""Every question there is."""

DO: dict[str, Ask] = {
    "commit": lambda repo: repo.make_commit("m", skip_hooks=True),
    "commit of files": lambda repo: repo.make_commit("m", paths=["a.plain", "a.conv", "a.cmd", "new"], skip_hooks=True),
    "notes_add": lambda repo: repo.notes_add("refs/notes/kimicode", "HEAD", "x"),
    "worktree": lambda repo: Worktrees(repo, {**repo.environ, "KIMICODE_HOME": f"{repo.work_tree.parent}/home"}).create("x"),
    "worktree removed": lambda repo: _made_and_removed(Worktrees(repo, {**repo.environ, "KIMICODE_HOME": f"{repo.work_tree.parent}/home"})),
}
"""Everything that is written."""


def _made_and_removed(worktrees: Worktrees) -> None:
    made = worktrees.create("x")
    (made.path / "a.plain").write_text("4\n")
    with pytest.raises(RefusedError):
        worktrees.remove("x")
    worktrees.remove("x", force=True)
    assert not made.path.exists()


TRAPS = {
    "fsmonitor", "hook", "clean", "smudge", "process", "included", "included-if", "info", "global-attributes", "textconv", "command",
    "external", "pager", "ssh", "alias", "gpg", "submodule", "alternates",
}  # fmt: skip
"""Where a program is named that plain git would run."""


class Trapped:
    """A repository full of traps. A trap that is sprung leaves a file with its name in `sprung`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.canaries = folder / "canaries"
        self.trap = folder / "trap"
        self.canaries.mkdir()
        self.trap.write_text(f'#!/bin/sh\n: > {self.canaries}/"$1"\ncase "$1" in ssh|pager|fetched) ;; *) exec cat ;; esac\n')
        self.trap.chmod(0o755)
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        (folder / ".gitconfig").write_text("[user]\nname = n\nemail = e@example.org\n[init]\ndefaultBranch = main\n")
        self.folder.mkdir()
        self.git("init", "-q")

    def git(self, *arguments: str, folder: Path | None = None, text: str | None = None, check: bool = True) -> str:
        """Plain git, as anybody would call it."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder or self.folder,
            env=self.environ,
            input=text if text is not None else "",
            capture_output=True,
            text=True,
            check=check,
            timeout=60,
            errors="replace",
        )
        return done.stdout.strip()

    def command(self, name: str) -> str:
        """The command line of a trap."""
        return f"{self.trap} {name}"

    def put(self, name: str, value: str, *, file: str = ".git/config") -> None:
        self.git("config", "--file", str(self.folder / file), name, value)

    def filter(self, name: str, *, file: str = ".git/config", kind: str = "clean", driver: str = "") -> None:
        self.put(f"filter.{driver or name}.{kind}", self.command(name), file=file)

    @property
    def sprung(self) -> set[str]:
        return {path.name for path in self.canaries.iterdir()}

    def found(self) -> Repository:
        repository = Repository.find(self.folder, self.environ)
        assert repository is not None
        return repository


@pytest.fixture
def trapped(tmp_path: Path) -> Trapped:
    trapped = Trapped(tmp_path)
    _fill(trapped)
    _add_submodule(trapped)
    _set_drivers(trapped)
    _set_programs(trapped)
    # Files that differ from the index in time and not in size, so that git looks into them.
    for path in trapped.folder.glob("a.*"):
        path.write_text("3\n")
    assert trapped.sprung == set()
    return trapped


def _fill(trapped: Trapped) -> None:
    for number in ("1", "2"):
        for kind in ("clean", "smudge", "process", "included", "included-if", "info", "global", "conv", "cmd", "ext", "plain"):
            (trapped.folder / f"a.{kind}").write_text(f"{number}\n")
        trapped.git("add", ".")
        trapped.git("commit", "-qm", number)
    # A commit that claims to be signed.
    body = trapped.git("cat-file", "commit", "HEAD").replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n", 1
    )
    trapped.git("update-ref", "HEAD", trapped.git("hash-object", "-t", "commit", "-w", "--stdin", text=body + "\n"))


def _set_drivers(trapped: Trapped) -> None:
    trapped.filter("clean")
    trapped.filter("smudge", kind="smudge")
    trapped.filter("info")
    trapped.filter("global-attributes", driver="Upper.Case")
    trapped.filter("included", file="evil.cfg")
    trapped.filter("included-if", file="evil-if.cfg")
    trapped.put("include.path", "../evil.cfg")
    trapped.put(f"includeIf.gitdir:{trapped.folder.parent}/.path", str(trapped.folder / "evil-if.cfg"))
    trapped.put("diff.conv.textconv", trapped.command("textconv"))
    trapped.put("diff.conv.cachetextconv", "true")
    trapped.put("diff.cmd.command", trapped.command("command"))
    trapped.put("diff.external", trapped.command("external"))
    trapped.put("core.attributesFile", str(trapped.folder / "attributes"))
    rules = [f"a.{kind} filter={kind}" for kind in ("clean", "smudge", "included", "included-if")]
    (trapped.folder / ".gitattributes").write_text("\n".join([*rules, "a.conv diff=conv", "a.cmd diff=cmd", ""]))
    (trapped.folder / "attributes").write_text("a.global filter=Upper.Case\n")
    (trapped.folder / ".git/info").mkdir(exist_ok=True)
    trapped.filter("process", kind="process", driver="a.b=c")
    (trapped.folder / ".git/info/attributes").write_text("a.info filter=info\na.process filter=a.b=c\n")


def _set_programs(trapped: Trapped) -> None:
    trapped.put("core.fsmonitor", trapped.command("fsmonitor"))
    trapped.put("core.pager", trapped.command("pager"))
    trapped.put("pager.status", "true")
    trapped.put("core.sshCommand", trapped.command("ssh"))
    trapped.put("alias.st", "!" + trapped.command("alias"))
    trapped.put("log.showSignature", "true")
    trapped.put("diff.submodule", "diff")
    trapped.put("diff.ignoreSubmodules", "none")
    trapped.put("status.submoduleSummary", "true")
    trapped.put("core.alternateRefsCommand", trapped.command("alternates"))
    gpg = trapped.folder / "gpg"
    gpg.write_text(f"#!/bin/sh\nexec {trapped.command('gpg')}\n")
    gpg.chmod(0o755)
    trapped.put("gpg.program", str(gpg))
    trapped.put("remote.origin.url", "ssh://example.invalid/x")
    for hook in ("post-index-change", "post-checkout", "reference-transaction", "pre-commit", "post-commit"):
        path = trapped.folder / ".git/hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{trapped.command('hook')} </dev/null\n")
        path.chmod(0o755)


def _add_submodule(trapped: Trapped) -> None:
    inner = trapped.folder / "sub"
    inner.mkdir()
    trapped.git("init", "-q", folder=inner)
    (inner / "f").write_text("1\n")
    trapped.git("add", "f", folder=inner)
    trapped.git("commit", "-qm", "1", folder=inner)
    oid = trapped.git("rev-parse", "HEAD", folder=inner)
    trapped.git("update-index", "--add", "--cacheinfo", f"160000,{oid},sub")
    # Git looks into a submodule by starting another git there, which knows our settings but not of this driver.
    trapped.git("config", "filter.inner.clean", trapped.command("submodule"), folder=inner)
    (inner / ".git/info/attributes").write_text("f filter=inner\n")
    (trapped.folder / ".gitmodules").write_text('[submodule "sub"]\npath = sub\nurl = ./sub\nignore = none\n')
    (inner / "f").write_text("2\n")


def test_plain_git_springs_every_trap(trapped: Trapped) -> None:
    """The positive control: without it, a trap that is set wrongly would look like one that is avoided."""
    for arguments in (
        ["status"], ["diff"], ["log", "-p"], ["show", "HEAD:a.conv", "--textconv"], ["show"], ["st"],
        ["-c", "diff.external=", "diff", "HEAD~1"], ["checkout", "-f", "HEAD", "."], ["fetch"],
    ):  # fmt: skip
        trapped.git(*arguments, check=False)
    subprocess.run(["git", "clone", "-q", "--bare", trapped.folder, trapped.folder.parent / "other"], check=True, env=trapped.environ)
    (trapped.folder / ".git/objects/info").mkdir(exist_ok=True)
    (trapped.folder / ".git/objects/info/alternates").write_text(f"{trapped.folder.parent}/other/objects\n")
    trapped.put("remote.near.url", str(trapped.folder.parent / "other"))
    trapped.git("fetch", "near", check=False)
    _on_a_terminal(["git", "status"], trapped)
    assert trapped.sprung == TRAPS


def _on_a_terminal(command: list[str], trapped: Trapped) -> None:
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            command, cwd=trapped.folder, env=trapped.environ, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, check=False
        )
    finally:
        os.close(theirs)
        os.close(ours)


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK.keys())
def test_no_question_springs_a_trap_or_changes_the_repository(trapped: Trapped, ask: Ask) -> None:
    # Not in the control: there a required filter that fails would end plain git before the other traps.
    for driver in ("clean", "smudge", "a.b=c", "info", "Upper.Case", "included", "included-if"):
        trapped.put(f"filter.{driver}.required", "true")
    repository = trapped.found()
    before = _state(trapped.folder)
    assert ask(repository) not in (None, "", (), b"") or ask is ASK["diff staged"]
    assert trapped.sprung == set()
    assert _state(trapped.folder) == before


@pytest.mark.parametrize("do", DO.values(), ids=DO.keys())
def test_nothing_that_is_written_springs_a_trap(trapped: Trapped, do: Ask) -> None:
    for driver in ("clean", "smudge", "a.b=c", "info", "Upper.Case", "included", "included-if"):
        trapped.put(f"filter.{driver}.required", "true")
    trapped.put("trailer.ifexists", "addIfDifferent")
    trapped.put("trailer.sign.command", trapped.command("trailer"))
    trapped.put("commit.template", "a.plain")
    trapped.put("notes.rewriteRef", "refs/notes/*")
    trapped.put("maintenance.auto", "true")
    trapped.put("gc.auto", "1")
    for hook in ("prepare-commit-msg", "commit-msg", "pre-auto-gc", "post-rewrite", "pre-merge-commit"):
        path = trapped.folder / ".git/hooks" / hook
        path.write_text((trapped.folder / ".git/hooks/pre-commit").read_text())
        path.chmod(0o755)
    (trapped.folder / "new").write_text("1\n")
    before = trapped.git("for-each-ref")
    trapped.canaries.joinpath("hook").unlink(missing_ok=True)
    do(trapped.found())
    assert trapped.sprung == set()
    after = trapped.git("for-each-ref")
    assert (after != before) == (do is not DO["worktree removed"])


def test_where_the_users_own_commit_would_run_something_none_is_made(trapped: Trapped) -> None:
    repository = trapped.found()
    with pytest.raises(RefusedError, match="hooks"):
        repository.make_commit("m")
    with pytest.raises(RefusedError, match="filter"):
        repository.make_commit("m", paths=["a.clean"], skip_hooks=True)
    trapped.put("commit.gpgSign", "true")
    with pytest.raises(RefusedError, match="signed"):
        repository.make_commit("m", skip_hooks=True)
    assert trapped.sprung == set()
    # Plain git runs all of it.
    trapped.git("commit", "-m", "m", "a.clean", check=False)
    assert trapped.sprung >= {"hook", "clean", "gpg"}


def _state(folder: Path) -> dict[Path, tuple[int, ...]]:
    """All that shows whether a file was written, or replaced by an equal one."""
    found = {path: path.lstat() for path in sorted(folder.rglob("*"))}
    return {path: (stat.st_ino, stat.st_mode, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for path, stat in found.items()}


def test_what_is_answered_is_right_all_the_same(trapped: Trapped) -> None:
    repository = trapped.found()
    changed = {entry.path for entry in repository.status() if entry.unstaged == "M"}
    assert {f"a.{kind}" for kind in ("clean", "smudge", "process", "info", "conv", "cmd", "plain")} <= changed
    diff = repository.diff()
    assert diff.count(b"\n-2\n+3\n") == 11
    assert b"sub" not in diff


def test_a_submodule_that_moved_is_still_told(trapped: Trapped) -> None:
    inner = trapped.folder / "sub"
    oid = trapped.git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "2", folder=inner)
    trapped.git("update-ref", "HEAD", oid, folder=inner)
    repository = trapped.found()
    assert [entry.unstaged for entry in repository.status() if entry.path == "sub"] == ["M"]
    assert b"+Subproject commit " in repository.diff(paths=["sub"])
    assert trapped.sprung == set()


def test_a_missing_object_is_fetched_from_nobody(tmp_path: Path) -> None:
    trapped = Trapped(tmp_path)
    (trapped.folder / "f").write_text("x\n")
    trapped.git("add", ".")
    trapped.git("commit", "-qm", "1")
    oid = trapped.git("rev-parse", "HEAD:f")
    (trapped.folder / ".git/objects" / oid[:2] / oid[2:]).unlink()
    trapped.put("core.repositoryformatversion", "1")
    trapped.put("extensions.partialClone", "evil")
    trapped.put("remote.evil.promisor", "true")
    trapped.put("remote.evil.url", f"ext::{trapped.command('fetched')}")
    trapped.put("protocol.ext.allow", "always")
    (trapped.folder / "f").write_text("y\n")
    repository = trapped.found()
    for ask in (lambda: repository.blob(oid), lambda: repository.diff(), lambda: repository.diff("HEAD")):
        with pytest.raises(ToolError):
            ask()
    assert trapped.sprung == set()
    trapped.git("cat-file", "-p", oid, check=False)
    assert trapped.sprung == {"fetched"}


def test_a_common_folder_that_is_elsewhere_is_not_followed(tmp_path: Path) -> None:
    """A file `commondir` in `.git` makes git read another configuration."""
    trapped = Trapped(tmp_path)
    evil = trapped.folder / "evil"
    trapped.git("init", "-q", str(evil))
    trapped.git("config", "core.fsmonitor", trapped.command("common"), folder=evil)
    (trapped.folder / ".git/commondir").write_text("../evil/.git\n")
    trapped.found().status()
    assert trapped.sprung == set()
    trapped.git("status")
    assert trapped.sprung == {"common"}


def test_a_worktree_whose_pointer_was_swapped_is_read_where_it_was(tmp_path: Path) -> None:
    trapped = Trapped(tmp_path)
    trapped.git("commit", "-q", "--allow-empty", "-m", "1")
    worktree = tmp_path / "worktree"
    trapped.git("worktree", "add", "-q", "-b", "side", str(worktree))
    repository = Repository.find(worktree, trapped.environ)
    assert repository is not None
    (worktree / ".git").unlink()
    trapped.git("init", "-q", str(worktree))
    trapped.git("config", "core.fsmonitor", trapped.command("swapped"), folder=worktree)
    assert repository.branch() == "side"
    repository.status()
    again = Repository.find(worktree, trapped.environ)
    assert again is not None
    again.status()
    assert trapped.sprung == set()
    trapped.git("status", folder=worktree)
    assert trapped.sprung == {"swapped"}


def test_a_git_in_the_repository_is_not_the_git_that_runs(tmp_path: Path) -> None:
    trapped = Trapped(tmp_path)
    tools = trapped.folder / "bin"
    tools.mkdir()
    (tools / "git").write_text(f"#!/bin/sh\nexec {trapped.command('planted')}\n")
    (tools / "git").chmod(0o755)
    (trapped.folder / "git").write_text((tools / "git").read_text())
    (trapped.folder / "git").chmod(0o755)
    environ = {**trapped.environ, "PATH": f".::bin:{tools}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    code = "import os, pathlib, kimicode.repo.git as g; print(g.Repository.find(pathlib.Path('.'), os.environ).status())"
    done = subprocess.run([sys.executable, "-c", code], cwd=trapped.folder, env=environ, capture_output=True, text=True, check=True)
    assert "bin/git" in done.stdout
    assert trapped.sprung == set()
    subprocess.run(["git", "version"], cwd=trapped.folder, env=environ, check=True, stdin=subprocess.DEVNULL)
    assert trapped.sprung == {"planted"}


def test_variables_of_a_hook_or_of_somebody_else_count_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trapped = Trapped(tmp_path)
    (trapped.folder / "f").write_text("x\n")
    trapped.git("add", ".")
    trapped.git("commit", "-qm", "1")
    (trapped.folder / "f").write_text("y\n")
    other = tmp_path / "other"
    trapped.git("init", "-q", str(other))
    variables = {
        "GIT_DIR": f"{other}/.git",
        "GIT_WORK_TREE": str(other),
        "GIT_COMMON_DIR": f"{other}/.git",
        "GIT_INDEX_FILE": f"{tmp_path}/no-index",
        "GIT_OBJECT_DIRECTORY": f"{other}/.git/objects",
        "GIT_EXTERNAL_DIFF": trapped.command("env-diff"),
        "GIT_PAGER": trapped.command("env-pager"),
        "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor'='{trapped.command('env-config')}'",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": trapped.command("env-count"),
        "GIT_EXEC_PATH": str(other),
        "GIT_NAMESPACE": "x",
        "GIT_PREFIX": "x/",
        "GIT_TRACE": f"{tmp_path}/trace",
        "GIT_TRACE2_EVENT": f"{tmp_path}/trace",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    repository = Repository.find(trapped.folder, {**os.environ, **trapped.environ})
    assert repository is not None
    assert repository.work_tree == trapped.folder
    assert [entry.path for entry in repository.status()] == ["f"]
    assert b"-x\n+y\n" in repository.diff()
    assert repository.head() is not None
    assert not (tmp_path / "trace").exists()
    assert trapped.sprung == set()


def test_git_may_start_no_other_process(tmp_path: Path) -> None:
    """The second line, for what the first does not know of. Root is not bound by the limit, so the limit itself is looked at."""
    trapped = Trapped(tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    said = tmp_path / "limits"
    (tools / "git").write_text(f'#!/bin/sh\nwhile read -r line; do echo "$line"; done </proc/self/limits >{said}\n')
    (tools / "git").chmod(0o755)
    repository = Repository.find(trapped.folder, {"PATH": str(tools)})
    assert repository is not None
    (line,) = [line for line in said.read_text().splitlines() if line.startswith("Max processes")]
    assert line.split()[2:4] == ["0", "0"]
