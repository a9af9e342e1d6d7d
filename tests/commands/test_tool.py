"""kimicode tool: answer, streams and exit codes."""

from pathlib import Path

import pytest

from kimicode.commands.tool import run_tool, tool

KNOWN = "The tools are: read, write, edit, patch, grep, symbols, map, glob, git, shell, todo."


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KIMICODE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws" / "a.py").write_text("x = 1\n")
    return tmp_path / "ws"


@pytest.mark.parametrize(
    ("name", "arguments", "permission", "code", "out", "err"),
    [
        ("read", '{"path": "a.py"}', "read-only", 0, "x = 1\n", ""),
        ("shell", '{"command": "echo hi; exit 3"}', "workspace", 0, "hi\n[exit 3]\n", ""),
        ("edit", '{"path": "a.py", "old_string": "1", "new_string": "2"}', "workspace", 0, "Edited a.py: 1 replacement.\n", ""),
        ("read", '{"path": "b.py"}', "workspace", 1, "", "Error: b.py does not exist. Nearest names in that folder: a.py.\n"),
        ("read", '{"path": "/etc/passwd"}', "workspace", 77, "", "Refused: /etc/passwd: outside the workspace"),
        ("read", '{"path": "/dev/null"}', "full", 1, "", "Error: /dev/null is a device"),
        ("write", '{"path": "b", "content": ""}', "read-only", 77, "", "Refused: b: writing is off"),
        ("shell", '{"command": "ls"}', "read-only", 0, "a.py\n[exit 0]\n", ""),
        ("shell", '{"command": "touch b"}', "read-only", 77, "", "Refused: shell: permission is read-only"),
        ("shell", '{"command": "$X"}', "workspace", 77, "", "Nobody is there to be asked"),
        ("patch", '{"patch": "*** Begin Patch\\n*** Add File: n\\n+x\\n*** End Patch"}', "workspace", 0, "A n (+1)\n", ""),
        (
            "bash",
            "{}",
            "workspace",
            2,
            "",
            f"there is no tool 'bash'\n  {KNOWN}",
        ),
        ("read", "{", "workspace", 2, "", KNOWN),
        ("read", '{"file": "a.py"}', "workspace", 2, "", "read: path is missing; the arguments can't have 'file'. Send"),
        ("read", '{"path": "a.py"}', "root", 2, "", "--permission can't be 'root'"),
    ],
)
def test_streams_and_exit_codes(
    workspace: Path, capfd: pytest.CaptureFixture[str], name: str, arguments: str, permission: str, code: int, out: str, err: str
) -> None:
    assert run_tool(name, arguments, permission, workspace) == code
    got = capfd.readouterr()
    assert got.out == out
    assert err in got.err
    assert bool(err) == bool(got.err)


def test_in_the_current_directory(workspace: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    assert tool("glob", '{"pattern": "*"}') == 0
    assert capfd.readouterr().out == "a.py\n"


def test_large_output_goes_to_the_users_data(workspace: Path, capfd: pytest.CaptureFixture[str], home: Path) -> None:
    assert run_tool("shell", '{"command": "seq 1 20000"}', "workspace", workspace) == 0
    path = home / "scratch" / "by-hand" / "shell-1.txt"
    assert str(path) in capfd.readouterr().out
    assert run_tool("read", f'{{"path": "{path}", "offset": 20000}}', "workspace", workspace) == 0
    assert capfd.readouterr().out == "20000\n"


def test_a_file_name_that_is_no_unicode(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (workspace / "caf\udce9").touch()
    assert run_tool("read", '{"path": "cafe"}', "workspace", workspace) == 1
    assert "Nearest names in that folder: caf\ufffd." in capfd.readouterr().err
