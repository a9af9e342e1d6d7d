"""What a source file defines, uses and imports, read by tree-sitter: `extract`, the same for every language with a query in `queries/`.

A file is guarded (`guard`), given its language (`dialects`), parsed and queried (`reading`), and what the query caught becomes values
(`assemble`, with `signatures` and `imports`). Nothing is resolved: a name is a name, and which definition it means is for others to find.
What this module does not do: open files, keep results, or judge code.
"""

from kimicode.repo.extract.assemble import assemble
from kimicode.repo.extract.dialects import dialect_of
from kimicode.repo.extract.guard import guarded
from kimicode.repo.extract.reading import caught
from kimicode.repo.symbols import FileSymbols

__all__ = ["extract"]


def extract(path: str, data: bytes) -> FileSymbols | None:
    """The symbols of a file with this path and content; None where no language is known for it.

    Whatever the content, it returns, after about a second at most, and says in `problem` what may be missing: "too large", "binary",
    "minified" and "too slow" mean that no symbols were read. The same path and content always give the same, unless it is "too slow".
    """
    dialect = dialect_of(path, data)
    if dialect is None:
        return None
    source, problem = guarded(path, data, dialect)
    if problem not in ("", "generated"):
        return FileSymbols(dialect.name, problem=problem)
    catch = caught(dialect, source)
    if catch is None:
        return FileSymbols(dialect.name, problem="too slow")
    definitions, references, imports = assemble(dialect, source, catch.nodes)
    return FileSymbols(dialect.name, definitions, references, imports, problem or ("syntax errors" if catch.broken else ""))
