"""The finder against a plain one: what fits is the same, scores are the best there are, and good names win."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.interactive.prompt.fuzzy import Finder

PATHS = st.lists(st.text("abAB/_.1é", min_size=1, max_size=12), max_size=30, unique=True)


def fits(query: str, path: str) -> bool:
    rest = iter(path.lower())
    return all(char in rest for char in query.lower())


@given(PATHS, st.text("abAB/_.1éx", max_size=6))
def test_what_fits_is_what_holds_the_characters_in_order(paths, query):
    found = Finder(paths).search(query, 100)
    assert found is not None
    assert {each.path for each in found} == {path for path in paths if fits(query, path)}
    for each in found:
        assert "".join(each.path[place] for place in each.matched).lower() == query.lower()
        assert list(each.matched) == sorted(set(each.matched))


def best_score(finder: Finder, path: str, query: str) -> int:
    """The same sum, over every way to match."""
    start = sum(map(len, finder.paths[: finder.paths.index(path)]))
    scores = []
    for places in combinations(range(len(path)), len(query)):
        if any(path[place].lower() != char.lower() for place, char in zip(places, query, strict=True)):
            continue
        total = 0
        for number, place in enumerate(places):
            bonus = int(finder._bonus[start + place])
            if not number:
                total += 16 + 2 * bonus
            elif places[number - 1] == place - 1:
                total += 16 + max(bonus, 8)
            else:
                total += 16 + bonus - 4
        scores.append(total)
    return max(scores)


@given(PATHS, st.text("abAB/_.1é", min_size=1, max_size=4))
def test_scores_are_the_best_there_are(paths, query):
    finder = Finder(paths)
    found = finder.search(query, 100)
    assert found is not None
    for each in found:
        assert each.score == best_score(finder, each.path, query) + int(finder._extra[finder.paths.index(each.path)])
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


@given(PATHS, st.lists(st.text("abAB/_.1é", max_size=6), max_size=6))
def test_what_was_asked_before_changes_no_answer(paths, queries):
    finder = Finder(paths)
    for query in queries:
        for end in (*range(len(query) + 1), *range(len(query), -1, -1)):
            assert finder.search(query[:end]) == Finder(paths).search(query[:end])


@settings(max_examples=50)
@given(st.lists(st.text(min_size=1, max_size=20), max_size=20, unique=True), st.text(max_size=5))
def test_any_names_and_any_query(paths, query):
    # Letters whose small form has another length (İ), and halves of surrogates from names that are no UTF-8.
    finder = Finder([*paths, "İstanbul.txt", "\udcff.bin"])
    found = finder.search(query, 50)
    assert found is not None
    assert all(0 <= place < len(each.path) for each in found for place in each.matched)


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        ("main", "src/main.py", "src/domain.py"),
        ("main", "a/b/main.py", "main/a/b.py"),
        ("pe", "ui/prompt_editor.py", "ui/pipeline.py"),
        ("pe", "ui/PromptEditor.ts", "ui/rope.ts"),
        ("test", "test.py", "deep/down/below/test.py"),
        ("test", "src/test_a.py", "src/a_test_of_something_long.py"),
        ("abc", "xabc.py", "xa_b_long_c.py"),
        ("readme", "README.md", "docs/read/me/now.md"),
        ("src/m", "src/main.py", "some/rich/cat/mine.py"),
        ("gf", "repo/git_files.py", "repo/log_format.py"),
    ],
)
def test_good_names_win(query, better, worse):
    found = Finder([worse, better]).search(query)
    assert found is not None
    assert [each.path for each in found] == [better, worse]


def test_what_was_used_lately_comes_first():
    paths = [f"src/mod{number}.py" for number in range(20)]
    finder = Finder(paths, recent=("src/mod17.py",))
    for query in ("", "mod", "py"):
        found = finder.search(query, 3)
        assert found is not None
        assert found[0].path == "src/mod17.py"


def test_a_search_that_is_overtaken_gives_up():
    finder = Finder(["a.py", "b.py"])
    assert finder.search("a", overtaken=lambda: True) is None
    assert finder.search("a") is not None


def test_work_is_bounded_by_what_fits_and_what_is_asked():
    # 100,000 paths: the table of scores is made for two thousand and for the answer, whatever the query.
    finder, rows = Counting([f"src/part{number % 100}/module_{number}.py" for number in range(100_000)]), []
    finder.rows = rows
    for query in ("m", "mo", "mod", "modu", "module_99", "zzz", ""):
        found = finder.search(query, 50)
        assert found is not None
        assert len(found) == (0 if query == "zzz" else 50)
    assert max(rows) <= 2_000


class Counting(Finder):
    rows: list[int]

    def _table(self, query, rows):
        self.rows.append(len(rows))
        return super()._table(query, rows)


def test_matches_deep_in_very_long_paths_are_found():
    long = "start/" + "x" * 400 + "/end.py"
    found = Finder([long]).search("startend")
    assert found is not None
    assert [long[place] for place in found[0].matched] == list("startend")


def test_no_paths_at_all():
    assert Finder(()).search("a") == ()
    assert Finder(()).search("") == ()
