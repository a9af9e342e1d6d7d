"""Settings changed in their file: what was meant changes and nothing else, and a file that is broken stays as it is."""

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.errors import UsageError
from kimicode.settings import load_settings
from kimicode.settings_file import add_rule, set_values

OWN = """# mine
endpoint = "local"  # at home

[permissions]
# what I trust
allow = [
    "shell(npm test)",  # tests
    "host(pypi.org)",
]

[ui]
# colours
theme = "light"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "settings.toml"
    file.write_text(OWN)
    return file


def test_a_file_is_made_private_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "settings.toml"
    set_values(path, {("ui", "theme"): "dark", ("model",): "kimi-nano", ("max_steps",): 7, ("git", "trailer"): True})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    settings = load_settings({"KIMICODE_CONFIG": str(path)}, {})
    assert (settings.ui.theme, settings.model, settings.max_steps, settings.git.trailer) == ("dark", "kimi-nano", 7, True)
    assert os.listdir(path.parent) == ["settings.toml"]


def test_comments_and_order_stay(path: Path) -> None:
    set_values(path, {("ui", "theme"): "dark", ("model",): "kimi-nano"})
    assert path.read_text() == OWN.replace('"light"', '"dark"').replace("# at home\n", '# at home\nmodel = "kimi-nano"\n')


def test_a_rule_is_added_once_where_the_others_are(path: Path) -> None:
    for _ in range(2):
        add_rule(path, "allow", "shell(git 'a b' *)")
    assert path.read_text() == OWN.replace('"host(pypi.org)",\n', '"host(pypi.org)",\n    "shell(git \'a b\' *)",\n')
    add_rule(path, "deny", "shell(rm *)")
    assert load_settings({"KIMICODE_CONFIG": str(path)}, {}).permissions.deny == ("shell(rm *)",)


def test_none_removes_and_what_is_not_there_is_no_fault(path: Path) -> None:
    set_values(path, {("endpoint",): None, ("ui", "theme"): None, ("git", "trailer"): None, ("model",): None})
    assert tomllib.loads(path.read_text()) == {"permissions": tomllib.loads(OWN)["permissions"], "ui": {}}
    assert "# colours" in path.read_text()


def test_lists_keep_what_they_have_in_common(path: Path) -> None:
    set_values(path, {("permissions", "allow"): ("shell(npm test)", "host(x.org)")})
    assert '"shell(npm test)",  # tests\n' in path.read_text()
    assert tomllib.loads(path.read_text())["permissions"]["allow"] == ["shell(npm test)", "host(x.org)"]
    set_values(path, {("permissions", "allow"): ()})
    assert tomllib.loads(path.read_text())["permissions"]["allow"] == []


@pytest.mark.parametrize(
    "text",
    [
        'permissions.allow = ["host(a.org)"]\r\nui = { theme = "dark" }\r\n',
        '[permissions]\nallow = ["host(a.org)"]',
        "[ui]\n[permissions]\n",
        "permissions = {}\n",
        "",
        "# nothing\n",
    ],
)
def test_however_it_is_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(text.encode())
    before = tomllib.loads(text).get("permissions", {}).get("allow", [])
    add_rule(path, "allow", "host(b.org)")
    set_values(path, {("ui", "width"): 90, ("model",): "m"})
    settings = load_settings({"KIMICODE_CONFIG": str(path)}, {})
    assert settings.permissions.allow == (*before, "host(b.org)")
    assert (settings.ui.width, settings.model) == (90, "m")
    assert path.read_bytes().startswith(text.split("[")[0].encode()[:10])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({("ui", "width"): "wide"}, "Expected `int`"),
        ({("nope",): 1}, "there is no such setting"),
        ({("ui", "nope"): 1}, "nope"),
        ({("max_steps",): -1}, "must be above zero"),
        ({("permissions", "allow"): ["bad"]}, "can't be used"),
        ({("endpoint", "deeper"): 1}, "endpoint is no table"),
        ({("model",): "\ud800"}, "surrogates not allowed"),
    ],
)
def test_what_kimicode_would_not_start_with_is_not_written(path: Path, values: dict[tuple[str, ...], object], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        set_values(path, values)  # type: ignore[arg-type]
    assert str(path) in caught.value.message
    assert path.read_text() == OWN
    assert os.listdir(path.parent) == ["settings.toml"]


@pytest.mark.parametrize(
    "data", [b"model = \n", b"\xff\xfe", b'model = "a"\nmodel = "b"\n', b"nope = 1\n", b'[permissions]\nallow = ["x"]\n']
)
def test_a_broken_file_is_left_untouched(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(UsageError, match=str(path)):
        add_rule(path, "allow", "shell(make)")
    assert path.read_bytes() == data


def test_a_link_is_followed_and_the_mode_kept(tmp_path: Path, path: Path) -> None:
    """People keep their settings in a repository and link them from where programs look."""
    path.chmod(0o640)
    link = tmp_path / "config" / "settings.toml"
    link.parent.mkdir()
    link.symlink_to("../settings.toml")
    set_values(link, {("ui", "theme"): "dark"})
    assert link.is_symlink()
    assert 'theme = "dark"' in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("kind", ["folder", "fifo", "loop", "below a file"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "settings.toml"
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path)
        case _:
            path.write_text("")
            path = path / "settings.toml"
    with pytest.raises(UsageError, match="can't change the settings"):
        set_values(path, {("model",): "m"})


def test_no_change_writes_nothing(path: Path) -> None:
    before = path.stat()
    set_values(path, {("endpoint",): "local", ("git", "trailer"): None})
    add_rule(path, "allow", "host(pypi.org)")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(model=WORDS, theme=WORDS, width=st.integers(1, 10**9))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, model: str, theme: str, width: int) -> None:
    path = tmp_path_factory.mktemp("any") / "settings.toml"
    path.write_text(OWN)
    set_values(path, {("model",): model, ("ui", "theme"): theme, ("ui", "width"): width})
    settings = load_settings({"KIMICODE_CONFIG": str(path)}, {})
    assert (settings.model, settings.ui.theme, settings.ui.width) == (model, theme, width)
