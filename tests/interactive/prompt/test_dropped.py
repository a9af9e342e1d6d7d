"""Files dragged onto a terminal arrive as paths in many spellings."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.interactive.prompt.dropped import dropped_pictures, may_be_pictures

HOME = Path("/home/ada")
THERE = {Path("/tmp/a shot.png"), Path("/tmp/b.JPG"), Path("/home/ada/c.webp"), Path("/tmp/it's.png")}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("'/tmp/a shot.png'", ["a shot.png"]),
        (r"/tmp/a\ shot.png ", ["a shot.png"]),
        ("/tmp/a shot.png", ["a shot.png"]),
        ("file:///tmp/a%20shot.png", ["a shot.png"]),
        ("~/c.webp", ["c.webp"]),
        ("/tmp/b.JPG '/tmp/a shot.png'\n", ["b.JPG", "a shot.png"]),
        ("file:///tmp/b.JPG\nfile:///tmp/a%20shot.png", ["b.JPG", "a shot.png"]),
        ('"/tmp/it\'s.png"', ["it's.png"]),
        ("/tmp/gone.png", []),
        ("look at /tmp/b.JPG", []),
        ("/tmp/b.JPG is wrong", []),
        ("/tmp/b.JPG /etc/passwd", []),
        ("'/tmp/unclosed.png", []),
        ("b.JPG", []),
        ("", []),
        ("/tmp/\0.png", []),
    ],
)
def test_paths_of_pictures_are_recognised(text, names):
    assert [path.name for path in dropped_pictures(text, HOME, THERE.__contains__)] == names


@given(st.text() | st.text("/~'\"\\ file:.png%\0[]", max_size=40))
def test_any_paste_is_looked_at_without_harm(text):
    assert dropped_pictures(text, HOME, lambda _: False) == ()


def test_ordinary_text_costs_no_look_at_the_disk():
    assert not may_be_pictures("fix the bug in main.py")
    assert not may_be_pictures("/tmp/a.png" * 10_000)
