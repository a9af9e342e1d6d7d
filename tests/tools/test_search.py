"""grep and glob: ignore files count, order is stable, size is bounded."""

import asyncio
import os
from pathlib import Path

import pytest

from kimicode.errors import ToolError
from kimicode.messages import ToolCall
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools.base import ToolContext
from kimicode.tools.globs import matcher
from kimicode.tools.registry import Toolbox, default_tools
from kimicode.tools.ripgrep import locate, ripgrep

FILES = [
    "b.py",
    "a.py",
    "ignored.py",
    "build/out.py",
    "src/x.ts",
    "src/deep/y.py",
    ".github/ci.yml",
    ".git/config.py",
    "notes.md",
    "logs/z.log",
]


@pytest.fixture
def project(workspace: Path) -> Path:
    for name in FILES:
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(f"first\nneedle in {name}\n")
    (workspace / ".gitignore").write_text("ignored.py\nbuild/\n*.log\n")
    (workspace / "blob.bin").write_bytes(b"needle\0needle")
    (workspace / "outside").symlink_to("/etc")
    return workspace


def hits(*names: str) -> str:
    return "\n".join(f"{name}\n2: needle in {name}" for name in names)


def test_grep(project: Path, use) -> None:
    # Source before what is around it.
    want = [".github/ci.yml", "a.py", "b.py", "src/deep/y.py", "src/x.ts", "notes.md"]
    assert use("grep", pattern="needle").content == hits(*want)


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        ({"path": "src"}, ["src/deep/y.py", "src/x.ts"]),
        ({"path": "src/x.ts"}, ["src/x.ts"]),
        ({"path": "ignored.py"}, ["ignored.py"]),
        ({"glob": "*.py"}, ["a.py", "b.py", "src/deep/y.py"]),
        ({"glob": "src/**/*.py"}, ["src/deep/y.py"]),
        ({"glob": "*.{ts,md}"}, ["src/x.ts", "notes.md"]),
        ({"glob": "!*.py"}, [".github/ci.yml", "src/x.ts", "notes.md"]),
        ({"glob": "deep/*", "path": "src"}, ["src/deep/y.py"]),
        ({"glob": "*.ts", "path": "src/x.ts"}, ["src/x.ts"]),
        ({"path": None, "glob": "/a.py"}, ["a.py"]),
    ],
)
def test_grep_in_a_part(project: Path, use, arguments: dict[str, object], files: list[str]) -> None:
    assert use("grep", pattern="n[e]+dle", **arguments).content == hits(*files)


def test_grep_is_cut_at_its_limit(project: Path, use) -> None:
    assert use("grep", pattern="needle", limit=2).content.splitlines() == [
        *hits(".github/ci.yml", "a.py").splitlines(),
        "and 4 more in 4 files: b.py 1, src/deep/ 1, src/ 1, notes.md 1",
        "[2 of 6 matches with text; for more raise limit, or narrow pattern, path or glob]",
    ]
    assert "more" not in use("grep", pattern="needle", limit=6).content


def test_grep_without_a_match_or_a_pattern(project: Path, use) -> None:
    assert use("grep", pattern="nowhere to be found").content == "No matches for 'nowhere to be found'."
    assert use("grep", pattern="needle", glob="*.rs").content == "No matches for 'needle'."
    assert use("grep", pattern="nope", path="src").content == "No matches for 'nope' in src."
    broken = use("grep", pattern="(")
    assert not broken.ok
    assert broken.content.startswith("Error: grep:")
    assert "unclosed group" in broken.content
    assert use("grep", pattern="x", path="gone").content.startswith("Error: gone does not exist.")
    assert use("grep", pattern="x", path="outside/passwd").content.startswith("Refused: outside/passwd")
    assert use("grep", pattern="x", path="..").content.startswith("Refused: ..")


def test_patterns_and_paths_are_never_options(project: Path, use) -> None:
    (project / "--files").write_text("--pre=x\n")
    assert use("grep", pattern="--pre=x").content == "--files\n1: --pre=x"
    assert use("grep", pattern="--pre", path="--files").content == "--files\n1: --pre=x"
    assert use("glob", pattern="--fi*").content == "--files"


def test_grep_lines_of_any_length_and_encoding(project: Path, use) -> None:
    (project / "min.js").write_text("x" * 300_000 + "haystack" + "y" * 1_000_000)
    (project / "latin").write_bytes(b"haystack \xe9\n")
    content = use("grep", pattern="haystack").content
    assert len(content) < 2_000
    assert "latin\n1: haystack \ufffd" in content
    assert "min.js\n1: xxx" in content


def test_the_users_ripgrep_configuration_does_not_count(project: Path, use, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "rc").write_text("--files-with-matches\n")
    monkeypatch.setenv("RIPGREP_CONFIG_PATH", str(tmp_path / "rc"))
    assert use("grep", pattern="needle", path="a.py").content == hits("a.py")


def test_glob(project: Path, use) -> None:
    assert use("glob", pattern="*.py").content == "a.py\nb.py\nsrc/deep/y.py"
    assert use("glob", pattern="**/*.py", path="src").content == "src/deep/y.py"
    assert use("glob", pattern="**").content.splitlines() == sorted(
        [".github/ci.yml", ".gitignore", "a.py", "b.py", "blob.bin", "notes.md", "src/deep/y.py", "src/x.ts"]
    )
    assert use("glob", pattern="*.rs").content == "No files fit '*.rs'."
    assert use("glob", pattern="*", path="a.py").content == "Error: a.py is a file. Send the folder to look in, or use read."
    assert use("glob", pattern="*", path="gone").content.startswith("Error: gone does not exist.")
    assert use("glob", pattern="*", path="/").content.startswith("Refused: /")
    assert use("glob", pattern="").content.startswith("Error: '' is not a file pattern")


