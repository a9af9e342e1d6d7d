"""The patch tool: what it says, what it keeps, and that whatever it refuses leaves every file as it was."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kimicode.messages import ToolCall, ToolResult
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools import patch, read
from kimicode.tools.base import ToolContext
from kimicode.tools.hands import Hands
from kimicode.tools.registry import Toolbox
from kimicode.tools.spec import full_spec

Apply = Callable[[str], ToolResult]


def boxed(context: ToolContext) -> Toolbox:
    tools = (
        patch.Patch(full_spec(patch.NAME, patch.PROPERTIES, patch.REQUIRED)),
        read.Read(full_spec(read.NAME, read.PROPERTIES, read.REQUIRED)),
    )
    return Toolbox(tools, context)


def call(box: Toolbox, name: str, **arguments: str) -> ToolResult:
    return asyncio.run(box.run(ToolCall(f"functions.{name}:0", name, json.dumps(arguments))))


@pytest.fixture
def context(workspace: Path, scratch: Path) -> ToolContext:
    return ToolContext(workspace, Policy(Permission.WORKSPACE, workspace, (scratch,)), scratch)


@pytest.fixture
def apply(context: ToolContext) -> Apply:
    return lambda text: call(boxed(context), "patch", patch=text)


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes()) for path in files}


def test_all_operations_at_once(workspace: Path, apply: Apply) -> None:
    (workspace / "m.py").write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    (workspace / "run.sh").write_text("echo 1\n")
    (workspace / "run.sh").chmod(0o750)
    (workspace / "gone").write_text("1\n2\n")
    (workspace / "other").write_text("other\n")
    result = apply(
        "*** Begin Patch\n*** Add File: new/deep/f.txt\n+x\n+y\n*** Update File: m.py\n@@\n-b = 2\n+b = 3\n+c = 4\n"
        "*** Delete File: gone\n*** Update File: run.sh\n*** Move to: bin/run\n@@\n-echo 1\n+echo 2\n*** End Patch"
    )
    assert result.ok
    assert result.content == "A new/deep/f.txt (+2)\nM m.py (+2 -1)\nD gone (-2)\nR run.sh -> bin/run (+1 -1)"
    assert (workspace / "m.py").read_bytes() == b"\xef\xbb\xbfa = 1\r\nb = 3\r\nc = 4\r\n"
    assert sorted(snapshot(workspace)) == ["bin/run", "m.py", "new/deep/f.txt", "other"]
    assert (workspace / "bin/run").stat().st_mode & 0o777 == 0o750


def test_files_that_change_places_keep_their_modes(workspace: Path, apply: Apply) -> None:
    for name, mode in (("a", 0o700), ("b", 0o644)):
        (workspace / name).write_text(f"{name}\n")
        (workspace / name).chmod(mode)
    moves = [("a", "t"), ("b", "a"), ("t", "b")]
    assert apply("".join(f"*** Update File: {old}\n*** Move to: {new}\n" for old, new in moves)).ok
    assert {name: (mode & 0o777, data) for name, (mode, data) in snapshot(workspace).items()} == {
        "a": (0o644, b"b\n"),
        "b": (0o700, b"a\n"),
    }


def test_what_was_overlooked_and_what_no_longer_parses_is_said(workspace: Path, apply: Apply) -> None:
    (workspace / "f.py").write_text("def f():  \n    return 1\n\n\ndef g():\n    return 2\n")
    result = apply("*** Update File: f.py\n@@\n def f():\n-    return 1\n+    return (1\n")
    assert result.ok
    first, second, *more = result.content.split("\n")
    assert (first, second) == ("M f.py (+1 -1)", "f.py, line 1: trailing blanks ignored")
    assert more[0].startswith("f.py: The Python file no longer parses")
    assert (workspace / "f.py").read_text().startswith("def f():  \n    return (1\n")


def test_indentation_follows_the_file(workspace: Path, apply: Apply) -> None:
    (workspace / "f.py").write_text("class A:\n    def f(self):\n        return 1\n")
    assert apply("*** Update File: f.py\n@@\n def f(self):\n-    return 1\n+    x = 1\n+    return x\n").ok
    assert (workspace / "f.py").read_text() == "class A:\n    def f(self):\n        x = 1\n        return x\n"


GOOD = "*** Update File: good\n@@\n-good\n+better\n"


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("*** Add File: good2\n+x\n*** Update File: none\n@@\n-a\n+b\n", "Error: none: it does not exist"),
        ("*** Update File: x\n@@\n-b\n+B\n", "Error: x: the hunk at patch line 6: its lines are not in the file."),
        ("*** Update File: x\n@@\n-a\n+B\n", "Error: x: the hunk at patch line 6: its line is at several places: lines 1, 3."),
        ("*** Update File: x\n*** Move to: y\n", "Error: x: it can't move to y, which exists."),
        ("*** Add File: x\n+1\n", "Error: x: it exists, so it can't be added."),
        ("*** Delete File: folder\n", "Error: folder is a folder"),
        ("*** Update File: latin\n@@\n-a\n+b\n", "Error: latin is not UTF-8 text"),
        ("*** Delete File: binary\n", "Error: binary is a binary file"),
        ("*** Add File: x/below\n+1\n", "Error: x/below"),
        ("*** Add File: .git/hooks/pre-commit\n+#!/bin/sh\n", "Refused: .git/hooks/pre-commit: "),
        ("*** Add File: ../outside\n+1\n", "Refused: ../outside: outside the workspace"),
        ("*** Add File: /etc/kimicode-test\n+1\n", "Refused: /etc/kimicode-test: outside the workspace"),
        ("*** Update File: x\n*** Move to: ../outside\n", "Refused: ../outside: outside the workspace"),
        ("*** Update File: out\n@@\n-secret\n+1\n", "Refused: out: outside the workspace"),
        ("*** Delete File: out\n", "Error: out is a link; a patch can't delete or move it."),
        ("*** Delete File: in\n", "Error: in is a link; a patch can't delete or move it."),
        ("*** Update File: in\n*** Move to: in2\n", "Error: in is a link; a patch can't delete or move it."),
        ("*** Add File: way/through\n+1\n", "Refused: way/through: outside the workspace"),
        ("*** Add File: a\0b\n+1\n", "Error: "),
        ("*** Update File: x\n@@\n c\n+d\n*** Update File: ./x\n@@\n-c\n+e\n", "Error: x and ./x are the same file."),
    ],
)
def test_a_patch_is_applied_whole_or_not_at_all(workspace: Path, tmp_path: Path, apply: Apply, part: str, message: str) -> None:
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "elsewhere").mkdir()
    for name, data in {"good": b"good\n", "x": b"a\nc\na\n", "y": b"y\n", "latin": b"caf\xe9\n", "binary": b"\0"}.items():
        (workspace / name).write_bytes(data)
    (workspace / "folder").mkdir()
    (workspace / "out").symlink_to(tmp_path / "secret")
    (workspace / "in").symlink_to("y")
    (workspace / "way").symlink_to(tmp_path / "elsewhere")
    before, links = snapshot(tmp_path), sorted(os.listdir(workspace))
    result = apply(GOOD + part)
    assert result.content.startswith(message), result.content
    assert not result.ok
    assert sorted(os.listdir(workspace)) == links
    after = {name: state for name, state in snapshot(tmp_path).items() if not name.startswith("scratch/")}
    assert after == before
    assert apply(GOOD).ok


@pytest.mark.parametrize("mode", ["120000", "160000"])
def test_a_patch_can_make_no_link_and_then_write_through_it(workspace: Path, tmp_path: Path, apply: Apply, mode: str) -> None:
    result = apply(
        f"diff --git a/l b/l\nnew file mode {mode}\nindex 0000000..1234567\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+{tmp_path}\n"
        "\\ No newline at end of file\n"
        "diff --git a/l/f b/l/f\nnew file mode 100644\n--- /dev/null\n+++ b/l/f\n@@ -0,0 +1 @@\n+x\n"
    )
    assert f"mode {mode} is" in result.content
    assert os.listdir(workspace) == []
    assert not (tmp_path / "f").exists()


def test_looking_only_changes_nothing(workspace: Path, scratch: Path) -> None:
    (workspace / "good").write_text("good\n")
    box = boxed(ToolContext(workspace, Policy(Permission.READ_ONLY, workspace), scratch))
    assert call(box, "patch", patch=GOOD).content.startswith("Refused: good: writing is off")
    assert (workspace / "good").read_text() == "good\n"


def test_a_file_that_changed_since_it_was_read_is_left(workspace: Path, tmp_path: Path, scratch: Path) -> None:
    policy = Policy(Permission.WORKSPACE, workspace)
    kept: list[bytes] = []
    hands = Hands(
        policy,
        locks=tmp_path / "locks",
        journal=tmp_path / "journal",
        strict=True,
        keep=lambda states: kept.extend(data for _, data in states.values()),
    )
    box = boxed(ToolContext(workspace, policy, scratch, hands))
    (workspace / "good").write_text("good\n")
    assert "not read yet" in call(box, "patch", patch=GOOD).content
    assert call(box, "read", path="good").ok
    (workspace / "good").write_text("good\nand more\n")
    assert "changed since you last read it" in call(box, "patch", patch=GOOD).content
    assert call(box, "read", path="good").ok
    assert call(box, "patch", patch=GOOD).ok
    assert call(box, "patch", patch=GOOD.replace("better", "best").replace("-good", "-better")).ok
    assert (workspace / "good").read_text() == "best\nand more\n"
    assert kept == [b"good\nand more\n", b"better\nand more\n"]


def test_accesses_are_the_paths_of_the_patch(workspace: Path, context: ToolContext) -> None:
    box = boxed(context)

    def accessed(text: str) -> tuple[Path, ...]:
        return box.accesses(ToolCall("functions.patch:0", "patch", json.dumps({"patch": text}))).writes

    assert accessed("*** Update File: a\n*** Move to: b/c\n") == (workspace / "a", workspace / "b/c")
    assert accessed("not a patch") == ()
