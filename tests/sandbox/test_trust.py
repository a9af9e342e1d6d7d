"""Rules that a repository brings: used for exactly the bytes that the user trusted, and never read in a dangerous way."""

import os
import stat
import threading
from pathlib import Path

import pytest

from kimicode.errors import UsageError
from kimicode.sandbox.rules import Decision
from kimicode.sandbox.trust import Absent, Trusted, TrustStore, Untrusted, read_repository_rules, revoke, trust

GOOD = '[permissions]\nallow = ["shell(make *)"]\ndeny = ["shell(curl *)"]\n[sandbox]\nhosts = ["pypi.org"]\n'


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    made = tmp_path / "ws"
    (made / ".kimicode").mkdir(parents=True)
    return made


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "home" / "kimicode")


def put(workspace: Path, text: str) -> Path:
    path = workspace / ".kimicode" / "settings.toml"
    path.write_text(text)
    return path


def trusted_now(workspace: Path, store: TrustStore) -> Trusted:
    found = read_repository_rules(workspace, store)
    assert isinstance(found, Untrusted)
    trust(workspace, store, found.digest)
    again = read_repository_rules(workspace, store)
    assert isinstance(again, Trusted)
    return again


def test_nothing_there_is_nothing(workspace: Path, store: TrustStore) -> None:
    assert read_repository_rules(workspace, store) == Absent()
    (workspace / ".kimicode").rmdir()
    assert read_repository_rules(workspace, store) == Absent()
    assert not store.home.exists()


def test_untrusted_rules_only_restrict(workspace: Path, store: TrustStore) -> None:
    put(workspace, GOOD)
    found = read_repository_rules(workspace, store)
    assert isinstance(found, Untrusted)
    assert [rule.decision for rule in found.rules.rules.all] == [Decision.DENY]
    assert found.rules.hosts == ()
    assert found.files == (".kimicode/settings.toml",)
    assert not store.home.exists()


def test_trust_is_for_these_bytes_in_this_place(workspace: Path, store: TrustStore, tmp_path: Path) -> None:
    path = put(workspace, GOOD)
    found = trusted_now(workspace, store)
    assert found.rules.hosts == ("pypi.org",)
    assert len(found.rules.rules.all) == 2
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    path.write_text(GOOD + "# one more line\n")
    assert isinstance(read_repository_rules(workspace, store), Untrusted)
    path.write_text(GOOD)
    assert isinstance(read_repository_rules(workspace, store), Trusted)
    other = tmp_path / "copy"
    (other / ".kimicode").mkdir(parents=True)
    put(other, GOOD)
    assert isinstance(read_repository_rules(other, store), Untrusted)
    (tmp_path / "link").symlink_to(workspace)
    assert isinstance(read_repository_rules(tmp_path / "link", store), Trusted)


def test_what_changed_while_the_user_looked_is_not_trusted(workspace: Path, store: TrustStore) -> None:
    path = put(workspace, GOOD)
    found = read_repository_rules(workspace, store)
    assert isinstance(found, Untrusted)
    path.write_text(GOOD + "[permissions.x]\n")
    with pytest.raises(UsageError, match="has changed meanwhile"):
        trust(workspace, store, found.digest)
    path.unlink()
    with pytest.raises(UsageError, match=r"has no \.kimicode"):
        trust(workspace, store, found.digest)


def test_trust_can_be_taken_back(workspace: Path, store: TrustStore) -> None:
    put(workspace, GOOD)
    assert revoke(workspace, store) is False
    trusted_now(workspace, store)
    assert revoke(workspace, store) is True
    assert isinstance(read_repository_rules(workspace, store), Untrusted)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('model = "x"', "'model'"),
        ("[endpoint]\nurl = 'http://evil'", "'endpoint'"),
        ("[permissions]\nmode = 'full'", "permissions.mode"),
        ("[sandbox]\noff = true", "sandbox.off"),
        ("[sandbox]\nhosts = 'x'", "sandbox.hosts"),
        ("[permissions]\nallow = [1]", "permissions.allow"),
        ("[permissions]\nallow = ['bash(x)']", "bash(x)"),
        ("[sandbox]\nhosts = ['http://x']", "sandbox.hosts"),
        ("[permissions", "can't read"),
        ("permissions = 1", "'permissions'"),
    ],
)
def test_nothing_else_can_be_set(workspace: Path, store: TrustStore, text: str, named: str) -> None:
    path = put(workspace, text)
    with pytest.raises(UsageError) as caught:
        read_repository_rules(workspace, store)
    assert named in caught.value.message
    assert str(path) in caught.value.message


def _link_file(workspace: Path) -> None:
    (workspace.parent / "outside.toml").write_text(GOOD)
    (workspace / ".kimicode" / "settings.toml").symlink_to(workspace.parent / "outside.toml")


def _link_folder(workspace: Path) -> None:
    (workspace / ".kimicode").rmdir()
    (workspace.parent / "elsewhere").mkdir()
    (workspace.parent / "elsewhere" / "settings.toml").write_text(GOOD)
    (workspace / ".kimicode").symlink_to(workspace.parent / "elsewhere")


def _fifo(workspace: Path) -> None:
    os.mkfifo(workspace / ".kimicode" / "settings.toml")


def _folder(workspace: Path) -> None:
    (workspace / ".kimicode" / "settings.toml").mkdir()


def _long(workspace: Path) -> None:
    put(workspace, GOOD + "#" * 64 * 1024)


def _bytes(workspace: Path) -> None:
    (workspace / ".kimicode" / "settings.toml").write_bytes(b"\xff\xfe")


@pytest.mark.parametrize("make", [_link_file, _link_folder, _fifo, _folder, _long, _bytes])
def test_a_strange_file_is_refused(workspace: Path, store: TrustStore, make: object) -> None:
    assert callable(make)
    make(workspace)
    with pytest.raises(UsageError) as caught:
        read_repository_rules(workspace, store)
    assert ".kimicode" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 2}', '{"workspaces": 1}', '{"x": 1}', "\udcff"])
def test_with_a_broken_list_nothing_is_trusted(workspace: Path, store: TrustStore, content: str) -> None:
    put(workspace, GOOD)
    digest = trusted_now(workspace, store).digest
    store.path.write_bytes(content.encode("utf-8", "surrogateescape"))
    found = read_repository_rules(workspace, store)
    assert isinstance(found, Untrusted)
    assert str(store.path) in found.problem
    before = store.path.read_bytes()
    with pytest.raises(UsageError, match="Nothing is trusted until"):
        trust(workspace, store, digest)
    assert store.path.read_bytes() == before


def test_many_at_once_lose_nothing(store: TrustStore, tmp_path: Path) -> None:
    places = [tmp_path / f"ws{number}" for number in range(12)]
    for place in places:
        (place / ".kimicode").mkdir(parents=True)
        put(place, GOOD)
    digests = [found.digest for place in places if isinstance(found := read_repository_rules(place, store), Untrusted)]
    threads = [threading.Thread(target=trust, args=(place, store, digest)) for place, digest in zip(places, digests, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(isinstance(read_repository_rules(place, store), Trusted) for place in places)
