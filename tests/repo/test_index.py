"""What the index answers, and what it does when its file is damaged, foreign, gone, too large, or can't be written."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimicode.repo.contents import blob_name
from kimicode.repo.extract import extract
from kimicode.repo.index import Index
from kimicode.repo.kinds import kind_of
from kimicode.repo.made import pack
from kimicode.repo.tree import Tree, TreeFile

A = "class Alpha(Base):\n    def run(self):\n        return helper()\n\ndef run():\n    pass\n"
B = "from a import Alpha\n\ndef runner():\n    Alpha().run()\n"


def filled(index: Index, **files: str) -> Tree:
    """Index these files, and return their tree."""
    found = []
    for name, text in sorted(files.items()):
        path = f"{name}.py"
        found.append(TreeFile(path, blob_name(text.encode(), wide=False)))
        index.add([pack(found[-1].key, kind_of(path), extract(path, text.encode()))])
    return Tree(Path("/nowhere"), tuple(found))


def whole(index: Index, tree: Tree) -> bool:
    """True where everything that was put in comes out."""
    return index.missing(tree.files) == [] and set(index.symbols_of(tree.files)) == {file.path for file in tree.files}


def database(folder: Path) -> Path:
    (path,) = folder.glob("*.sqlite")
    return path


def test_symbols_come_back_as_they_were(tmp_path: Path) -> None:
    index = Index(tmp_path / "index")
    tree = filled(index, a=A, b=B)
    assert index.symbols_of(tree.files) == {"a.py": extract("a.py", A.encode()), "b.py": extract("b.py", B.encode())}
    assert {file.path: symbols for file, symbols in index.each(tree.files, at_once=1)} == index.symbols_of(tree.files)


def test_definitions_by_exact_name_in_the_order_of_path_and_line(tmp_path: Path) -> None:
    index = Index(tmp_path / "index")
    tree = filled(index, a=A, b=B, c=A)
    assert [(path, found.line) for path, found in index.definitions(tree, "run")] == [("a.py", 2), ("a.py", 5), ("c.py", 2), ("c.py", 5)]
    assert index.definitions(tree, "ru") == ()


def test_only_what_is_in_the_tree_is_answered(tmp_path: Path) -> None:
    index = Index(tmp_path / "index")
    filled(index, a=A)
    other = filled(index, b=B)
    assert index.definitions(other, "Alpha") == ()
    assert index.names(other, "run", limit=9) == ("runner",)
    assert index.names(other, "al", limit=9) == ()


def test_the_same_bytes_in_another_language_are_another_content(tmp_path: Path) -> None:
    index = Index(tmp_path / "index")
    tree = filled(index, a=A)
    moved = Tree(tree.root, (TreeFile("a.js", tree.files[0].key),))
    assert [file.path for file in index.missing(moved.files)] == ["a.js"]
    assert index.definitions(moved, "Alpha") == ()


def test_names_equal_ones_first_then_beginnings_then_others(tmp_path: Path) -> None:
    index = Index(tmp_path / "index")
    tree = filled(index, a="def Run(): pass\ndef prerun(): pass\ndef runner(): pass\ndef run(): pass\ndef rub(): pass\n")
    assert index.names(tree, "run", limit=9) == ("Run", "run", "runner", "prerun")
    assert index.names(tree, "RU", limit=3) == ("Run", "rub", "run")
    assert index.names(tree, "run", limit=1) == ("Run",)
    assert index.names(tree, "", limit=2) == ("Run", "rub")
    assert index.names(tree, 'no"such', limit=2) == ()


NAMES = st.lists(st.from_regex(r"[a-cA-C_é]{1,5}", fullmatch=True), min_size=1, max_size=12, unique=True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES, part=st.from_regex(r"[a-cA-Cé]{1,4}", fullmatch=True))
def test_names_are_those_that_contain_the_part(tmp_path_factory: pytest.TempPathFactory, names: list[str], part: str) -> None:
    index = Index(tmp_path_factory.mktemp("names"))
    tree = filled(index, a="".join(f"def {name}(): pass\n" for name in names))
    defined = {definition.name for definition in index.symbols_of(tree.files)["a.py"].definitions}
    assert set(index.names(tree, part, limit=99)) == {name for name in defined if part.casefold() in name.casefold()}
    index.close()


def test_what_is_kept_is_there_for_others_and_can_be_replaced(tmp_path: Path) -> None:
    one, other = Index(tmp_path / "index"), Index(tmp_path / "index")
    one.keep({"a": b"1", "b": b"2"}, kind="rank")
    one.keep({"a": b"3"}, kind="rank")
    assert other.kept("rank", "a") == b"3"
    assert other.kept_of("rank", ["a", "b", "c"]) == {"a": b"3", "b": b"2"}
    assert other.kept("tokens", "a") is None


def test_the_folder_is_private_and_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    index = Index(tmp_path / "cache" / "index")
    assert not (tmp_path / "cache").exists()
    filled(index, a=A)
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "cache" / "index").stat().st_mode & 0o777 == 0o700


DAMAGE = {
    "text": lambda data: b"not a database at all" * 50,
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "head": lambda data: data[:60] + b"\xff" * 40 + data[100:],
    "scattered": lambda data: b"".join(b"\x55" * 200 + data[at + 200 : at + 1000] for at in range(0, len(data), 1000)),
    "zeros behind the head": lambda data: data[:4096] + bytes(len(data) - 4096),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: str) -> None:
    index = Index(tmp_path)
    filled(index, **{f"n{number}": A + f"\ndef only_{number}(): pass\n" * 20 for number in range(60)})
    index.close()
    path = database(tmp_path)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    again = Index(tmp_path)
    again.missing(filled(Index(tmp_path / "other"), a=A).files)
    tree = filled(again, a=A, b=B)
    assert whole(again, tree)
    assert [path for path, _ in again.definitions(tree, "runner")] == ["b.py"]
    assert again.names(tree, "runn", limit=3) == ("runner",)
    assert again.notice == ""


def test_damage_while_it_is_open_gives_no_wrong_answer(tmp_path: Path) -> None:
    index = Index(tmp_path)
    tree = filled(index, **{f"n{number}": A + f"\ndef only_{number}(): pass\n" * 20 for number in range(60)})
    index.close()
    assert whole(index, tree)
    size = database(tmp_path).stat().st_size
    with database(tmp_path).open("r+b") as file:
        file.seek(size // 4)
        file.write(os.urandom(size // 2))
    index.close()
    right = {path: extract(path, text) for path, text in _texts().items()}
    found = index.symbols_of(tree.files)
    assert all(found[path] == right[path] for path in found)


def _texts() -> dict[str, bytes]:
    return {f"n{number}.py": (A + f"\ndef only_{number}(): pass\n" * 20).encode() for number in range(60)}


@pytest.mark.parametrize("change", ["PRAGMA application_id = 7", "PRAGMA user_version = 99", "DROP TABLE symbols", "DROP TABLE names"])
def test_a_foreign_database_is_made_anew(tmp_path: Path, change: str) -> None:
    index = Index(tmp_path)
    filled(index, a=A)
    index.close()
    with sqlite3.connect(database(tmp_path)) as connection:
        connection.execute(change)
    connection.close()
    again = Index(tmp_path)
    assert again.definitions(filled(again, a=A, b=B), "runner")
    assert again.notice == ""


def test_a_file_that_was_removed_while_open_is_begun_again(tmp_path: Path) -> None:
    index = Index(tmp_path / "index")
    filled(index, a=A)
    for each in (tmp_path / "index").iterdir():
        each.unlink()
    tree = filled(index, b=B)
    assert whole(index, tree)


def test_an_index_that_others_may_write_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index").chmod(0o777)
    index = Index(tmp_path / "index")
    assert whole(index, filled(index, a=A))
    assert "others may write" in index.notice
    assert list((tmp_path / "index").iterdir()) == []


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("")
    index = Index(tmp_path / "index")
    assert whole(index, filled(index, a=A))
    assert str(tmp_path / "index") in index.notice


UNABLE = """
import os, resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.repo.test_index import A, B, Index, filled, whole
folder = Path(sys.argv[1])
index = Index(folder)
tree = filled(index, a=A)
assert whole(index, tree) and not index.notice, index.notice
exec(sys.argv[2])
more = filled(index, b=B)
index.keep({"x": bytes(100_000)}, kind="k")
assert whole(index, tree), "what was there"
assert whole(index, more), "what is new"
assert index.names(more, "runn", limit=2) == ("runner",)
assert [path for path, _ in index.definitions(more, "runner")] == ["b.py"]
assert index.kept("k", "x") == bytes(100_000)
assert str(folder) in index.notice, index.notice
"""


@pytest.mark.parametrize(
    "limit",
    [
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY)); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
    ],
)
def test_a_full_disk_leaves_what_is_there_and_goes_on_in_memory(tmp_path: Path, limit: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNABLE, str(tmp_path), limit, str(Path(__file__).parents[2])], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


READ_ONLY = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.repo.test_index import A, Index, filled, whole
assert whole(before := Index(Path(sys.argv[1] + "-before")), filled(before, a=A))
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
index = Index(Path(sys.argv[1]))
assert whole(index, filled(index, a=A))
assert "can't be used" in index.notice, index.notice
"""


