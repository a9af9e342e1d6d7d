"""kimicode map: the map on stdout, what PATHS mean, exit codes."""

import pytest

from kimicode.commands.map import map_command
from kimicode.errors import ToolError, UsageError
from kimicode.tokens import count


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("KIMICODE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "ws"
    for path, text in {"a/core.py": "class Engine: pass\n", "b/use.py": "from core import Engine\ndef go(): Engine()\n"}.items():
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(text)
    monkeypatch.chdir(folder)
    return folder


def test_a_map(capfd):
    assert map_command([]) == 0
    out, err = capfd.readouterr()
    assert out == "2 of 2 files shown (source: 2 Python)\na/\n  core.py\n    class Engine\nb/\n  use.py\n    def go()\n"
    assert err == ""


def test_folders_limit_and_files_come_first(capfd, project):
    for number in range(80):
        (project / f"m{number}.py").write_text(f"def function_number_{number}(): pass\n")
    map_command(["a"])
    assert capfd.readouterr().out.endswith("\na/\n  core.py\n    class Engine\n")
    map_command([str(project / "m41.py")], budget=100)
    out = capfd.readouterr().out
    assert count(out) <= 100
    assert "def function_number_41()" in out


def test_a_budget_out_of_range_and_an_unknown_path():
    with pytest.raises(UsageError, match="--budget 7: a map has 100 to 8,000 tokens"):
        map_command([], budget=7)
    with pytest.raises(ToolError, match="Nothing is called nowhere"):
        map_command(["nowhere"])
