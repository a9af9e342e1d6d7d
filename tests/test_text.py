"""Nothing that a terminal obeys gets through `render_safe`, and nothing that a person reads is lost."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.text import Untrusted, render_safe


@pytest.mark.parametrize(
    ("outside", "shown"),
    [
        ("plain\n\ttext — ünïcode 漢字 🧪 👩‍💻", "plain\n\ttext — ünïcode 漢字 🧪 👩‍💻"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred\x9b0m", "red"),
        ("\x1b[?1049h\x1b[2J\x1b[1;1Hx", "x"),
        ("\x1b]0;title\x07x", "]0;titlex"),
        ("\x1b]52;c;cm0gLXJm\x1b\\x", "]52;c;cm0gLXJm\\x"),
        ("\x90q\x9cx", "qx"),
        ("safe\rrm -rf x", "saferm -rf x"),
        ("a\r\nb", "a\nb"),
        ("abc\x08\x08\x7f", "abc"),
        ("user\u202eexe.txt\u202c", "userexe.txt"),
        ("\u2066a\u2069\u200e\u200f\u061c", "a"),
        ("a\u200bb\ufeff\u2060c\u2028d", "abcd"),
        ("\U000e0041\U000e0042x", "x"),
        ("bad\udc80name", "bad\ufffdname"),
        ("[/] [b unterminated", "[/] [b unterminated"),
    ],
)
def test_harmless(outside: str, shown: str) -> None:
    assert render_safe(Untrusted(outside)) == shown


def test_a_sequence_put_together_by_the_cleaning_is_harmless() -> None:
    assert render_safe(Untrusted("\x1b\x1b[31m[31mx")) == "[31mx"


def test_only_render_safe_makes_it_text() -> None:
    assert not isinstance(Untrusted("x"), str)
    assert "\x1b" not in f"{Untrusted(chr(27))}"


STEERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
NASTY = st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x9b[]0;mH\r\n\t\x07\u202e\u2069\ud800")), max_size=60)


@given(NASTY)
def test_no_control_gets_through(text: str) -> None:
    shown = render_safe(Untrusted(text))
    assert not [char for char in shown if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} and char not in "\n\t"]
    assert not [
        char for char in shown if unicodedata.bidirectional(char) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    ]
    assert render_safe(Untrusted(shown)) == shown


@given(st.text(st.characters(exclude_categories=["C", "Z"])))
def test_nothing_printable_is_lost(text: str) -> None:
    assert render_safe(Untrusted(f"\x1b[1m{text}\r\x1b[0m")) == text
