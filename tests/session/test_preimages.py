"""What is kept is there after any end, private, once, and each content stands for itself."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.errors import SessionError
from kimicode.events import FileChange, FilesChanged, SessionStarted
from kimicode.files.state import MISSING, FileState, digest
from kimicode.session.clean import clean, clean_if_due
from kimicode.session.names import read, written
from kimicode.session.preimages import PreImages, packs
from kimicode.session.store import SessionStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "home" / "preimages"


def test_what_is_kept_is_found_by_another_process(root: Path) -> None:
    with PreImages(root) as store:
        assert not root.exists()
        store.keep(b"one", b"", b"\0\xff", b"one")
        assert store.load(digest(b"one")) == b"one"
        assert digest(b"two") not in store
    with PreImages(root) as other:
        assert [other.load(digest(data)) for data in (b"one", b"", b"\0\xff")] == [b"one", b"", b"\0\xff"]


def test_each_content_is_kept_once(root: Path) -> None:
    for _ in range(2):
        with PreImages(root) as store:
            store.keep(b"x" * 1000)
            store.keep(b"x" * 1000, b"x" * 1000)
    assert sum(pack.stat().st_size for pack in packs(root)) == 1000


def test_only_the_user_can_look(root: Path) -> None:
    with PreImages(root) as store:
        store.keep(b"secret")
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()} == {0o600}


def test_a_missing_and_a_damaged_content_concern_nobody_else(root: Path) -> None:
    with PreImages(root) as store:
        store.keep(b"first", b"second", b"third")
    (pack,) = packs(root)
    raw = bytearray(pack.read_bytes())
    raw[7] ^= 1
    pack.write_bytes(raw)
    with PreImages(root) as store:
        with pytest.raises(SessionError, match="damaged"):
            store.load(digest(b"second"))
        with pytest.raises(SessionError, match="not kept"):
            store.load(digest(b"fourth"))
        assert store.load(digest(b"first")) == b"first"
        assert store.load(digest(b"third")) == b"third"


@pytest.mark.parametrize("cut", range(1, 48))
def test_an_index_that_was_torn_off_speaks_of_whole_records(root: Path, cut: int) -> None:
    with PreImages(root) as store:
        store.keep(b"first", b"second")
    (pack,) = packs(root)
    index = pack.with_suffix(".idx")
    index.write_bytes(index.read_bytes()[:-cut])
    with PreImages(root) as store:
        assert digest(b"first") in store
        assert digest(b"second") not in store
        store.keep(b"second")
    with PreImages(root) as store:
        assert store.load(digest(b"second")) == b"second"


def test_a_batch_that_fails_promises_nothing(root: Path) -> None:
    def fail() -> None:
        with store.batch() as add:
            add(b"during")
            raise ZeroDivisionError

    with PreImages(root) as store:
        store.keep(b"before")
        with pytest.raises(ZeroDivisionError):
            fail()
        assert digest(b"during") not in store
        store.keep(b"during", b"after")
        assert [store.load(digest(data)) for data in (b"before", b"during", b"after")] == [b"before", b"during", b"after"]


def test_a_store_that_can_not_be_made_says_where(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with PreImages(tmp_path / "home" / "preimages") as store, pytest.raises(SessionError, match="preimages"):
        store.keep(b"x")


def spoken_of(store: SessionStore, *contents: bytes) -> str:
    changes = tuple(FileChange(f"f{n}", FileState("file", 0o644, digest(data), size=len(data)), MISSING) for n, data in enumerate(contents))
    session_id, log = store.create()
    with log:
        log.append(SessionStarted(session_id, "/w", "m", "e", "workspace", ()))
        log.append(FilesChanged("c", changes))
    return session_id


def kept(root: Path, *contents: bytes) -> list[bytes]:
    with PreImages(root) as store:
        return [data for data in contents if digest(data) in store and store.load(digest(data)) == data]


def test_cleaning_takes_what_no_log_speaks_of(root: Path) -> None:
    sessions = SessionStore(root.parent)
    with PreImages(root) as store:
        store.keep(b"wanted", b"unwanted")
        store.keep(b"all unwanted")
    spoken_of(sessions, b"wanted", b"never kept")
    assert clean(sessions)
    assert kept(root, b"wanted", b"unwanted", b"all unwanted") == [b"wanted"]
    before = {path.name: path.read_bytes() for path in root.iterdir()}
    assert clean(sessions)
    assert {path.name: path.read_bytes() for path in root.iterdir()} == before


def test_cleaning_gives_up_old_sessions_and_then_large_ones(root: Path) -> None:
    sessions = SessionStore(root.parent)
    with PreImages(root) as store:
        store.keep(b"old", b"new", b"newest")
    for age, data in ((100, b"old"), (10, b"new"), (1, b"newest")):
        path = sessions.path(spoken_of(sessions, data))
        os.utime(path, (1000 - age, 1000 - age))
    assert clean(sessions, max_age_s=50, now=1000)
    assert kept(root, b"old", b"new", b"newest") == [b"new", b"newest"]
    assert clean(sessions, max_bytes=8, max_age_s=50, now=1000)
    assert kept(root, b"new", b"newest") == [b"newest"]


def test_nothing_is_cleaned_while_a_session_relies_on_it(root: Path) -> None:
    sessions = SessionStore(root.parent)
    with PreImages(root) as store:
        store.keep(b"x")
        assert not clean(sessions)
        assert store.load(digest(b"x")) == b"x"
    assert clean(sessions)
    assert kept(root, b"x") == []


def test_cleaning_is_due_once_a_day(root: Path) -> None:
    sessions = SessionStore(root.parent)
    assert not clean_if_due(sessions, now=1e9)
    assert not root.exists()
    with PreImages(root) as store:
        store.keep(b"x")
    assert clean_if_due(sessions, now=1e9)
    assert not clean_if_due(sessions, now=1e9 + 80_000)
    assert clean_if_due(sessions, now=1e9 + 90_000)


@given(st.binary(max_size=40))
def test_any_path_survives_the_log(raw: bytes) -> None:
    path = os.fsdecode(raw)
    text = written(path)
    text.encode("utf-8")
    assert read(text) == path
    assert text == path or b"\\" in raw or path.encode("utf-8", "replace") != raw
