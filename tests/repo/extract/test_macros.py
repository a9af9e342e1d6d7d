"""Macros that no grammar has a place for do not hide what they stand beside."""

import pytest

from kimicode.repo.extract import extract
from kimicode.repo.extract.macros import without_macros

HEADER = b"""\
#ifndef A_H
#define A_API __attribute__((visibility("default")))
LIB_BEGIN_NAMESPACE
class LIB_EXPORT Panel : public QWidget
{
    Q_OBJECT
    Q_PROPERTY(int size READ size)
public:
    LIB_API int size() const LIB_NOEXCEPT;
    void run(A_API_KIND kind) { go(LIB_PUBLIC, kind); }
};
struct LIB_API(1) Point { int x; };
LIB_END_NAMESPACE
#endif
"""


def test_a_class_behind_macros() -> None:
    symbols = extract("a.h", HEADER)
    assert symbols is not None
    assert symbols.problem == ""
    assert [(d.kind, d.name, d.line, d.parent) for d in symbols.definitions] == [
        ("macro", "A_API", 2, -1),
        ("class", "Panel", 4, -1),
        ("method", "size", 9, 1),
        ("method", "run", 10, 1),
        ("struct", "Point", 12, -1),
        ("field", "x", 12, 4),
    ]
    assert symbols.definitions[1].signature == "class LIB_EXPORT Panel : public QWidget"


@pytest.mark.parametrize(
    "source",
    [
        "struct FOO bar;",
        "struct FOO bar = {1};",
        "enum kind {\n  RED,\n  GREEN\n};",
        "x = LIB_API;",
        "f(LIB_API, 1);",
        "#define LIB_API int\n",
        "#ifdef LIB_API\n",
        "CHECK(x);",
        "FOREACH(x)\n{ f(x); }",
        "class Name : public BASE_API {};",
    ],
)
def test_what_stays(source: str) -> None:
    assert without_macros(source.encode()) == source.encode()


def test_every_byte_keeps_its_place() -> None:
    blanked = without_macros(HEADER)
    assert len(blanked) == len(HEADER)
    assert [line for line, _ in enumerate(HEADER.split(b"\n"))] == [line for line, _ in enumerate(blanked.split(b"\n"))]
    assert all(new in (old, ord(" ")) for old, new in zip(HEADER, blanked, strict=True))
