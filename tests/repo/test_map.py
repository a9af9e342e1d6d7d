"""A map never has a token too many nor room for another line, is the same text whenever it is asked for, and shows what it may."""

import os
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.errors import ToolError
from kimicode.repo.choose import Sheet, choose
from kimicode.repo.codebase import Codebase
from kimicode.repo.map import LEAST_BUDGET, map_for_opening, render
from kimicode.repo.outline import Unit, least_tokens
from kimicode.tokens import count
from tests.repo.worlds import World, edited, edits, worlds

BUDGETS = st.integers(LEAST_BUDGET, 600)


@settings(max_examples=150, deadline=None)
@given(worlds, BUDGETS)
def test_never_more_than_the_budget(files, budget):
    text = render(World(files), budget=budget)
    assert count(text) <= budget
    assert text.endswith("\n")
    assert "\n\n" not in text


@settings(max_examples=80, deadline=None)
@given(worlds, edits, edits, BUDGETS)
def test_the_same_text_whatever_was_asked_before(files, first, second, budget):
    world = World(files)
    render(world, budget=budget)
    for changes in (first, second):
        files = edited(files, changes)
        world.files = files
        asked = render(world, budget=budget)
        assert asked == render(World(files), budget=budget)
        assert asked == render(world, budget=budget)


@st.composite
def sheets(draw):
    """Outlines with costs and worths of all sorts."""
    made = []
    for number in range(draw(st.integers(1, 6))):
        units = tuple(
            Unit(
                at,
                False,
                draw(st.integers(-1, at - 1)),
                f"{at}\n",
                draw(st.integers(1, 9)),
                draw(st.integers(1, 16)),
                draw(st.integers(0, 3)),
            )
            for at in range(draw(st.integers(0, 6)))
        )
        values = tuple(draw(st.integers(0, 50)) for _ in units)
        folder = draw(st.sampled_from(("a", "b")))
        made.append(Sheet(f"{folder}/{number}.py", sum(values), 8, draw(st.integers(1, 5)), {"a": 2, "b": 3}[folder], units, values))
    return made


@settings(deadline=None)
@given(sheets(), st.integers(0, 120))
def test_as_full_as_whole_lines_allow(pages, budget):
    choice = choose(pages, budget)
    folders = {path.rpartition("/")[0] for path in choice.lines}
    spent = 0
    by_path = {page.path: page for page in pages}
    for folder in folders:
        spent += next(page.folder_tokens for page in pages if page.path.startswith(folder))
    for path, lines in choice.lines.items():
        page = by_path[path]
        spent += page.line_tokens + sum(page.units[at].tokens for at in lines)
        assert all(page.units[at].parent == -1 or page.units[at].parent in lines for at in lines)
        assert all(a < b for a, b in pairwise(lines))
    assert spent == choice.tokens <= budget
    for page in pages:
        shown = choice.lines.get(page.path)
        more = page.line_tokens if shown is None else 0
        more += 0 if page.path.rpartition("/")[0] in folders else page.folder_tokens
        if shown is None:
            assert spent + more > budget
        for at, unit in enumerate(page.units):
            if at not in (shown or ()) and (unit.parent == -1 or unit.parent in (shown or ())):
                assert spent + more + unit.tokens > budget


@settings(deadline=None)
@given(
    st.text(st.characters(max_codepoint=255), max_size=30)
    | st.sampled_from(["don't we'll I'm", "x'S 1234567", "a_b.c->d(e)", "aéb", "HTTPServer2x"])
)
def test_the_least_that_a_line_has_is_no_more_than_it_has(text):
    line = f"  {text}\n"
    assert 1 <= least_tokens(line) <= count(line)


SMALL = {
    "README.md": "A project.\n",
    "pyproject.toml": "[project]\n",
    "shop/__init__.py": "",
    "shop/cart.py": "class Cart:\n    def add(self, item: str) -> None: pass\n\n    def _total(self) -> int: return 1\n",
    "shop/main.py": "from shop.cart import Cart\n\ndef main() -> int:\n    def nested(): pass\n    return Cart()\n",
    "data/prices.csv": "1,2\n",
}


