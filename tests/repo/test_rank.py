"""Files and names rank by what is used of them, and after edits exactly as if they were counted afresh."""

from hypothesis import given, settings

from kimicode.repo.digest import Numbers, digest, name_of
from kimicode.repo.extract import extract
from kimicode.repo.rank_keep import ranking, standing
from tests.repo.worlds import World, edited, edits, worlds


def ranked(world, **options):
    tree = world.refresh().tree
    return ranking(world, tree, standing(world, tree), **options)


def facts(kept, files):
    """All that a ranking says of a tree, without where it has it from."""
    rank = kept.ranking
    order = [(rank.paths[place], rank.worth(place), rank.factor(place)) for place in rank.order()]
    names = {name for path, text in files.items() if (symbols := extract(path, text.encode())) for name in _names(path, symbols)}
    rows = {}
    for name in names:
        row = rank.row(name)
        definers = {rank.paths[place]: inner for place, inner in row.definers.items()}
        rows[name] = (row.weight, definers, sorted(rank.paths[place] for place in row.users), rank.values(name))
    return order, rows, rank.census


def _names(path, symbols):
    own = digest(path, symbols, Numbers())
    return own.defines.keys() | own.uses.keys()


@settings(max_examples=150, deadline=None)
@given(worlds, edits, edits)
def test_a_tree_that_was_updated_ranks_as_one_that_was_counted(files, first, second):
    world = World(files)
    ranked(world)
    for changes in (first, second):
        files = edited(files, changes)
        world.files = files
        assert facts(ranked(world), files) == facts(ranked(World(files)), files)


def test_after_an_edit_only_what_changed_is_read():
    world = World({f"m{n}.py": f"def f{n}(): g{n}()\n" for n in range(50)})
    ranked(world)
    world.asked.clear()
    world.files["m7.py"] = "def other(): pass\n"
    kept = ranked(world)
    assert set(world.asked) == {"m7.py"}
    assert kept.changed == {"m7.py"}


def test_what_was_kept_and_dropped_is_counted_again():
    files = {"a.py": "def f(): g()\n", "b.py": "def g(): f()\n"}
    world = World(files)
    ranked(world)
    for kept in [name for name in world.made if name[1].endswith(":0")]:
        del world.made[kept]
    world.files = {**files, "a.py": "def f(): h()\n"}
    assert facts(ranked(world), world.files) == facts(ranked(World(world.files)), world.files)


def test_a_content_that_the_index_dropped_is_no_reason_for_a_wrong_ranking():
    world = World({"a.py": "def f(): g()\n", "b.py": "def g(): f()\n"})
    ranked(world)
    old = world.files["a.py"]
    world.files["a.py"] = "def f(): h()\n"
    world.refresh()
    world.read = {key: symbols for key, symbols in world.read.items() if symbols is None or key[1] in {f.key for f in world.tree().files}}
    assert old not in world.files.values()
    assert facts(ranked(world), world.files) == facts(ranked(World(world.files)), world.files)


def test_another_checkout_of_the_same_tree_counts_nothing():
    files = {"a.py": "def f(): g()\n", "b.py": "def g(): f()\n"}
    world = World(files)
    ranked(world)
    world.asked.clear()
    world.made = {key: data for key, data in world.made.items() if not key[1].startswith("last:")}
    assert facts(ranked(world), files) == facts(ranked(World(files)), files)
    assert world.asked == []


def test_a_tree_that_is_not_read_wholly_is_not_kept():
    world = World({"a.py": "def f(): g()\n", "b.py": "def g(): f()\n"}, unread={"b.py"})
    assert ranked(world, whole=False).name == ""
    assert world.made == {}


def worths(files):
    kept = ranked(World(files))
    rank = kept.ranking
    return {rank.paths[place]: rank.worth(place) for place in rank.order()}


def test_what_many_import_is_worth_more_than_what_many_call():
    users = {f"u{n}.py": "from core import Engine\ndef f(x): return Engine(x.append(1))\n" for n in range(40)}
    files = worths({"core.py": "class Engine: pass\n", "chance.py": "def append(x): pass\n", **users})
    assert next(iter(files)) == "core.py"
    assert files["core.py"] > 3 * files["chance.py"]


def test_a_name_of_the_standard_library_is_not_taken_for_one_of_the_tree():
    users = {f"u{n}.py": "from pathlib import Path\ndef f(p: Path) -> Path: return Path(p)\n" for n in range(20)}
    files = worths({"amp.py": "class Path: pass\n", "other.py": "class Road: pass\n", **users})
    assert files["amp.py"] == files["other.py"]


def test_a_member_gets_nothing_from_imports_of_its_name():
    users = {f"u{n}.py": "from core import Sum\nx = Sum()\n" for n in range(20)}
    files = worths({"core.py": "class Sum: pass\n", "dates.py": "class Dates:\n    def Sum(self): pass\n", **users})
    assert files["core.py"] > 10 * files["dates.py"]


def test_copies_and_tests_take_little_from_the_original():
    users = {f"u{n}.py": "from core import Engine\nEngine()\n" for n in range(20)}
    alone = worths({"core.py": "class Engine: pass\n", **users})["core.py"]
    copies = worths(
        {"core.py": "class Engine: pass\n", "vendor/core.py": "class Engine: pass\n", "tests/core.py": "class Engine: pass\n", **users}
    )
    assert copies["core.py"] > alone // 2
    assert copies["vendor/core.py"] < copies["core.py"] // 5


def test_a_use_in_a_test_counts_less():
    used = worths({"a.py": "def one(): pass\n", "b.py": "def two(): pass\n", "c.py": "one()\n", "tests/test_x.py": "two()\n"})
    assert used["a.py"] > used["b.py"] > used["c.py"]


def test_languages_do_not_share_names():
    js = name_of("js", "Client")
    assert js != name_of("python", "Client")
    files = worths({"a.py": "class Client: pass\n", "u.js": "new Client()\n", "b.py": "class Other: pass\n"})
    assert files["a.py"] == files["b.py"]


def test_relative_and_absolute_imports_lead_to_the_file_they_mean():
    files = worths(
        {"p/q.py": "x_y = 1\n", "p/r.py": "z_y = 1\n", "p/s.py": "from . import q\n", "t.py": "from p import q\n", "u.py": "import p.q\n"}
    )
    assert files["p/q.py"] > files["p/r.py"]
