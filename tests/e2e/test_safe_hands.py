"""Unattended work through the real command line: commands are held, changes are kept, and everything comes back."""

import json
import os
import pty
import re
import select
import signal
import subprocess

import pytest

from kimicode.events import FilesChanged, Notice, SessionStarted, ToolFinished
from tests.e2e.conftest import Serve
from tests.e2e.kimi import DEADLINE, Kimi, do, runs, say, until

HERE = ("bubblewrap", "landlock")


def results(kimi: Kimi) -> list[str]:
    return [event.result.content for event in kimi.logged() if isinstance(event, ToolFinished)]


@pytest.mark.parametrize("tier", HERE)
def test_a_command_stays_in_the_workspace(kimi: Kimi, serve: Serve, tier: str) -> None:
    outside = kimi.workspace.parent / "outside"
    outside.mkdir()
    command = f"echo in > made; echo out > {outside}/made; cat {kimi.home}/sessions/*; echo $KIMICODE_CONFIG"
    ended = kimi.headless(serve(do(("shell", {"command": command})), say("ok")), "go", "--sandbox", tier)
    assert ended.code == 0
    assert f"sandbox {tier}" in ended.err
    assert (kimi.workspace / "made").read_text() == "in\n"
    assert list(outside.iterdir()) == []
    assert "session_started" not in results(kimi)[0]
    started = kimi.logged()[0]
    assert isinstance(started, SessionStarted)
    assert started.sandbox == tier
    assert any(isinstance(event, Notice) and "Reduced sandbox" in event.text for event in kimi.logged()) == (tier == "landlock")


@pytest.mark.parametrize("tier", HERE)
def test_git_and_agent_configuration_stay_as_they_are(kimi: Kimi, serve: Serve, tier: str) -> None:
    subprocess.run(["git", "init", "-q", kimi.workspace], check=True)
    before = (kimi.workspace / ".git" / "config").read_bytes()
    command = "git config core.fsmonitor ./evil; echo x > .git/hooks/post-commit; mkdir .kimicode; echo x > .kimicode/settings.toml; true"
    ended = kimi.headless(serve(do(("shell", {"command": command})), say("ok")), "go", "--sandbox", tier)
    assert ended.code == 0
    assert (kimi.workspace / ".git" / "config").read_bytes() == before
    assert not (kimi.workspace / ".git" / "hooks" / "post-commit").exists()
    assert not (kimi.workspace / ".kimicode").exists()


def test_without_a_sandbox_only_what_is_known_to_read_runs(kimi: Kimi, serve: Serve) -> None:
    (kimi.workspace / "a").write_text("text\n")
    server = serve(do(("shell", {"command": "cat a"}), ("shell", {"command": "touch b"})), say("ok"))
    ended = kimi.headless(server, "go", "--sandbox", "none")
    assert ended.code == 0
    assert "without an OS sandbox, as asked" in ended.err
    looked, refused = results(kimi)
    assert looked == "text\n[exit 0]"
    assert refused.startswith("Refused: shell: it is not among the commands that are known to only read")
    assert 'allow = ["shell(touch b)"]' in refused
    assert not (kimi.workspace / "b").exists()
    kimi.config.write_text('[permissions]\nallow = ["shell(touch *)"]\n[sandbox]\ntier = "none"\n')
    kimi.headless(serve(do(("shell", {"command": "touch b"})), say("ok")), "go")
    assert (kimi.workspace / "b").exists()


