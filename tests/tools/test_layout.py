"""Uses within a budget: best first, paths once, everything accounted for."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.repo.lookup import Role
from kimicode.repo.uses import Use
from kimicode.tokens import count
from kimicode.tools.layout import FEW, laid_out, line


def use(path: str, number: int, text: str = "x = value", **more) -> Use:
    return Use(path, number, text, **more)


def test_paths_stand_once_and_lines_in_their_order() -> None:
    uses = [use("b.py", 9, "  def f():", around="C"), use("a.py", 2), use("b.py", 3)]
    assert laid_out(uses, budget=1).text == "b.py\n3: x = value\n9 C: def f():\na.py\n2: x = value"


def test_a_limit_shows_so_many_and_counts_the_rest() -> None:
    laid = laid_out([use(f"d/{number}.py", 1) for number in range(30)], budget=1, limit=3)
    assert (len(laid.whole), laid.numbered, laid.counted) == (3, 0, 27)
    assert laid.text.splitlines()[-1] == "and 27 more in 27 files: d/ 27"


def test_imports_beyond_a_few_need_no_text_where_room_is_short() -> None:
    uses = [use(f"i{number}.py", 1, "from a import value", role=Role.IMPORT) for number in range(30)] + [use("c.py", 5, role=Role.CALL)]
    laid = laid_out(uses, budget=400)
    assert [each.path for each in laid.whole] == ["i0.py", "i1.py", "i2.py", "c.py"]
    assert "i29.py: 1" in laid.text
    assert laid.counted == 0


def test_a_long_line_is_cut_around_the_name() -> None:
    text = "a" * 300 + " needle " + "b" * 300
    cut = line(use("a.js", 1, text), names=("needle",))
    assert "needle" in cut
    assert len(cut) < 180
    assert cut.startswith("1: …a")
    assert cut.endswith("b…")


places = st.builds(
    Use,
    path=st.sampled_from([f"{folder}/{name}.py" for folder in ("a", "b/c", "long/folder/names") for name in "xyz"]),
    line=st.integers(1, 5_000),
    text=st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=200),
    around=st.sampled_from(["", "f", "Class.method"]),
    role=st.sampled_from(Role),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(places, max_size=200, unique_by=lambda each: (each.path, each.line)), st.integers(200, 2_000))
def test_nothing_is_lost_and_the_budget_holds(uses: list[Use], budget: int) -> None:
    laid = laid_out(sorted(uses, key=lambda each: each.rank), budget=budget)
    assert len(laid.whole) + laid.numbered + laid.counted == len(uses)
    if len(uses) > FEW:
        # The last line, of what is only counted, comes on top.
        assert count(laid.text) <= budget + 60
    else:
        assert laid.numbered == laid.counted == 0
    if laid.counted:
        assert re.search(rf"^and {laid.counted} more in ", laid.text, re.MULTILINE)
