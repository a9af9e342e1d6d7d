"""Syntax errors that an edit brings: said with their place, and only where the file was clean before."""

import pytest

from kimicode.edit.syntax import introduced_errors
from kimicode.languages import grammar_of

SAMPLES = {
    "a.py": ("def f(x):\n    return [x]\n", "def f(x):\n    return [x\n", "Python"),
    "a.js": ("function f(x) { return x }\n", "function f(x) { return x \n", "JavaScript"),
    "a.jsx": ("const a = <p>{b}</p>\n", "const a = <p>{b}</q\n", "JavaScript"),
    "a.ts": ("let a: number = 1\n", "let a: number = = 1\n", "TypeScript"),
    "a.tsx": ("const a: X = <p>{b}</p>\n", "const a: X = <p>{b</p>\n", "TSX"),
    "a.go": ("package a\n\nfunc f() int { return 1 }\n", "package a\n\nfunc f() int { return 1 \n", "Go"),
    "a.rs": ("fn f() -> i32 { 1 }\n", "fn f() -> { 1 }\n", "Rust"),
    "a.c": ("int f(void) { return 1; }\n", "int f(void) { return 1; \n", "C"),
    "a.cpp": ("class A { int b; };\n", "class A { int b;\n", "C++"),
    "A.java": ("class A { int b; }\n", "class A { int ; }\n", "Java"),
    "a.rb": ("def f(x)\n  x\nend\n", "def f(x)\n  x)\nend\n", "Ruby"),
    "a.sh": ("if true; then echo; fi\n", "if true; then echo\n", "shell"),
    "a.json": ('{"a": [1, 2]}\n', '{"a": [1, 2}\n', "JSON"),
    "a.toml": ('a = "b"\n', 'a = = "b"\n', "TOML"),
    "a.yaml": ("a:\n  - b\n", "a: [b\nc: d\n", "YAML"),
    "a.html": ("<p>a</p>\n", "<p <a\n", "HTML"),
    "a.css": ("a { color: red; }\n", "a { color: red; \n", "CSS"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_language(name: str) -> None:
    good, bad, language = SAMPLES[name]
    assert introduced_errors(name, None, good) is None
    for before in (good, None):
        said = introduced_errors(f"some/folder/{name}", before, bad)
        assert said is not None
        assert said.startswith(f"The {language} file no longer parses: ")
    assert introduced_errors(name, bad, bad + bad) is None  # broken before: nothing is new
    assert introduced_errors(name, bad, good) is None


def test_the_place_is_said_in_characters() -> None:
    said = introduced_errors("a.py", "x = 1\n", "x = 1\né = 'ü' ; def f\n")
    assert said == "The Python file no longer parses: syntax error at line 2, column 11: é = 'ü' ; def f"
    assert introduced_errors("a.py", None, "x = 1\r\ndef f(:\r\n    x\r\n") == (
        "The Python file no longer parses: ')' is missing at line 2, column 7: def f(:"
    )


def test_dialects_are_no_errors() -> None:
    assert introduced_errors("tsconfig.json", '{\n  // why\n  "a": 1,\n}\n', '{\n  // why\n  "a": 2,\n}\n') is None
    assert introduced_errors("a.json", '{"a": 1} // why\n', '{"a": 2} // why\n') is None
    assert introduced_errors("notes.txt", "a", "def f(:") is None
    assert introduced_errors("a.h", "int a;", "class A {") is None
    assert grammar_of("x/Gemfile") == grammar_of("a.rb")
    assert grammar_of("py") is None


FUNCTIONS = [f"def f{n}(a):\n    return [a]\n\n\n" for n in range(3000)]


def test_in_a_long_file_the_change_is_found_where_it_is() -> None:
    text = "".join(FUNCTIONS)
    broken = "".join([*FUNCTIONS[:2000], "def f2000(a:\n    return [a]\n\n\n", *FUNCTIONS[2001:]])
    said = introduced_errors("a.py", text, broken)
    assert said is not None
    assert "at line 8001" in said
    assert introduced_errors("a.py", text, text.replace("f2000", "g2000")) is None


def test_a_window_that_cuts_through_a_text_is_no_error() -> None:
    # The change lies in a string longer than what is looked at first; it is full of what would be errors in code.
    before = 'a = """\n' + "def ( no code\n" * 2000 + '"""\n'
    assert introduced_errors("a.py", before, before.replace("no code", "none", 1)) is None
    middle = before[: len(before) // 2] + "\nx x\n" + before[len(before) // 2 :]
    assert introduced_errors("a.py", before, middle) is None


def test_very_long_texts_are_not_judged() -> None:
    text = "a = 1\n" * 170_000
    assert introduced_errors("a.py", text, text + "def (") is None
