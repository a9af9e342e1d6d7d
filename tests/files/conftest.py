"""A folder to change, and the journal and locks beside it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kimicode.files.place import Place

At = Callable[[str], Place]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


@pytest.fixture
def at(tree: Path) -> At:
    """`at("a/b")`: the place in the folder."""
    return lambda name: Place(tree, tuple(name.split("/")))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    return tmp_path / "locks"


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    old = os.umask(0o022)
    yield
    os.umask(old)
