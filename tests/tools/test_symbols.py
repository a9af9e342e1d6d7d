"""symbols, and grep with an index: what is defined, used, inherited and imported, and nothing that is hidden or another's."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kimicode.messages import ToolCall, ToolResult
from kimicode.repo.codebase import Codebase
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools import grep, symbols
from kimicode.tools.base import ToolContext
from kimicode.tools.registry import Toolbox
from kimicode.tools.spec import full_spec

FILES = {
    "shop/__init__.py": "",
    "shop/base.py": "class Store:\n    def load(self, key):\n        raise NotImplementedError\n",
    "shop/disk.py": (
        "import json\nfrom shop.base import Store\n\n\nclass Disk(Store):\n    def load(self, key):\n        return json.load(open(key))\n"
        "\n\ndef connect(url):\n    # connect is slow\n    return Disk()\n"
    ),
    "shop/app.py": (
        "from shop.disk import connect\n\n\ndef main():\n    store = connect('x')\n    return store.load('key')\n\n\n"
        "def fail():\n    raise ValueError('the shelf is empty')\n"
    ),
    "tests/test_app.py": "from shop.app import fail, main\n\n\ndef test_main():\n    assert main()\n\n\ndef test_fail():\n    fail()\n",
    "other/tool.py": "def load(x):\n    return x\n\n\ndef use():\n    return load(1)\n",
    "web/main.ts": "import { draw } from './draw';\nexport function start() { draw(1); }\n",
    "web/draw.ts": "export function draw(n: number) { return n; }\n",
    "notes.md": "connect to the shop\n",
}


@pytest.fixture
def project(workspace: Path) -> Path:
    for name, text in FILES.items():
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(text)
    return workspace


@pytest.fixture
def code(project: Path, tmp_path: Path) -> Iterator[Codebase]:
    made = Codebase(project, {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, cache=tmp_path / "cache")
    yield made
    made.close()


Ask = Callable[..., ToolResult]


def asking(project: Path, scratch: Path, code: Codebase | None, hidden: tuple[Path, ...] = ()) -> Ask:
    policy = Policy(Permission.WORKSPACE, project, hidden=hidden)
    tools = (
        grep.Grep(full_spec(grep.NAME, grep.PROPERTIES, grep.REQUIRED)),
        symbols.Symbols(full_spec(symbols.NAME, symbols.PROPERTIES, symbols.REQUIRED)),
    )
    box = Toolbox(tools, ToolContext(project, policy, scratch, code=code))
    return lambda name, **arguments: asyncio.run(box.run(ToolCall("functions.x:0", name, json.dumps(arguments))))


@pytest.fixture
def ask(project: Path, scratch: Path, code: Codebase) -> Ask:
    return asking(project, scratch, code)


def test_a_definition_with_a_summary_of_its_uses(ask: Ask) -> None:
    assert ask("symbols", query="connect").content.splitlines() == [
        "shop/disk.py:10-12: def connect(url)",
        "used in 1 file: 1 call, 1 import",
        "called by main (shop/app.py:5)",
    ]


def test_a_definition_alone(ask: Ask) -> None:
    assert ask("symbols", query="connect", kind="definition").content == "shop/disk.py:10-12: def connect(url)"


def test_a_class_says_what_it_inherits_and_a_method_what_it_overrides(ask: Ask) -> None:
    assert "Disk inherits Store (shop/base.py:1)" in ask("symbols", query="Disk").content
    answer = ask("symbols", query="Disk.load").content.splitlines()
    assert answer[:2] == ["shop/disk.py:6-7 Disk: def load(self, key)", "Disk.load overrides Store.load (shop/base.py:2)"]


def test_callers_of_a_method_are_those_of_its_class(ask: Ask) -> None:
    # `json.load` is the standard library's, `other/tool.py` has a `load` of its own; of `store.load` nobody can be sure.
    answer = ask("symbols", query="Disk.load", kind="callers").content
    assert "json.load" not in answer.split("may be another's")[0]
    assert "other/tool.py" not in answer.split("may be another's")[0]
    assert "shop/app.py\n6 main: return store.load('key')" in answer


def test_references_name_their_surroundings_and_count_text(ask: Ask) -> None:
    answer = ask("symbols", query="connect", kind="references").content
    assert answer.splitlines() == [
        "connect shop/disk.py:10-12",
        "shop/app.py",
        "1: from shop.disk import connect",
        "5 main: store = connect('x')",
        "uses of that name that may be another's, or none (1):",
        "notes.md",
        "1: connect to the shop",
        "in text or comments: 1",
    ]


def test_ambiguous_names_are_listed_source_first(ask: Ask) -> None:
    places = [line.split(" ")[0].rstrip(":") for line in ask("symbols", query="load", kind="definition").content.splitlines()]
    assert [each for each in places if ".py:" in each] == ["other/tool.py:1-2", "shop/base.py:2-3", "shop/disk.py:6-7"]


def test_a_qualifier_that_does_not_fit_gets_what_there_is(ask: Ask) -> None:
    answer = ask("symbols", query="Gone.connect").content
    assert answer == "No 'Gone.connect'; what is called 'connect':\nshop/disk.py:10-12: def connect(url)"


@pytest.mark.parametrize("query", ["shop.disk.connect", "shop/disk/connect", "shop::connect", "connect()"])
def test_a_name_may_be_qualified_by_its_module(ask: Ask, query: str) -> None:
    assert ask("symbols", query=query, kind="definition").content == "shop/disk.py:10-12: def connect(url)"


def test_a_name_that_is_not_there_gets_others_like_it(ask: Ask) -> None:
    result = ask("symbols", query="connec")
    assert not result.ok
    assert "nothing is called 'connec'. Names like it: connect." in result.content
    assert "nothing is called 'zzz'." in ask("symbols", query="zzz").content
    assert "Use grep for text" in ask("symbols", query="two words").content


def test_the_outline_of_a_file_and_its_imports_both_ways(ask: Ask) -> None:
    assert ask("symbols", query="shop/disk.py").content.splitlines() == [
        "shop/disk.py: Python, 3 definitions",
        "5-7 class Disk(Store)",
        " 6-7 def load(self, key)",
        "10-12 def connect(url)",
        "imports (1): shop/base.py",
        "imported by (1): shop/app.py",
    ]
    assert ask("symbols", query="web/draw.ts", kind="references").content.splitlines()[-1] == "imported by (1): web/main.ts"


def test_the_outline_of_one_definition(ask: Ask) -> None:
    assert ask("symbols", query="Disk", kind="outline").content.splitlines()[1:] == ["6-7 def load(self, key)"]


def test_what_encloses_a_line(ask: Ask) -> None:
    assert ask("symbols", query="shop/disk.py:12").content.startswith("shop/disk.py:10-12: def connect(url)\nused in 1 file")
    assert "no definition encloses line 1 of shop/disk.py" in ask("symbols", query="shop/disk.py:1").content


def test_what_has_no_symbols_or_no_index_is_said(ask: Ask, project: Path, scratch: Path) -> None:
    assert "notes.md has no symbols" in ask("symbols", query="notes.md").content
    assert asking(project, scratch, None)("symbols", query="connect").content == "Error: there is no symbol index here. Use grep."


def test_an_answer_is_true_to_the_disk_of_now(ask: Ask, project: Path) -> None:
    assert "1 call" in ask("symbols", query="connect").content
    (project / "shop/more.py").write_text("from shop.disk import connect\n\ndef again():\n    connect('y')\n    connect('z')\n")
    assert "3 calls" in ask("symbols", query="connect").content
    (project / "shop/more.py").unlink()
    assert "1 call," in ask("symbols", query="connect").content


def test_hidden_files_are_said_nothing_of(project: Path, scratch: Path, code: Codebase) -> None:
    code.refresh()
    ask = asking(project, scratch, code, (project / "shop/disk.py",))
    for call in [
        ask("symbols", query="connect"),
        ask("symbols", query="Disk"),
        ask("symbols", query="Dis"),
        ask("symbols", query="shop/base.py"),
        ask("symbols", query="shop/app.py"),
        ask("grep", pattern="connect"),
        ask("grep", pattern="class Store"),
    ]:
        assert "disk.py" not in call.content
        assert "Disk" not in call.content.replace("'Disk'", "")


def test_grep_ranks_and_names_what_is_around(ask: Ask) -> None:
    assert ask("grep", pattern="connect").content.splitlines() == [
        "shop/disk.py",
        "10: def connect(url):",
        "11 connect: # connect is slow",
        "shop/app.py",
        "1: from shop.disk import connect",
        "5 main: store = connect('x')",
        "notes.md",
        "1: connect to the shop",
    ]


def test_grep_for_text_tells_who_calls_what_is_around_it(ask: Ask) -> None:
    assert ask("grep", pattern="the shelf is empty").content.splitlines() == [
        "shop/app.py",
        "10 fail: raise ValueError('the shelf is empty')",
        "fail is called by test_fail (tests/test_app.py:9)",
    ]


def test_grep_in_a_part_tells_where_the_name_is_defined(ask: Ask) -> None:
    assert ask("grep", pattern="connect", path="shop/app.py").content.splitlines()[-1] == "defined: shop/disk.py:10-12 def connect(url)"


def test_many_matches_become_numbers_and_counts_and_none_is_lost(ask: Ask, project: Path) -> None:
    for number in range(40):
        body = "".join(f"    target({each}, 'some text to make the line longer than it need be')\n" for each in range(20))
        (project / f"shop/many{number:02}.py").write_text(f"def f{number}():\n{body}")
    content = ask("grep", pattern="target").content
    last = content.splitlines()[-1]
    assert last.endswith("for more raise limit, or narrow pattern, path or glob]")
    whole, total, numbered = (int(word) for word in last.replace("[", "").replace(",", "").split() if word.isdigit())
    assert total == 800
    assert 20 <= whole < 100
    counted = int(content.rsplit("\nand ", 1)[1].split(" ")[0])
    assert whole + numbered + counted == 800
    assert sum(line.startswith(tuple("0123456789")) for line in content.splitlines()) == whole
    assert len(content) < 6_000
    everything = ask("grep", pattern="target", limit=300).content
    assert sum(line.startswith(tuple("0123456789")) for line in everything.splitlines()) == 300


def test_an_index_that_can_not_be_made_leaves_grep_as_it_is(project: Path, scratch: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code = Codebase(project, {"PATH": os.environ["PATH"]}, cache=tmp_path / "file")
    assert "10: def connect(url):" in asking(project, scratch, code)("grep", pattern="def connect").content
