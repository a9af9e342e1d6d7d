"""Each language's definitions, references and imports: all of those in `fixtures/`, which were read and checked line by line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kimicode.repo.extract import extract
from kimicode.repo.symbols import FileSymbols

FIXTURES = Path(__file__).parent / "fixtures"
SOURCES = sorted(path for path in FIXTURES.iterdir() if path.suffix == ".source")
"""Their names without the suffix are those they are read under; with it no tool takes them for code of this repository."""

LANGUAGES = """
    Python JavaScript TypeScript TSX Rust Go Java C C++ C# Ruby PHP Kotlin Swift Scala shell Lua Zig Haskell
""".split()


def symbols_of(path: str, data: bytes) -> FileSymbols:
    symbols = extract(path, data)
    assert symbols is not None
    return symbols


def rendered(symbols: FileSymbols) -> str:
    """One line for each definition, import and reference; what lies within what is shown by names."""
    return "\n".join(_lines(symbols)) + "\n"


def _lines(symbols: FileSymbols) -> Iterator[str]:
    yield f"{symbols.language}{': ' * bool(symbols.problem)}{symbols.problem}"
    for definition in symbols.definitions:
        lines = f"{definition.line}-{definition.end_line}"
        yield f"{lines:<8}{definition.kind} {_path(symbols, definition.parent)}{definition.name} | {definition.signature}"
    for found in symbols.imports:
        yield f"{found.line:<8}import {found.module} ({', '.join(found.names)})"
    for reference in symbols.references:
        yield f"{reference.line:<8}{reference.kind} {reference.name} < {_path(symbols, reference.within).rstrip('.')}".rstrip(" <")


def _path(symbols: FileSymbols, place: int) -> str:
    path = ""
    while place >= 0:
        definition = symbols.definitions[place]
        path, place = f"{definition.name}.{path}", definition.parent
    return path


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_everything_in_the_fixture(source: Path) -> None:
    expected = source.with_name(source.stem + ".expected").read_text("utf-8")
    assert rendered(symbols_of(source.stem, source.read_bytes())) == expected


def test_every_language_has_a_fixture() -> None:
    found = {symbols_of(source.stem, source.read_bytes()).language for source in SOURCES}
    assert found == set(LANGUAGES)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_line_endings_change_nothing(source: Path) -> None:
    data = source.read_bytes()
    expected, windows = symbols_of(source.stem, data), symbols_of(source.stem, data.replace(b"\n", b"\r\n"))
    assert rendered(windows) == rendered(expected)


def test_a_mark_of_order_and_other_encodings() -> None:
    text = "class Größe:\n    def f(self): pass\n"
    expected = symbols_of("a.py", text.encode())
    assert expected.definitions[0].name == "Größe"
    assert symbols_of("a.py", b"\xef\xbb\xbf" + text.encode()) == expected
    assert symbols_of("a.py", text.encode("utf-16")) == expected
    latin = symbols_of("a.py", b"# gr\xf6\xdfe\nclass A: pass\nx = '\xff'\n")
    assert [(definition.name, definition.line) for definition in latin.definitions] == [("A", 2), ("x", 3)]


def test_a_definition_begins_with_its_decorators() -> None:
    symbols = symbols_of("a.py", b"@one\n# between\n@two(1)\nclass A:\n    @three\n    def f(self): pass\n")
    assert [(definition.name, definition.line) for definition in symbols.definitions] == [("A", 1), ("f", 5)]
    assert [(reference.name, reference.within) for reference in symbols.references] == [("one", 0), ("two", 0), ("three", 1)]


def test_what_is_local_is_not_defined() -> None:
    symbols = symbols_of("a.js", b"(function () { var a = 1; const b = 2; function kept() { let c; } })();\n")
    assert [definition.name for definition in symbols.definitions] == ["kept"]


def test_a_variable_is_defined_once() -> None:
    symbols = symbols_of("a.py", b"x = 1\nx = 2\nclass A:\n    def f(self): self.y = 1\n    def g(self): self.y = 2\n")
    assert [(d.name, d.line, d.parent) for d in symbols.definitions if d.name in "xy"] == [("x", 1, -1), ("y", 4, 1)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("#include <a.h>\nstruct point { int x; };\n", "C"),
        ("#pragma once\nclass Point;\n", "C++"),
        ("namespace a { int b(); }\n", "C++"),
        ("std::string name();\n", "C++"),
    ],
)
def test_a_header_is_what_its_content_is(source: str, expected: str) -> None:
    assert symbols_of("include/a.h", source.encode()).language == expected


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("#!/usr/bin/env python3.11", "Python"),
        ("#!/bin/sh -e", "shell"),
        ("#! /usr/bin/env -S node --x", "JavaScript"),
        ("#!/usr/bin/ruby", "Ruby"),
    ],
)
def test_a_script_without_a_suffix_goes_by_its_first_line(first: str, expected: str) -> None:
    assert symbols_of("bin/tool", f"{first}\n".encode()).language == expected


@pytest.mark.parametrize("path", ["README.md", "data.json", "style.css", "a.unknown", "Makefile", "bin/tool", ""])
def test_other_files_have_no_symbols(path: str) -> None:
    assert extract(path, b"class A: pass\n") is None
