"""Answers that were kept: found again, moved along, bounded, and never a reason to fail."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from kimicode.review.cache import Cache, Entry, Kept, entry_of, findings_of, key_of
from kimicode.review.change import Hunk
from tests.review.reports import OFF_BY_ONE

ENTRY = Entry((Kept(0, 2, 4, msgspec.structs.replace(OFF_BY_ONE, line=0, end_line=0)),), 1)
HUNK = Hunk(10, 5, 20, 9, "", (" a",))


def test_what_was_put_is_found_again_by_another_process(tmp_path: Path):
    Cache(tmp_path / "c").put("k", ENTRY)
    assert Cache(tmp_path / "c").get("k") == ENTRY
    script = (
        f"from pathlib import Path; from kimicode.review.cache import Cache; print(Cache(Path({str(tmp_path / 'c')!r})).get('k').refuted)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout == b"1\n"


def test_what_was_not_put_is_not_there(tmp_path: Path):
    assert Cache(tmp_path).get("k") is None
    assert Cache(tmp_path / "missing").get("k") is None


def test_only_the_user_can_read_it(tmp_path: Path):
    Cache(tmp_path / "c").put("k", ENTRY)
    assert [oct(path.stat().st_mode & 0o777) for path in (tmp_path / "c", tmp_path / "c" / "k.json")] == ["0o700", "0o600"]


def test_any_damage_makes_it_no_entry(tmp_path: Path):
    cache = Cache(tmp_path)
    cache.put("k", ENTRY)
    whole = (tmp_path / "k.json").read_bytes()
    for damaged in (b"", whole[:-1], whole + b" ", whole.replace(b'"refuted":1', b'"refuted":0'), b"x" * 2_000_000):
        (tmp_path / "k.json").write_bytes(damaged)
        assert cache.get("k") is None
    cache.put("k", ENTRY)
    assert cache.get("k") == ENTRY


def test_an_entry_under_another_name_is_none(tmp_path: Path):
    cache = Cache(tmp_path)
    cache.put("k", ENTRY)
    (tmp_path / "k.json").rename(tmp_path / "other.json")
    assert cache.get("other") is None


@pytest.mark.parametrize("kind", ["folder", "link", "fifo"])
def test_other_things_in_its_place_are_no_entry(tmp_path: Path, kind: str):
    cache, place = Cache(tmp_path / "c"), tmp_path / "c" / "k.json"
    cache.put("other", ENTRY)
    match kind:
        case "folder":
            place.mkdir()
        case "link":
            place.symlink_to(tmp_path / "c" / "other.json")
        case _:
            os.mkfifo(place)
    assert cache.get("k") is None


def test_a_folder_that_cant_be_made_keeps_nothing(tmp_path: Path):
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "c")
    cache.put("k", ENTRY)
    assert cache.get("k") is None


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path):
    cache = Cache(tmp_path, most_entries=4)
    for n in range(4):
        cache.put(f"k{n}", ENTRY)
        os.utime(tmp_path / f"k{n}.json", (1_000 + n, 1_000 + n))
    assert cache.get("k0") == ENTRY
    cache.put("k4", ENTRY)
    assert {path.name for path in tmp_path.iterdir()} == {"k0.json", "k3.json", "k4.json"}


def test_its_size_is_bounded_too(tmp_path: Path):
    cache = Cache(tmp_path, most_bytes=3_000)
    for n in range(40):
        cache.put(f"k{n}", ENTRY)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3_000


def test_places_are_relative_to_the_hunk():
    finding = msgspec.structs.replace(OFF_BY_ONE, line=22, end_line=24)
    entry = entry_of([finding], 0, [("other.py", HUNK), (OFF_BY_ONE.path, HUNK)])
    moved = msgspec.structs.replace(HUNK, new_start=120)
    assert findings_of(entry, [("other.py", HUNK), (OFF_BY_ONE.path, moved)]) == (msgspec.structs.replace(finding, line=122, end_line=124),)
    assert findings_of(entry, [("other.py", HUNK)]) is None
    assert findings_of(entry, [("other.py", HUNK), ("third.py", HUNK)]) is None


def test_keys_tell_their_parts_apart():
    assert len({key_of(parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["ab", "c", ""])}) == 4
    assert key_of(["\udcff"]) != ""