def test_a_small_project_is_shown_whole():
    assert render(World(SMALL), budget=1500) == (
        "6 of 6 files shown (source: 3 Python)\n"
        "./\n  README.md\n  pyproject.toml\n"
        "data/\n  prices.csv\n"
        "shop/\n  __init__.py\n"
        "  cart.py\n    class Cart\n      def add(self, item: str) -> None\n      def _total(self) -> int\n"
        "  main.py\n    def main() -> int\n"
    )


def test_an_empty_workspace_has_a_map():
    assert render(World({})) == "0 of 0 files shown\n"


def large():
    core = {f"core/m{n}.py": "".join(f"class C{n}x{k}:\n    def go(self): pass\n" for k in range(5)) for n in range(30)}
    uses = {f"app/u{n}.py": f"from core.m{n % 7} import C{n % 7}x1\nC{n % 7}x1()\ndef own_{n}(): pass\n" for n in range(150)}
    return {
        "README.md": "x",
        **core,
        **uses,
        **{f"tests/test_{n}.py": f"from core.m9 import C9x1\ndef test_{n}(): C9x1()\n" for n in range(60)},
    }


def test_of_a_large_tree_folders_come_first_and_then_what_is_used_most():
    text = render(World(large()), budget=400)
    assert count(text) > 385
    assert text.splitlines()[1:5] == ["Folders and their files:", "  app/ 150", "  core/ 30", "  tests/ 60"]
    assert all(f"    class C{n}x1\n" in text for n in range(7))
    assert "./\n  README.md\n" in text
    assert "  test_" not in text


def test_what_is_not_read_yet_is_said_and_not_kept():
    world = World(large(), unread=[f"core/m{n}.py" for n in range(10)])
    text = render(world, budget=400)
    assert "Not read yet, so without definitions: 10 source files. Ask again later.\n" in text
    assert count(text) <= 400
    world.unread = set()
    assert render(world, budget=400) == render(World(large()), budget=400)


def test_focus_on_a_file_shows_it_with_what_it_uses_and_what_uses_it():
    files = {
        **large(),
        "odd/thing.py": "from core.m20 import C20x3\nclass Thing:\n    def use(self): C20x3()\n",
        "odd/user.py": "from odd.thing import Thing\nThing()\n",
    }
    text = render(World(files), budget=200, focus=["odd/thing.py"])
    assert count(text) <= 200
    assert "  thing.py\n    class Thing\n      def use(self)\n" in text
    assert "  m20.py\n    class C20x3\n" in text
    assert "  user.py\n" in text
    assert "Folders" not in text


def test_focus_on_a_name_shows_where_it_is_and_who_uses_it():
    files = {**large(), "odd/user.py": "from core.m20 import C20x3\nC20x3()\n"}
    for name in ("C20x3", "m20.C20x3", "core::C20x3"):
        text = render(World(files), budget=150, focus=[name])
        assert "  m20.py\n    class C20x3\n" in text
        assert "odd/\n  user.py\n" in text


def test_focus_on_a_folder_stays_in_it():
    for folder in ("core", "core/", "./core"):
        text = render(World(large()), budget=2000, focus=[folder])
        assert text.splitlines()[0].startswith("30 of 241 files shown below core/")
        assert {line for line in text.splitlines() if line.endswith("/")} == {"core/"}


def test_what_the_focus_does_not_find_is_said():
    with pytest.raises(ToolError, match="Nothing is called nobody: no file, no folder, no definition"):
        render(World(large()), focus=["nobody"])
    assert "Found nowhere: nobody\n" in render(World(large()), focus=["nobody", "core"])


@pytest.mark.parametrize("budget", [0, 99, 8001])
def test_a_budget_out_of_range_is_refused(budget):
    with pytest.raises(ToolError, match=r"send 100 to 8,000"):
        render(World({}), budget=budget)