def test_glob_says_when_it_is_cut(workspace: Path, use) -> None:
    for n in range(501):
        (workspace / f"f{n:03}").touch()
    lines = use("glob", pattern="f*").content.splitlines()
    assert lines[:2] == ["f000", "f001"]
    assert lines[499:] == ["f499", "[the first 500 files; there are more: narrow the pattern or send a path]"]


def test_cancelling_a_search_leaves_no_process(project: Path, toolbox: Toolbox) -> None:
    fifo = project / "slow"
    os.mkfifo(fifo)

    async def scenario() -> None:
        # rg waits on a FIFO that is named, so this search would never end.
        task = asyncio.create_task(ripgrep(["--regexp=x", "--", str(fifo)], project, 10, lambda line: line))
        writer = None
        while writer is None:
            await asyncio.sleep(0)
            try:
                writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                continue
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        try:
            with pytest.raises(BrokenPipeError):
                os.write(writer, b"anyone there?")
        finally:
            os.close(writer)

    asyncio.run(scenario())


def test_many_searches_at_once(project: Path, toolbox: Toolbox) -> None:
    async def scenario() -> set[str]:
        call = ToolCall("functions.grep:0", "grep", '{"pattern": "needle", "limit": 1}')
        return {result.content for result in await asyncio.gather(*(toolbox.run(call) for _ in range(12)))}

    assert len(asyncio.run(scenario())) == 1


def test_rg_is_found_beside_python_then_on_the_path_or_missed_with_words(tmp_path: Path) -> None:
    for name in ("beside", "scripts", "path"):
        (tmp_path / name).mkdir()
    places = [tmp_path / "beside", tmp_path / "scripts"]
    with pytest.raises(ToolError, match="ripgrep \\(rg\\) is not installed"):
        locate(places, str(tmp_path / "path"))
    for name in ("path", "scripts", "beside"):
        rg = tmp_path / name / "rg"
        rg.write_text("#!/bin/sh\n")
        rg.chmod(0o755)
        assert locate(places, str(tmp_path / "path")) == rg


@pytest.mark.parametrize(
    ("pattern", "fits", "misses"),
    [
        ("*.py", ["a.py", "x/y/a.py", ".py"], ["a.pyc", "a.py/x"]),
        ("src/*.py", ["src/a.py"], ["src/x/a.py", "a/src/b.py", "a.py"]),
        ("src/**/*.py", ["src/a.py", "src/x/y/a.py"], ["a.py", "srcx/a.py"]),
        ("**/test_*.py", ["test_a.py", "x/test_b.py"], ["x/a.py"]),
        ("src/**", ["src/a", "src/x/y"], ["src", "a"]),
        ("src/", ["src/a", "x/src/y"], ["srcx"]),
        ("/a", ["a"], ["x/a"]),
        ("./a.py", ["a.py"], ["b"]),
        ("a?c", ["abc", "x/abc"], ["ac", "a/c"]),
        ("[ab].c", ["a.c", "b.c"], ["c.c"]),
        ("[!ab].c", ["c.c"], ["a.c", "x/a.c"]),
        ("[]].c", ["].c"], ["a.c"]),
        ("*.{c,h}", ["a.c", "x/a.h"], ["a.o", "a.{c,h}"]),
        ("{a,b{1,2}}", ["a", "b1", "b2"], ["b", "b3"]),
        ("a+b(c).py", ["a+b(c).py"], ["aab(c).py", "abc.py"]),
        ("a\\*b", ["a*b"], ["axb"]),
        ("!*.py", ["a.c"], ["a.py"]),
        ("a[b", ["a[b"], ["ab"]),
        ("a}b,c", ["a}b,c"], ["ab"]),
        ("a\nb", ["a\nb"], ["a"]),
    ],
)
def test_patterns(pattern: str, fits: list[str], misses: list[str]) -> None:
    match = matcher(pattern)
    assert [path for path in fits if not match(path)] == []
    assert [path for path in misses if match(path)] == []


@pytest.mark.parametrize("pattern", ["", "!", "{a,b", "[z-a]", "x" * 1000])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ToolError, match="is not a file pattern"):
        matcher(pattern)


def test_hidden_files_are_not_found(workspace: Path, scratch: Path) -> None:
    # The second piece of a name with a newline was once judged as if it were a path.
    for name in (".ssh/id", ".ssh/x\nprivate-too", "src/a"):
        (workspace / name).parent.mkdir(exist_ok=True)
        (workspace / name).write_text("private\n")
    policy = Policy(Permission.WORKSPACE, workspace, hidden=(workspace / ".ssh",))
    box = Toolbox(default_tools(), ToolContext(workspace, policy, scratch))
    for call in (ToolCall("1", "grep", '{"pattern": "private"}'), ToolCall("2", "glob", '{"pattern": "**"}')):
        content = asyncio.run(box.run(call)).content
        assert "src/a" in content
        assert ".ssh" not in content
        assert "private-too" not in content
