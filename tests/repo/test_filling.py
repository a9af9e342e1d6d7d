"""A workspace is read beside everything else, and that ends when it is told to."""

import os

from kimicode.repo.codebase import Codebase
from kimicode.repo.filling import Filling


def make(folder, cache):
    return lambda: Codebase(folder, {"PATH": os.environ["PATH"], "HOME": str(cache)}, cache=cache)


def many(folder, count):
    folder.mkdir()
    for number in range(count):
        (folder / f"f{number}.py").write_text(f"def f{number}():\n    return {number}\n" * 20)


def test_it_fills_the_index_for_others(tmp_path):
    many(tmp_path / "w", 40)
    filling = Filling(make(tmp_path / "w", tmp_path / "cache"))
    other = make(tmp_path / "w", tmp_path / "cache")()
    filling.start()
    filling.start()
    while len(other.index.symbols_of(other.tree().files)) < 40:
        pass
    filling.close()
    assert other.refresh().indexed == 0
    other.close()


def test_it_ends_early(tmp_path):
    many(tmp_path / "w", 3_000)
    filling = Filling(make(tmp_path / "w", tmp_path / "cache"))
    filling.start()
    filling.close()
    other = make(tmp_path / "w", tmp_path / "cache")()
    assert other.refresh().missing == ()
    other.close()


def test_what_was_never_started_can_be_closed(tmp_path):
    Filling(make(tmp_path, tmp_path / "cache")).close()
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_is_gone_is_nobodys_error(tmp_path):
    filling = Filling(make(tmp_path / "gone", tmp_path / "cache"))
    filling.start()
    filling.close()