@pytest.mark.parametrize("damage", [lambda data: None, lambda data: b"\xc1" + data[1:]], ids=["dropped", "damaged"])
@pytest.mark.parametrize("edit", [{}, {"app/u1.py": "from core.m3 import C3x0\nC3x0()\n"}], ids=["as it was", "edited"])
def test_what_is_kept_may_be_dropped_or_damaged_at_any_time(damage, edit):
    whole = World(large())
    render(whole, budget=300)
    for lost in list(whole.made):
        world = World(large())
        world.read, world.made = dict(whole.read), dict(whole.made)
        if (data := damage(world.made.pop(lost))) is not None:
            world.made[lost] = data
        world.files.update(edit)
        assert render(world, budget=300, focus=["core/m3.py"]) == render(World(world.files), budget=300, focus=["core/m3.py"])
        assert render(world, budget=300) == render(World(world.files), budget=300)


def hides(*hidden):
    return lambda path: not path.startswith(hidden)


def test_hidden_files_are_not_shown_not_even_from_what_is_kept():
    world = World({**SMALL, "secret/keys.py": "class Key: pass\n", "use.py": "from secret.keys import Key\nKey()\n"})
    assert "keys.py" in render(world)
    closed = render(world, show=hides("secret"))
    assert "keys" not in closed
    assert "secret" not in closed
    assert "keys.py" in render(world)
    assert render(world, show=hides("secret")) == closed


@pytest.mark.parametrize("focus", ["secret/keys.py", "secret", "Key"])
def test_a_focus_does_not_find_what_is_hidden(focus):
    world = World({**SMALL, "secret/keys.py": "class Key: pass\n"})
    with pytest.raises(ToolError, match="Nothing is called"):
        render(world, focus=[focus], show=hides("secret"))
    assert "keys.py" in render(world, focus=[focus])


def test_hidden_folders_are_not_listed():
    world = World({**large(), **{f"secret/k{n}.py": "x = 1\n" for n in range(50)}})
    assert "  secret/ 50\n" in render(world)
    assert "secret" not in render(world, show=hides("secret"))


def test_odd_names_stay_one_line_each(tmp_path):
    folder = tmp_path / "ws"
    folder.mkdir()
    names = [b"new\nline.py", b"\xff\xfe.py", b"esc\x1b[2J.py", "rtl\u202e.py".encode(), b" lead.py", b"x" * 200 + b".py"]
    for name in names:
        (folder / os.fsdecode(name)).write_text("def f(): pass\n")
    code = Codebase(folder, {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, cache=tmp_path / "cache")
    text = render(code)
    code.close()
    assert text.startswith(f"{len(names)} of {len(names)} files shown")
    assert len(text.splitlines()) == 2 + 2 * len(names)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert max(map(len, text.splitlines())) < 110


def test_a_map_of_files_on_disk_is_the_same_under_another_hash_seed(tmp_path):
    folder = tmp_path / "ws"
    for path, text in large().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    script = (
        "import os, sys; from pathlib import Path; from kimicode.repo.codebase import Codebase; from kimicode.repo.map import render\n"
        "code = Codebase(Path(sys.argv[1]), os.environ, cache=Path(sys.argv[2]), processes=1)\n"
        "print(render(code, budget=700), render(code, budget=300, focus=['core/m3.py', 'C9x1']))\ncode.close()"
    )
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    texts = [
        subprocess.run(
            [sys.executable, "-c", script, str(folder), str(tmp_path / f"cache{seed}")],
            env={**environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    ]
    assert len(set(texts)) == 1
    assert b"class C9x1" in texts[0]


def test_a_map_for_the_opening_is_left_out_where_it_would_lack_most():
    assert map_for_opening(World(large(), unread=[f"app/u{n}.py" for n in range(40)])) is None
    assert map_for_opening(World(large()), seconds=0.0) is None
    text = map_for_opening(World(large()))
    assert text is not None
    assert count(text) <= 800
    assert text == render(World(large()), budget=800)