def test_a_folder_that_is_read_only(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    folder.mkdir(mode=0o555)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(folder), str(Path(__file__).parents[2])], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(folder.iterdir()) == []


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.repo.test_index import A, Index, filled
index = Index(Path(sys.argv[1]))
for number in range(100_000):
    filled(index, **{f"n{number}": A + f"def only_{number}(): pass"})
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [0, 3, 40])
def test_what_was_stored_before_a_kill_is_right(tmp_path: Path, after: int) -> None:
    script = [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parents[2])]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= after:
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
    index = Index(tmp_path)
    texts = {f"n{number}.py": (A + f"def only_{number}(): pass").encode() for number in range(after + 1)}
    tree = Tree(Path("/nowhere"), tuple(TreeFile(path, blob_name(text, wide=False)) for path, text in texts.items()))
    assert index.symbols_of(tree.files) == {path: extract(path, text) for path, text in texts.items()}
    assert [path for path, _ in index.definitions(tree, f"only_{after}")] == [f"n{after}.py"]
    assert index.notice == ""


def test_what_was_not_used_for_longest_is_dropped(tmp_path: Path) -> None:
    index = Index(tmp_path, max_bytes=400_000)
    old = filled(
        index, **{f"old{number}": A + "".join(f"\ndef only_{number}_{each}(): pass\n" for each in range(100)) for number in range(200)}
    )
    index.close()
    with sqlite3.connect(database(tmp_path)) as connection:
        connection.execute("UPDATE contents SET day = day - 5")
    connection.close()
    new = filled(index, b=B)
    index.names(old, "only", limit=1)
    used = Tree(old.root, old.files[:3])
    assert index.missing(used.files) == []
    index.tidy()
    assert whole(index, new)
    assert whole(index, used)
    assert len(index.missing(old.files)) > 100
    index.close()
    assert database(tmp_path).stat().st_size < 2_000_000
    again = filled(index, again=A + "\ndef only_again(): pass\n")
    assert index.names(again, "only", limit=9) == ("only_again",)


def test_what_is_of_today_stays_however_large_it_is(tmp_path: Path) -> None:
    index = Index(tmp_path, max_bytes=1)
    tree = filled(index, a=A, b=B)
    index.tidy()
    assert whole(index, tree)


def test_an_index_that_nobody_has_used_for_long_goes_with_a_new_version(tmp_path: Path) -> None:
    old, young = tmp_path / "symbols-0-abc.sqlite", tmp_path / "symbols-0-def.sqlite"
    old.write_bytes(b"")
    young.write_bytes(b"")
    os.utime(old, (1, 1))
    index = Index(tmp_path)
    filled(index, a=A)
    assert not old.exists()
    assert young.exists()
