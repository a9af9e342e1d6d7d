"""Whatever a file holds, `extract` returns something sound."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.repo.extract import extract
from kimicode.repo.symbols import FileSymbols

SOURCES = sorted(path for path in (Path(__file__).parent / "fixtures").iterdir() if path.suffix == ".source")
SUFFIXES = [Path(source.stem).suffix for source in SOURCES]


def sound(symbols: FileSymbols | None, data: bytes) -> FileSymbols:
    """What holds for every file's symbols."""
    assert symbols is not None
    last = data.count(b"\n") + 1
    for place, definition in enumerate(symbols.definitions):
        assert -1 <= definition.parent < place
        assert 1 <= definition.line <= definition.end_line <= last
        assert definition.name
        assert len(definition.signature) <= 200
        assert "\n" not in definition.signature
        if definition.parent >= 0:
            around = symbols.definitions[definition.parent]
            assert around.line <= definition.line
            assert definition.end_line <= around.end_line
    lines = [definition.line for definition in symbols.definitions]
    assert all(symbols.definitions[place].parent >= 0 or lines[place - 1] <= lines[place] for place in range(1, len(lines)))
    for reference in symbols.references:
        assert reference.name
        assert 1 <= reference.line <= last
        assert -1 <= reference.within < len(symbols.definitions)
    assert [reference.line for reference in symbols.references] == sorted(reference.line for reference in symbols.references)
    return symbols


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty(suffix: str) -> None:
    for data in (b"", b"\n", b" ", b"\r\n\r\n"):
        symbols = sound(extract("a" + suffix, data), data)
        assert (symbols.definitions, symbols.references, symbols.imports, symbols.problem) == ((), (), (), "")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_sources_of_other_languages(suffix: str) -> None:
    for source in SOURCES:
        data = source.read_bytes()
        sound(extract("a" + suffix, data), data)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_source_that_ends_anywhere(source: Path) -> None:
    data = source.read_bytes()
    for end in range(0, len(data), 29):
        sound(extract(source.stem, data[:end]), data[:end])


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_same_again(source: Path) -> None:
    data = source.read_bytes()
    assert extract(source.stem, data) == extract("folder/" + source.stem, data)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_errors_leave_the_rest(source: Path) -> None:
    data = source.read_bytes()
    whole, broken = extract(source.stem, data), extract(source.stem, data + b"\n}}) ((( \n")
    assert whole is not None
    assert broken is not None
    assert broken.problem == "syntax errors"
    names = {definition.name for definition in whole.definitions}
    assert len(names & {definition.name for definition in broken.definitions}) >= 0.7 * len(names)


@given(st.sampled_from(SUFFIXES), st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes(suffix: str, data: bytes) -> None:
    sound(extract("a" + suffix, data), data)


@given(st.sampled_from(SOURCES), st.data())
@settings(max_examples=200, deadline=None)
def test_pieces_in_another_order(source: Path, data: st.DataObject) -> None:
    lines = source.read_bytes().splitlines(keepends=True)
    mixed = b"".join(data.draw(st.lists(st.sampled_from(lines), max_size=40)))
    sound(extract(source.stem, mixed), mixed)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "piece", [b"(", b"{", b"[", b"<", b"class A {", b"if x:\n", b"a.", b"f(", b'"', b"/*", b"#if\n", b"${", b"-", b"=>", b"\t"]
)
def test_deep_nesting(suffix: str, piece: bytes) -> None:
    data = piece * (4_000 // len(piece))
    sound(extract("a" + suffix, data), data)


@pytest.mark.parametrize("opening", ["use a::{", "import {", "from a import (", "use A\\{"])
def test_imports_that_nest_deeply(opening: str) -> None:
    data = (opening * 300).encode()
    for suffix in (".rs", ".js", ".py", ".php", ".scala"):
        sound(extract("a" + suffix, data), data)


def test_indentation_that_never_ends() -> None:
    data = b"".join(b" " * depth + b"if x:\n" for depth in range(1_000))
    sound(extract("a.py", data), data)
    nested = b"".join(b" " * depth + b"def f%d():\n" % depth for depth in range(400)) + b" " * 400 + b"pass\n"
    assert len(sound(extract("a.py", nested), nested).definitions) > 100
