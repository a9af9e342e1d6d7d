import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimicode.errors import SessionError
from kimicode.events import MessageAdded, Notice, TextDelta, encode_event
from kimicode.messages import ToolResult, User
from kimicode.session.log import SessionLog, read_events
from kimicode.session.replay import replay

EVENTS = [MessageAdded(User("one\u2028two\u2029three\x85\r\n\x0b\x1c")), TextDelta("zwei"), Notice("drei ✓")]


def written(path, events=EVENTS):
    with SessionLog(path) as log:
        for event in events:
            log.append(event)
    return path


def test_what_was_appended_is_read(tmp_path):
    path = written(tmp_path / "deep" / "er" / "s.jsonl")
    assert list(read_events(path)) == EVENTS
    assert path.read_bytes().count(b"\n") == 3


def test_files_are_private(tmp_path):
    before = os.umask(0)
    try:
        path = written(tmp_path / "home" / "sessions" / "s.jsonl")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700


def test_a_tail_torn_at_any_byte_is_ignored_and_cut_off(tmp_path):
    whole = written(tmp_path / "whole.jsonl").read_bytes()
    ends = [0]
    for event in EVENTS:
        ends.append(ends[-1] + len(encode_event(event)) + 1)
    for length in range(len(whole) + 1):
        path = tmp_path / "torn.jsonl"
        path.write_bytes(whole[:length])
        complete = sum(end <= length for end in ends[1:])
        assert list(read_events(path)) == EVENTS[:complete]
        with SessionLog(path) as log:
            log.append(EVENTS[1])
        assert list(read_events(path)) == [*EVENTS[:complete], EVENTS[1]]


def test_a_long_torn_tail_is_cut_off(tmp_path):
    path = written(tmp_path / "s.jsonl")
    with path.open("ab") as file:
        file.write(b"x" * 200_000)
    with SessionLog(path):
        pass
    assert list(read_events(path)) == EVENTS
    assert path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("bad", [b"{}", b"\xff\xfe", b"not json", b'{"v":1,"type":"unheard_of"}', b"", b"[" * 100_000])
def test_an_earlier_bad_line_is_named(tmp_path, bad):
    path = written(tmp_path / "s.jsonl")
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], bad, *lines[1:]]))
    with pytest.raises(SessionError, match=r"s\.jsonl, line 2: "):
        list(read_events(path))


def test_only_one_writer(tmp_path):
    path = tmp_path / "s.jsonl"
    with SessionLog(path) as log:
        log.append(EVENTS[0])
        with pytest.raises(SessionError, match="another kimicode"):
            SessionLog(path)
    with SessionLog(path) as log:
        log.append(EVENTS[1])
    assert list(read_events(path)) == EVENTS[:2]


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "target").write_text("mine")
    (tmp_path / "s.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(SessionError, match="can't open"):
        SessionLog(tmp_path / "s.jsonl")
    assert (tmp_path / "target").read_text() == "mine"


def test_no_such_log(tmp_path):
    with pytest.raises(SessionError, match="can't read"):
        list(read_events(tmp_path / "none.jsonl"))
    (tmp_path / "file").write_text("")
    with pytest.raises(SessionError, match="can't open"):
        SessionLog(tmp_path / "file" / "s.jsonl")


class FullDisk:
    """A disk with room for so many bytes: it takes what fits, then refuses."""

    def __init__(self, room):
        self.room = room

    def write(self, fd, data):
        fits = data[: self.room]
        if not fits:
            raise OSError(28, "No space left on device")
        self.room -= len(fits)
        return os.write(fd, fits)


def append_all(log, done):
    for event in EVENTS:
        log.append(event)
        done.append(event)


def test_a_full_disk_at_any_byte_leaves_a_valid_file(tmp_path):
    size = sum(len(encode_event(event)) + 1 for event in EVENTS)
    for room in range(size):
        path = tmp_path / f"{room}.jsonl"
        disk = FullDisk(room)
        done = []
        with SessionLog(path, write=disk.write) as log:
            with pytest.raises(SessionError, match=r"can't write .*No space left"):
                append_all(log, done)
            assert list(read_events(path)) == done
            assert path.read_bytes() == b"".join(encode_event(event) + b"\n" for event in done)
            disk.room = 10_000
            log.append(EVENTS[2])
        assert list(read_events(path)) == [*done, EVENTS[2]]


def test_a_real_limit_on_the_file_size(tmp_path):
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from kimicode.errors import SessionError
        from kimicode.events import TextDelta
        from kimicode.session.log import SessionLog
        try:
            with SessionLog(Path(sys.argv[1])) as log:
                while True:
                    log.append(TextDelta("x" * 700))
        except SessionError as error:
            print(error)
    """)
    path = tmp_path / "s.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", code, path],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
    )
    assert str(path) in done.stdout
    assert "KIMICODE_HOME" in done.stdout
    assert done.stderr == ""
    assert len(list(read_events(path))) == 6


def test_a_device_without_room(tmp_path):
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        with SessionLog(tmp_path / "s.jsonl", write=lambda _, data: os.write(fd, data)) as log, pytest.raises(SessionError):
            log.append(EVENTS[0])
    finally:
        os.close(fd)
    assert list(read_events(tmp_path / "s.jsonl")) == []


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.text()), st.binary(max_size=30).filter(lambda tail: b"\n" not in tail))
def test_any_text_comes_back(tmp_path, texts, tail):
    path = tmp_path / "any.jsonl"
    path.unlink(missing_ok=True)
    events = [TextDelta(text) for text in texts]
    written(path, events)
    with path.open("ab") as file:
        file.write(tail)
    assert list(read_events(path)) == events


def test_logs_from_before_pictures_decisions_and_titles_are_read(tmp_path):
    """Lines as version 0.1 wrote them, with every field that it had."""
    path = tmp_path / "old.jsonl"
    lines = [
        '{"v":1,"type":"session_started","session_id":"s","workspace":"/w","model":"m","endpoint":"e","permission":"workspace","tools":[]}',
        '{"v":1,"type":"message_added","message":{"role":"user","content":"hi"},"at":""}',
        '{"v":1,"type":"step_started","step":1}',
        '{"v":1,"type":"tool_finished","result":{"role":"tool","call_id":"c","name":"read","content":"x","ok":true},"seconds":0.1}',
    ]
    path.write_text("".join(f"{line}\n" for line in lines))
    replayed = replay(read_events(path))
    assert replayed.conversation == (User("hi"), ToolResult("c", "read", "x"))
    assert (replayed.title, replayed.steps) == ("", 1)


def test_a_closed_log_can_be_opened_although_a_child_still_has_its_descriptor(tmp_path: Path) -> None:
    # Another thread was starting a program: between fork and exec the child shares the lock, and the session was said to be in use.
    path = tmp_path / "log.jsonl"
    log = SessionLog(path)
    copies = [os.dup(int(entry.name)) for entry in list(os.scandir("/proc/self/fd")) if os.path.realpath(entry.path) == str(path.resolve())]
    assert copies
    log.close()
    SessionLog(path).close()
    for copy in copies:
        os.close(copy)
