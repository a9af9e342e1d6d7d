"""What a line is in a file, which names a pattern looks for, and which uses are surely whose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.repo.lookup import FileView, Role
from kimicode.repo.pattern import names_in
from kimicode.repo.standing import Standing, standing
from kimicode.repo.symbols import Definition, FileSymbols, Import, Reference
from kimicode.repo.uses import Match, judged

TEXT = """\
import os
from .base import Base

@decorated
class Thing(Base):
    size = 3

    @property
    def value(self) -> int:
        # value is cheap
        return helper(self.size)

def helper(n: int) -> int:
    return other(n)
""".splitlines()

SYMBOLS = FileSymbols(
    "Python",
    (
        Definition("Thing", "class", 4, 11, -1, "class Thing(Base)"),
        Definition("size", "field", 6, 6, 0, "size = 3"),
        Definition("value", "method", 8, 11, 0, "def value(self) -> int"),
        Definition("helper", "function", 13, 14, -1, "def helper(n: int) -> int"),
    ),
    (
        Reference("Base", "import", 2, -1),
        Reference("decorated", "decorator", 4, 0),
        Reference("Base", "base", 5, 0),
        Reference("property", "decorator", 8, 2),
        Reference("helper", "call", 11, 2),
        Reference("size", "name", 11, 2),
        Reference("other", "call", 14, 3),
    ),
    (Import("os", (), 1), Import(".base", ("Base",), 2)),
)


def role(line: int, *words: str) -> Role:
    view = FileView(SYMBOLS)
    return view.role(line, TEXT[line - 1], {*words}, view.on({line}).get(line, []))


def test_what_is_around_a_line() -> None:
    view = FileView(SYMBOLS)
    labels = [view.label(view.within(line)) for line in range(1, 15)]
    inside = ["Thing", "Thing", "Thing.size", "Thing", *["Thing.value"] * 4]
    assert labels == ["", "", "", *inside, "", "helper", "helper"]


def test_as_what_a_name_stands() -> None:
    assert role(5, "Thing") is Role.DEFINITION
    assert role(9, "value") is Role.DEFINITION
    assert role(13, "helper") is Role.DEFINITION
    assert role(2, "Base") is Role.IMPORT
    assert role(1, "os") is Role.IMPORT
    assert role(5, "Base") is Role.BASE
    assert role(11, "helper") is Role.CALL
    assert role(11, "size") is Role.USE
    assert role(4, "decorated") is Role.USE
    assert role(10, "value") is Role.TEXT


def test_the_best_of_several_roles_counts() -> None:
    assert role(5, "Base", "Thing") is Role.DEFINITION
    assert role(11, "size", "helper") is Role.CALL


@pytest.mark.parametrize(("problem", "want"), [("syntax errors", Role.UNKNOWN), ("minified", Role.UNKNOWN), ("generated", Role.TEXT)])
def test_where_a_file_was_not_read_nothing_is_claimed(problem, want: Role) -> None:
    assert FileView(FileSymbols("Python", problem=problem)).role(3, "x = name", {"name"}, []) is want


def test_a_result_type_above_a_name_belongs_to_the_definition() -> None:
    view = FileView(FileSymbols("C", (Definition("luaL_ref", "function", 10, 20, -1, "LUALIB_API int luaL_ref (lua_State *L, int t)"),)))
    assert view.introduced(11, "luaL_ref (lua_State *L, int t) {", {"luaL_ref"}) == 0
    assert view.introduced(15, "  x = luaL_ref (L, t);", {"luaL_ref"}) == -1


def test_bases_and_members() -> None:
    view = FileView(SYMBOLS)
    assert view.bases(0) == ("Base",)
    assert view.members(0) == [1, 2]
    assert view.members(-1) == [0, 3]


@st.composite
def nested(draw: st.DrawFn) -> FileSymbols:
    """Definitions that lie within one another or apart, as a parser finds them."""
    made: list[Definition] = []

    def fill(first: int, last: int, parent: int) -> None:
        line = first
        while line <= last and len(made) < 30 and draw(st.booleans()):
            start = draw(st.integers(line, last))
            end = draw(st.integers(start, last))
            made.append(Definition(f"d{len(made)}", "function", start, end, parent, "def"))
            fill(start, end, len(made) - 1)
            line = end + 1

    fill(1, 40, -1)
    return FileSymbols("Python", tuple(made))


@given(nested(), st.integers(1, 40))
def test_the_innermost_definition_is_found_as_a_look_at_all_finds_it(symbols: FileSymbols, line: int) -> None:
    around = [place for place, each in enumerate(symbols.definitions) if each.line <= line <= each.end_line]
    assert FileView(symbols).within(line) == max(around, default=-1)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("run", ("run",)),
        (r"\brun\b", ("run",)),
        (r"class\s+Foo\b", ("Foo",)),
        (r"def run\(self", ("run",)),
        (r"a\.b\.run\(", ("run",)),
        ("Toolbox.run", ("run",)),
        ("std::vector", ("vector",)),
        ("foo|bar", ("foo", "bar")),
        (r"def (foo|bar)\(", ("foo", "bar")),
        (r"(?:foo|bar)", ("foo", "bar")),
        (r"self\._x", ("_x",)),
        (r"get_\w+", ()),
        ("foo.*bar", ()),
        ("no such file", ()),
        ("(?i)foo", ()),
        ("n[e]+dle", ()),
        ("a|b|c", ()),
        ("one|two|three|four|five", ()),
        ("", ()),
        ("(", ()),
    ],
)
def test_names_of_a_pattern(pattern: str, names: tuple[str, ...]) -> None:
    assert names_in(pattern) == names


@given(st.text(max_size=60))
def test_any_pattern_has_names_or_none(pattern: str) -> None:
    assert all(name.isidentifier() for name in names_in(pattern))


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("src/a.py", Standing.SOURCE),
        ("kimicode/testing.py", Standing.SOURCE),
        ("tests/a.py", Standing.TEST),
        ("a/test_b.py", Standing.TEST),
        ("pkg/b_test.go", Standing.TEST),
        ("src/a.spec.ts", Standing.TEST),
        ("src/FooTest.java", Standing.TEST),
        ("README.md", Standing.AROUND),
        ("vendor/x/a.go", Standing.AROUND),
        ("a/b_pb2.py", Standing.AROUND),
        ("js/x.min.js", Standing.AROUND),
        ("docs/conf.py", Standing.AROUND),
    ],
)
def test_standing(path: str, want: Standing) -> None:
    assert standing(path) is want


def test_uses_come_in_the_order_in_which_they_help() -> None:
    def matches(path: str) -> list[Match]:
        return [Match(path, line, TEXT[line - 1]) for line in (10, 9, 5)]

    found = [*matches("tests/test_a.py"), *matches("docs/a.py"), *matches("src/a.py"), Match("src/unknown", 1, "value")]
    uses = judged(found, lambda path: None if path == "src/unknown" else FileView(SYMBOLS), ("value",))
    # The class's line does not have the name at all: it comes last.
    assert [(use.path, use.line) for use in uses] == [
        *[("src/a.py", 9), ("src/unknown", 1), ("src/a.py", 10), ("src/a.py", 5)],
        *[("tests/test_a.py", line) for line in (9, 10, 5)],
        *[("docs/a.py", line) for line in (9, 10, 5)],
    ]
    assert (uses[0].around, uses[0].role, uses[0].exact) == ("Thing", Role.DEFINITION, True)


def test_a_longer_name_comes_after_the_name_itself() -> None:
    view = FileView(FileSymbols("Python", references=(Reference("rerun", "call", 1, -1), Reference("run", "call", 2, -1))))
    uses = judged([Match("a.py", 1, "rerun()"), Match("a.py", 2, "run()")], lambda _: view, ("run",))
    assert [(use.line, use.exact) for use in uses] == [(2, True), (1, False)]


def test_without_names_calls_are_no_answer_of_their_own() -> None:
    uses = judged([Match("a.py", 11, TEXT[10]), Match("a.py", 13, TEXT[12])], lambda _: FileView(SYMBOLS))
    assert [(use.line, use.role) for use in uses] == [(13, Role.DEFINITION), (11, Role.USE)]
