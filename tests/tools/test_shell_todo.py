"""shell and todo: the exact results."""

import asyncio
import json
import os
from pathlib import Path

import msgspec
import pytest

from kimicode.messages import ToolCall
from kimicode.sandbox.boundary import Boundary, Network, Tier, limits_for
from kimicode.sandbox.capture import Captured
from kimicode.sandbox.policy import Permission, Policy
from kimicode.sandbox.probe import probe
from kimicode.sandbox.run import Finished, Sandbox
from kimicode.tools.base import ToolContext
from kimicode.tools.registry import Toolbox, default_tools
from kimicode.tools.shell import result_text


@pytest.mark.parametrize(
    ("command", "content"),
    [
        ("true", "[exit 0]"),
        ("exit 3", "[exit 3]"),
        ("echo hi", "hi\n[exit 0]"),
        ("echo out; echo err >&2; false", "out\nerr\n[exit 1]"),
        ("printf 'a \\n\\n  \\n'", "a\n[exit 0]"),
        ("printf '  \\n'", "[exit 0]"),
        ("printf '  a'", "  a\n[exit 0]"),
        ("", "[exit 0]"),
        ("cat", "[exit 0]"),
        ("kill -9 $$", "[exit 137]"),
        ("basename $PWD", "ws\n[exit 0]"),
        ("cd /; x=1", "[exit 0]"),
    ],
)
def test_result(use, command: str, content: str) -> None:
    result = use("shell", command=command)
    assert (result.content, result.ok) == (content, True)


def test_time_limit(use) -> None:
    assert use("shell", command="echo first; sleep 100", timeout_s=0.5).content == "first\n[timed out after 0.5 s]"
    assert use("shell", command="sleep 100", timeout_s=1).content == "[timed out after 1 s]"
    assert use("shell", command="true", timeout_s=600).content == "[exit 0]"
    assert use("shell", command="true", timeout_s=601).content.startswith("Error: shell: timeout_s must be at most 600.")
    assert use("shell", command="true", timeout_s=0).content.startswith("Error: shell: timeout_s must be at least 0.1.")


def test_large_output_has_head_tail_and_a_path_that_can_be_read(use, scratch: Path) -> None:
    content = use("shell", command="seq 1 20000; exit 4").content
    assert len(content) < 17_000
    assert content.startswith("1\n2\n")
    assert content.endswith("\n20000\n[exit 4]")
    path = scratch / "shell-1.txt"
    assert f"bytes left out here: the whole is in {path}; read it with offset, or grep it]\n" in content
    assert use("read", path=str(path), offset=10_000, limit=1).content.startswith("10000\n[lines 10000-10000 of 20000;")
    assert use("grep", pattern="^12345$", path=str(path)).content == f"{path}\n12345: 12345"
    assert use("write", path=str(path), content="").content.startswith("Refused:")


def test_output_up_to_the_limit_is_whole(use, scratch: Path) -> None:
    content = use("shell", command="head -c 29000 /dev/zero | tr '\\0' x").content
    assert content == "x" * 29_000 + "\n[exit 0]"
    assert not scratch.exists()


def test_where_the_disk_is_full_the_middle_is_lost_and_nothing_else(use, scratch: Path) -> None:
    scratch.write_text("a file where the folder should be")
    content = use("shell", command="seq 1 20000").content
    assert "bytes left out here: they could not be kept]" in content
    assert content.endswith("20000\n[exit 0]")


