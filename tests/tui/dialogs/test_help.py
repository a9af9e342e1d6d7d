import pytest

from kimicode.tui.dialogs.help import key_name


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("ctrl+s", "Ctrl+S"),
        ("shift+tab", "Shift+Tab"),
        ("a", "a"),
        ("N", "N"),
        ("up", "↑"),
        ("ctrl+shift+p", "Ctrl+Shift+P"),
        ("f1", "F1"),
        ("pagedown", "PgDn"),
        ("alt+left", "Alt+←"),
        ("slash", "/"),
    ],
)
def test_keys_are_named_as_people_write_them(key: str, name: str):
    assert key_name(key) == name
