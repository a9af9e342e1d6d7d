"""kimicode symbols: the answer on stdout, why not on stderr, exit codes."""

import pytest

from kimicode.commands.symbols import symbols_command
from kimicode.errors import UsageError


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("KIMICODE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "ws"
    folder.mkdir()
    (folder / "a.py").write_text("class Engine:\n    def start(self):\n        pass\n\n\nEngine().start()\n")
    monkeypatch.chdir(folder)


def test_an_answer(capfd):
    assert symbols_command("Engine.start") == 0
    out, err = capfd.readouterr()
    assert out == "a.py:2-3 Engine: def start(self)\nused in 1 file: 1 call\ncalled by top (a.py:6)\n"
    assert err == ""


def test_a_kind(capfd):
    assert symbols_command("a.py", "outline") == 0
    assert capfd.readouterr().out == "a.py: Python, 2 definitions\n1-3 class Engine\n 2-3 def start(self)\n"


def test_nothing_of_that_name_and_a_wrong_kind(capfd):
    assert symbols_command("gone") == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "nothing is called 'gone'" in err
    with pytest.raises(UsageError, match="there is no kind 'colour'") as raised:
        symbols_command("Engine", "colour")
    assert "definition, references, callers, outline" in raised.value.hint
