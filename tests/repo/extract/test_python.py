"""Python's definitions, references and imports, all of them."""

from kimicode.repo.extract import extract


def test_a_class_and_its_method() -> None:
    symbols = extract("a.py", b"class A(B):\n    @property\n    def f(self) -> C:\n        return g()\n")
    assert symbols is not None
    assert [(d.kind, d.name, d.line, d.end_line, d.parent) for d in symbols.definitions] == [("class", "A", 1, 4, -1), ("method", "f", 2, 4, 0)]
    assert [(r.kind, r.name, r.line, r.within) for r in symbols.references] == [
        ("base", "B", 1, 0),
        ("decorator", "property", 2, 1),
        ("type", "C", 3, 1),
        ("call", "g", 4, 1),
    ]