def test_everything_that_was_changed_comes_back(kimi: Kimi, serve: Serve) -> None:
    kept, gone, script = kimi.workspace / "kept.txt", kimi.workspace / "gone.bin", kimi.workspace / "run.sh"
    kept.write_text("one\n")
    gone.write_bytes(b"\0\1\2")
    script.write_text("true\n")
    script.chmod(0o644)
    (kimi.workspace / "link").symlink_to("kept.txt")
    server = serve(
        do(("read", {"path": "kept.txt"})),
        do(("edit", {"path": "kept.txt", "old_string": "one", "new_string": "two"}), first=1),
        do(("shell", {"command": "rm gone.bin link; chmod +x run.sh; mkdir new && echo x > new/file"}), first=2),
        say("done"),
    )
    assert kimi.headless(server, "change it all").code == 0
    assert kept.read_text() == "two\n"
    assert any(isinstance(event, FilesChanged) for event in kimi.logged())
    session = kimi.log().stem
    listed = kimi.run("sessions", "rewind", session)
    assert "change it all" in listed.out
    preview = kimi.run("sessions", "rewind", session, "--to", "1", "--preview")
    assert preview.code == 0
    assert kept.read_text() == "two\n"
    assert all(name in preview.out for name in ("kept.txt", "gone.bin", "run.sh", "link", "new"))
    assert kimi.run("sessions", "rewind", session, "--to", "1").code == 2
    assert kimi.run("sessions", "rewind", session, "--to", "1", "--yes").code == 0
    assert (kept.read_text(), gone.read_bytes(), script.stat().st_mode & 0o777) == ("one\n", b"\0\1\2", 0o644)
    assert os.readlink(kimi.workspace / "link") == "kept.txt"
    assert not (kimi.workspace / "new").exists()
    server = serve(say("fresh"))
    assert kimi.headless(server, "again", "--resume", session).code == 0
    assert [message["role"] for message in json.loads(server.calls[0].body)["messages"]] == ["system", "user"]


def test_a_file_the_user_changed_meanwhile_is_left_alone(kimi: Kimi, serve: Serve) -> None:
    file = kimi.workspace / "f"
    file.write_text("one\n")
    server = serve(do(("read", {"path": "f"})), do(("edit", {"path": "f", "old_string": "one", "new_string": "two"}), first=1), say("done"))
    assert kimi.headless(server, "go").code == 0
    file.write_text("mine\n")
    ended = kimi.run("sessions", "rewind", kimi.log().stem, "--to", "1", "--files", "--yes")
    assert ended.code == 77
    assert file.read_text() == "mine\n"
    assert kimi.run("sessions", "rewind", kimi.log().stem, "--to", "1", "--files", "--yes", "--force").code == 0
    assert file.read_text() == "one\n"


def test_a_file_must_be_read_and_still_be_as_it_was(kimi: Kimi, serve: Serve) -> None:
    (kimi.workspace / "f").write_text("one\n")
    edit = {"path": "f", "old_string": "one", "new_string": "two"}
    server = serve(
        do(("edit", edit)),
        do(("read", {"path": "f"}), first=1),
        do(("shell", {"command": "echo one more >> f"}), first=2),
        do(("edit", edit), first=3),
        say("ok"),
    )
    assert kimi.headless(server, "go").code == 0
    unread, _, _, stale = results(kimi)
    assert "was not read yet" in unread
    assert "was changed since you last read it" in stale
    assert (kimi.workspace / "f").read_text() == "one\none more\n"


def test_the_rules_of_a_project_count_once_they_are_trusted(kimi: Kimi, serve: Serve) -> None:
    folder = kimi.workspace / ".kimicode"
    folder.mkdir()
    (folder / "settings.toml").write_text('[permissions]\nallow = ["shell(touch *)"]\ndeny = ["shell(rm *)"]\n')
    calls = do(("shell", {"command": "touch made"}), ("shell", {"command": "rm made"}))
    ended = kimi.headless(serve(calls, say("ok")), "go", "--sandbox", "none")
    assert "are not trusted: only what they deny counts" in ended.err
    assert [text.split()[0] for text in results(kimi)] == ["Refused:", "Refused:"]
    assert kimi.run("trust").code == 2
    shown = kimi.run("trust", "--yes")
    assert shown.code == 0
    assert "shell(touch *)" in shown.out
    kimi.headless(serve(calls, say("ok")), "go", "--sandbox", "none")
    assert (kimi.workspace / "made").exists()
    assert results(kimi)[1].startswith("Refused: shell: a rule of the user denies it")
    (folder / "settings.toml").write_text('[permissions]\nallow = ["shell(*)"]\n')
    (kimi.workspace / "made").unlink()
    ended = kimi.headless(serve(do(("shell", {"command": "touch made"})), say("ok")), "go", "--sandbox", "none")
    assert "are not trusted" in ended.err
    assert not (kimi.workspace / "made").exists()


