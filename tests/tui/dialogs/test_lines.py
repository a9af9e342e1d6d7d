from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kimicode.sandbox.approval import FileText
from kimicode.tui.dialogs.exact import shortened, spelled
from kimicode.tui.dialogs.lines import folded
from kimicode.tui.dialogs.words import harmless


@given(st.text(max_size=200), st.integers(4, 40))
def test_nothing_is_lost_and_every_line_fits(text: str, width: int):
    text = harmless(text)
    strips = folded(text, width)
    assert "".join(strip.text for strip in strips) == text.replace("\n", "")
    assert all(strip.cell_length <= width and strip.cell_length == cell_len(strip.text) for strip in strips)


def test_a_line_of_megabytes_is_folded():
    strips = folded("x" * 2_000_000, 100)
    assert len(strips) == 20_000


def test_breaks_are_between_words_where_there_are_any():
    assert [strip.text for strip in folded("one two three four", 9)] == ["one two ", "three ", "four"]


def test_the_exact_change_has_every_letter():
    hidden = "x = 1" + " " * 3000 + "; import os"
    files = (FileText("a.py", "x = 1\n", hidden + "\n"), FileText("b.py", None, "p\u0430ypal = '\u202e'\n"))
    text = "".join(strip.text for strip in spelled(files, 60))
    assert "+ " + hidden in text
    assert "p⟨U+0430⟩ypal = '⟨U+202E⟩'" in text
    assert shortened(files, 60)
    assert not shortened((FileText("a.py", "x = 1\n", "x = 2\n"),), 60)
