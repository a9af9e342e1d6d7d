from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kimicode.errors import UsageError
from kimicode.events import MessageAdded, Notice, RunFinished, SessionStarted, StepFinished, StepStarted, TextDelta, Titled
from kimicode.messages import Assistant, System, Usage, User
from kimicode.session.store import SessionStore, Summary


class Clock:
    def __init__(self):
        self.now = datetime(2026, 11, 24, 10, 15, 30, tzinfo=UTC)

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def store(tmp_path):
    return SessionStore(tmp_path / "home", now=Clock())


def session(store, *more, workspace="/w", prompt="fix the bug"):
    session_id, log = store.create()
    with log:
        log.append(SessionStarted(session_id, workspace, "kimi-k2.6", "moonshot", "workspace", (), started_at="then"))
        log.append(MessageAdded(System("s")))
        log.append(MessageAdded(User(prompt)))
        for event in more:
            log.append(event)
    return session_id


def steps(count):
    for number in range(1, count + 1):
        yield StepStarted(number)
        yield TextDelta("x" * 9000)
        yield StepFinished(number, Assistant("x" * 9000), Usage(), "stop", 0.1)


DONE = RunFinished("done", 0, "ok", 1, Usage(), 0.1)


def test_ids_sort_by_time_and_are_short(store):
    made = [session(store) for _ in range(5)]
    assert made[0].startswith("20261124-101531-")
    assert len(made[0]) == 20
    assert store.ids() == made[::-1]


def test_ids_of_one_second_sort_by_age_too(tmp_path):
    """Two runs in one second made --continue take either of them."""
    moments = iter(datetime(2026, 11, 24, 10, 15, 30, n * 20_000, tzinfo=UTC) for n in range(50))
    store = SessionStore(tmp_path, now=lambda: next(moments))
    made = [session(store) for _ in range(50)]
    assert made == sorted(made)
    assert store.latest(Path("/w")) == made[-1]


def test_nothing_is_created_before_the_first_session(tmp_path):
    store = SessionStore(tmp_path / "home")
    assert (store.ids(), list(store.summaries())) == ([], [])
    with pytest.raises(UsageError, match="no earlier session"):
        store.latest(Path("/w"))
    assert not (tmp_path / "home").exists()


def test_summaries(store):
    killed = session(store, *steps(7), prompt="<environment>\nDate: x\n</environment>\n\nmy words")
    done = session(store, *steps(3), DONE, Notice("bye"), workspace="/v")
    again = session(store, *steps(2), DONE, MessageAdded(User("more")))
    assert list(store.summaries()) == [
        Summary(again, "then", "/w", "kimi-k2.6", "fix the bug", 2, "unfinished"),
        Summary(done, "then", "/v", "kimi-k2.6", "fix the bug", 3, "done"),
        Summary(killed, "then", "/w", "kimi-k2.6", "my words", 7, "unfinished"),
    ]


def test_odd_logs_are_listed_too(store):
    empty, log = store.create()
    log.close()
    torn = session(store)
    path = store.path(torn)
    path.write_bytes(path.read_bytes()[:30])
    damaged = session(store, DONE)
    with store.path(damaged).open("ab") as file:
        file.write(b"garbage\n")
    (store.path(damaged).parent / "notes.jsonl").write_text("not a session")
    assert [(s.id, s.status, s.steps) for s in store.summaries()] == [
        (damaged, "damaged", 0),
        (torn, "unfinished", 0),
        (empty, "unfinished", 0),
    ]


def test_a_session_is_named_by_prefix_or_last_characters(store):
    first, second = session(store), session(store)
    assert store.resolve(first) == first
    assert store.resolve(first[:15]) == first
    assert store.resolve(second[-4:]) == second
    with pytest.raises(UsageError, match=f"2 sessions: {second}, {first}"):
        store.resolve("2026")
    for nothing in ("", "x/../y", "nope"):
        with pytest.raises(UsageError, match="no session"):
            store.resolve(nothing)


def test_the_latest_session_of_a_workspace(store):
    session(store)
    mine = session(store)
    session(store, workspace="/other")
    assert store.latest(Path("/w")) == mine


def test_going_on_with_a_session(store):
    known = session(store)
    with store.open(known) as log:
        log.append(DONE)
    assert next(store.summaries()).status == "done"
    assert store.scratch(known).parts[-2:] == ("scratch", known)
    assert not store.scratch(known).exists()


def test_a_title_is_found_where_it_was_said_last(store):
    """The log's writer says it again before each step, so that lists need not read all of it."""
    early = session(store, Titled("said before"), *steps(1), DONE)
    late = session(store, *steps(40), DONE, Titled("one"), Titled("two"))
    again = session(store, Titled("old"), *steps(40), Titled("new"), StepStarted(41), TextDelta("x" * 40_000), DONE)
    removed = session(store, Titled("old"), *steps(1), DONE, Titled(""))
    none = session(store, *steps(2), DONE)
    titles = {summary.id: summary.title for summary in store.summaries()}
    assert titles == {early: "said before", late: "two", again: "new", removed: "", none: ""}


def test_a_list_does_not_read_a_long_log_whole(store):
    """A line that is no event, far from both ends, is not met."""
    session_id, log = store.create()
    with log:
        log.append(SessionStarted(session_id, "/w", "m", "e", "workspace", ()))
        log.append(MessageAdded(User("words")))
    with store.path(session_id).open("ab") as file:
        file.write(b"garbage\n" * 20_000)
    with store.open(session_id) as log:
        for event in (Titled("mine"), StepStarted(9), TextDelta("x" * 20_000), DONE):
            log.append(event)
    (summary,) = store.summaries()
    assert (summary.title, summary.steps, summary.status, summary.prompt) == ("mine", 9, "done", "words")