def test_secrets_are_not_shown(use, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", "sk-secret")
    monkeypatch.setenv("LC_HARMLESS", "sk-shown")
    content = use("shell", command="env").content
    assert "sk-shown" in content
    assert "sk-secret" not in content
    assert os.environ["MOONSHOT_API_KEY"] == "sk-secret"


def test_refused_where_nothing_holds_it_to_looking(read_only, workspace: Path) -> None:
    result = read_only("shell", command="touch made")
    assert not result.ok
    assert result.content.startswith("Refused: shell: permission is read-only")
    assert not (workspace / "made").exists()


def reader_exists(fifo: Path) -> bool:
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def test_a_cancelled_command_does_not_go_on(toolbox: Toolbox, workspace: Path) -> None:
    async def scenario() -> None:
        command = "mkfifo gate; touch started; cat gate; touch survived"
        call = ToolCall("functions.shell:0", "shell", f'{{"command": "{command}"}}')
        task = asyncio.create_task(toolbox.run(call))
        while not (workspace / "started").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while reader_exists(workspace / "gate"):  # noqa: ASYNC110 - a killed process may take a moment to go
            await asyncio.sleep(0.01)

    asyncio.run(scenario())
    assert not (workspace / "survived").exists()


def test_todo(use) -> None:
    items = [{"text": "look", "status": "done"}, {"text": "fix", "status": "in_progress"}, {"text": "test", "status": "pending"}]
    assert use("todo", items=items).content == "[x] look\n[~] fix\n[ ] test"
    assert use("todo", items=[]).content == "The list is empty."
    wrong = use("todo", items=[{"text": "x", "status": "later"}, {"text": 1, "status": "done"}, {"status": "done"}, "x"]).content
    assert wrong == (
        "Error: todo: items[0].status is 'later', not one of pending, in_progress, done; items[1].text must be a string, not the number 1; "
        "items[2].text is missing; items[3] must be an object, not a string. "
        'Send {"items": [{"text": string, "status": "pending" | "in_progress" | "done"}, …]}.'
    )


# In a sandbox


def boxed(folder: Path, tier: Tier = Tier.LANDLOCK, **changes: object) -> Toolbox:
    workspace = folder / "ws"
    workspace.mkdir(exist_ok=True)
    boundary = Boundary(
        writable=(workspace,), temporary=folder / "own", environ={"PATH": os.environ["PATH"]}, limits=limits_for(0), cwd=workspace
    )
    sandbox = Sandbox(msgspec.structs.replace(boundary, **changes), tier, probe(), folder / "registry")
    scratch = folder / "scratch"
    context = ToolContext(workspace, Policy(Permission.WORKSPACE, workspace, (scratch,)), scratch, sandbox=sandbox)
    return Toolbox(default_tools(), context)


def shell(toolbox: Toolbox, command: str) -> str:
    arguments = json.dumps({"command": command})
    return asyncio.run(toolbox.run(ToolCall("functions.shell:0", "shell", arguments))).content


@pytest.mark.parametrize("tier", [Tier.BUBBLEWRAP, Tier.LANDLOCK])
def test_commands_run_in_the_sandbox_of_the_context(tmp_path: Path, tier: Tier) -> None:
    toolbox = boxed(tmp_path.resolve(), tier)
    assert shell(toolbox, "echo hi > f; cat f; pwd") == f"hi\n{tmp_path.resolve()}/ws\n[exit 0]"
    assert shell(toolbox, f"echo x > {Path.home()}/.kimicode-test").endswith("[exit 1]")
    assert not (Path.home() / ".kimicode-test").exists()


def test_where_a_command_met_the_walls_one_line_says_what_they_are(tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    walls = (
        f"[sandbox: commands can write in {folder}/ws (not to protected files there) and $TMPDIR; no network. "
        "Do not work around it: say what is needed, so that the user can do or allow it.]"
    )
    denied = f"echo x > {folder}/elsewhere"
    lines = shell(boxed(folder), denied).splitlines()
    assert lines[1:] == [walls, "[exit 1]"]
    assert "Permission denied" in lines[0]
    # Not where nothing failed, where something else failed, or where there are no walls.
    assert "sandbox" not in shell(boxed(folder), f"{denied}; true")
    assert "sandbox" not in shell(boxed(folder), "echo Read the manual; exit 1")
    assert "sandbox" not in shell(boxed(folder, Tier.NONE), "echo Permission denied; exit 1")
    assert "$TMPDIR. Do not" in shell(boxed(folder, network=Network("all")), denied)
    assert "[sandbox: commands can write in $TMPDIR only; no network." in shell(boxed(folder, writable=()), denied)


def test_what_was_put_back_is_said(tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    toolbox = boxed(folder, protected=(folder / "ws/.mcp.json",))
    content = shell(toolbox, "echo {} > .mcp.json")
    assert content.startswith(f"[protected: commands may not change '{folder}/ws/.mcp.json'. It is as it was")
    assert content.endswith("]\n[exit 0]")
    assert not (folder / "ws/.mcp.json").exists()


def test_what_could_not_be_put_back_is_said_louder() -> None:
    many = tuple(Path(f"/ws/{n}") for n in range(10))
    content = result_text(Finished(Captured("out"), 0, changed=many), 1)
    assert content.startswith("out\n[protected: commands may not change '/ws/0', '/ws/1',")
    assert content.endswith("'/ws/7' and 2 more, and it could not be put back: tell the user at once.]\n[exit 0]")


def test_a_sandbox_that_can_not_be_had_is_a_refusal(tmp_path: Path) -> None:
    toolbox = boxed(tmp_path.resolve(), Tier.SEATBELT)
    assert shell(toolbox, "touch ran").startswith("Refused: sandbox: seatbelt can't be used here.")
    assert not (tmp_path / "ws/ran").exists()
