"""Landlock rules: what is granted, and that nothing hidden is."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.sandbox.boundary import Boundary, Limits
from kimicode.sandbox.landlock import ALL_WRITES, READ, WRITE, alone, inside_namespaces, readable

WS, TEMPORARY = Path("/home/u/ws"), Path("/home/u/tmp")


def boundary(*hidden: Path) -> Boundary:
    return Boundary(writable=(WS,), temporary=TEMPORARY, environ={}, limits=Limits(memory_bytes=1), cwd=WS, hidden=hidden)


def test_without_anything_hidden_everything_can_be_read() -> None:
    assert list(readable((), {})) == [Path("/")]


def test_what_is_beside_the_way_down_is_granted() -> None:
    children = {
        Path("/"): (Path("/etc"), Path("/home")),
        Path("/home"): (Path("/home/u"), Path("/home/v")),
        Path("/home/u"): (Path("/home/u/.ssh"), Path("/home/u/ws"), Path("/home/u/notes")),
    }
    granted = set(readable((Path("/home/u/.ssh"),), children))
    assert granted == {Path("/etc"), Path("/home/v"), Path("/home/u/ws"), Path("/home/u/notes")}


NAMES = st.sampled_from("abc")
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: Path("/", *parts))


@given(st.lists(PATHS, max_size=5))
def test_no_granted_folder_has_anything_hidden_in_it(hidden: list[Path]) -> None:
    """Over a whole tree of three names and three levels."""
    above = {parent for path in hidden for parent in path.parents}
    children = {path: tuple(path / name for name in "abc") if len(path.parts) < 4 else () for path in above}
    granted = list(readable(hidden, children))
    assert not any(path.is_relative_to(folder) for path in hidden for folder in granted)
    everything = {Path("/", *parts) for a in "abc" for b in "abc" for c in "abc" for parts in [(a, b, c)]}
    visible = {path for path in everything if not any(path.is_relative_to(each) for each in hidden)}
    assert {path for path in everything if any(path.is_relative_to(folder) for folder in granted)} == visible


@pytest.mark.parametrize("abi", [3, 4, 5, 7])
def test_alone(abi: int) -> None:
    handled, rules = alone(boundary(), (WS,), {}, abi)
    by_path = {Path(rule["path"].decode()): rule for rule in rules}
    assert handled & (ALL_WRITES | READ) == ALL_WRITES | READ
    assert bool(handled & 1 << 15) == (abi >= 5)
    assert by_path[WS] == {"path": bytes(WS), "rights": READ | WRITE, "must": True}
    assert by_path[TEMPORARY]["rights"] == READ | WRITE
    assert by_path[Path("/")]["rights"] == READ
    assert by_path[Path("/dev/null")]["rights"] & READ == 0
    assert all(rule["rights"] & ~handled == 0 for rule in rules), "the kernel refuses rights that are not handled"
    assert not any(Path(path) in by_path for path in ("/tmp", "/var/tmp", "/dev", "/dev/shm", "/proc"))


def test_inside_namespaces_only_writing_is_limited_again() -> None:
    handled, rules = inside_namespaces(boundary(Path("/home/u/.ssh")), (WS,))
    assert handled == ALL_WRITES
    granted = {rule["path"].decode(): rule["rights"] for rule in rules}
    assert granted[str(WS)] == granted["/tmp"] == granted[str(TEMPORARY)] == WRITE
    assert granted["/dev"] & WRITE == granted["/dev"] != WRITE
    assert "/" not in granted
    assert all(rights & ~handled == 0 for rights in granted.values())


def test_nobody_makes_devices() -> None:
    assert WRITE & (1 << 6 | 1 << 11) == 0
    assert ALL_WRITES & (1 << 6 | 1 << 11) == 1 << 6 | 1 << 11