def test_a_project_can_not_set_anything_else(kimi: Kimi, serve: Serve) -> None:
    (kimi.workspace / ".kimicode").mkdir()
    (kimi.workspace / ".kimicode" / "settings.toml").write_text('endpoint = "http://evil.example"\npermission = "full"\n')
    server = serve(say("ok"))
    ended = kimi.headless(server, "go")
    assert ended.code == 0
    assert "a repository can't set 'endpoint'" in ended.err
    assert len(server.calls) == 1
    assert "permission workspace" in ended.err


def test_a_linked_configuration_folder_stops_the_start(kimi: Kimi, serve: Serve) -> None:
    (kimi.workspace / ".kimicode").symlink_to("/tmp")
    ended = kimi.headless(serve(say("never")), "go")
    assert ended.code == 2
    assert ".kimicode" in ended.err
    assert "link" in ended.err


def test_only_looking(kimi: Kimi, serve: Serve) -> None:
    (kimi.workspace / "a").write_text("x\n")
    server = serve(
        do(("shell", {"command": "wc -l a"}), ("shell", {"command": "make"}), ("write", {"path": "b", "content": ""})), say("ok")
    )
    ended = kimi.headless(server, "go", "--permission", "read-only")
    assert ended.code == 0
    looked, refused, unwritten = results(kimi)
    assert looked.startswith("1 a")
    assert refused.startswith("Refused: shell: permission is read-only")
    assert unwritten.startswith("Refused: b: writing is off")


def test_detached_children_end_with_their_command(kimi: Kimi, serve: Serve) -> None:
    command = f"setsid sh -c 'sleep {kimi.mark}; echo late > late' >/dev/null 2>&1 & echo started"
    server = serve(do(("shell", {"command": command})), say("ok"))
    assert kimi.headless(server, "go").code == 0
    assert results(kimi) == ["started\n[exit 0]"]
    until(lambda: not runs(kimi.mark))


def test_a_person_at_the_terminal_is_asked(kimi: Kimi) -> None:
    def answered(answer: bytes | signal.Signals) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        command = ["tool", "shell", json.dumps({"command": "X=echo; $X hi"})]
        process = kimi.start(*command, stdin=theirs, stderr=theirs, session=True)
        os.close(theirs)
        seen = b""
        try:
            while b"what to do instead" not in seen:
                assert select.select([ours], [], [], DEADLINE)[0]
                seen += os.read(ours, 4096)
            if isinstance(answer, signal.Signals):
                process.send_signal(answer)
            else:
                os.write(ours, answer)
            out, _ = process.communicate(timeout=DEADLINE)
        finally:
            process.kill()
            os.close(ours)
        assert re.search(rb"can't tell all it would do", seen)
        return process.returncode, out.decode()

    assert answered(b"y\n") == (0, "hi\n[exit 0]\n")
    assert answered(b"\n") == (77, "")
    # The wait once held out against Ctrl-C until a line came.
    assert answered(signal.SIGINT) == (130, "")


def test_patches_and_several_edits_by_hand(kimi: Kimi) -> None:
    (kimi.workspace / "a").write_text("one\ntwo\n")
    edits = {"path": "a", "old_string": "one", "new_string": "1", "edits": [{"old_string": "two", "new_string": "2"}]}
    ended = kimi.run("tool", "edit", json.dumps(edits))
    assert (ended.code, ended.out) == (0, "Edited a: 2 replacements.\n")
    patch = "*** Begin Patch\n*** Update File: a\n@@\n-1\n+uno\n 2\n*** Add File: b\n+new\n*** End Patch\n"
    assert kimi.run("tool", "patch", json.dumps({"patch": patch})).code == 0
    assert [(kimi.workspace / name).read_text() for name in "ab"] == ["uno\n2\n", "new\n"]
    ended = kimi.run("tool", "patch", json.dumps({"patch": patch.replace("-1", "-uno").replace("+uno", "+x")}))
    assert ended.code == 1
    assert (kimi.workspace / "a").read_text() == "uno\n2\n"
