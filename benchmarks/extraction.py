"""How much of what a file says `extract` finds, and how fast: against Python's own `ast` over the standard library, against universal-ctags
for other languages (where it is installed), and in megabytes a second of one process for each language.

Other languages are read from `--sources DIR ...` (this interpreter's packages where none is given), at most `--files` of each language,
spread evenly. `ctags` finds definitions alone, and not all the same ones: what it has and we have not is a miss, what we have and it has
not is counted, not judged. Prints tables and, last, one JSON object. What this does not do: judge references of languages but Python.
"""

import argparse
import ast
import json
import shutil
import subprocess
import sys
import sysconfig
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from kimicode.repo.extract import extract
from kimicode.repo.symbols import FileSymbols

Marks = Counter[tuple[str, int]]
"""Names with their lines."""

CTAGS_LANGUAGE = {
    name: {"shell": "Sh"}.get(name, name)
    for name in ("C", "C++", "C#", "Go", "Haskell", "Java", "JavaScript", "Kotlin", "Lua", "PHP", "Ruby", "Rust", "TypeScript", "shell")
}
COMPARED_KINDS = frozenset(
    "class struct union enum interface trait function method func singletonMethod constructor typedef type macro field member property "
    "enumerator enumConstant constant const variable prototype implementation object accessor talias methodSpec".split()
)
LOCALS = {"Kotlin": ("constant", "variable"), "PHP": ("variable",), "JavaScript": ("variable", "constant"), "Rust": ("variable",)}
"""Kinds that ctags gives to local variables and to what is bound by an import as well, so that they can't be compared."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the standard library, and 100 files of each other language")
    parser.add_argument("--sources", type=Path, nargs="*", default=[], help="folders with sources of other languages")
    parser.add_argument("--files", type=int, default=2_000, help="at most so many of each language (%(default)s)")
    options = parser.parse_args()
    python = python_truth(step=5 if options.quick else 1)
    by_language = files_by_language(options.sources or [Path(sysconfig.get_path("purelib"))], 100 if options.quick else options.files)
    ctags = (
        {name: against_ctags(name, files) for name, files in by_language.items() if name in CTAGS_LANGUAGE} if shutil.which("ctags") else {}
    )
    speed = {name: speed_of(files) for name, files in by_language.items()}
    print(json.dumps({"python_against_ast": python, "definitions_against_ctags": ctags, "speed": speed}))


def python_truth(step: int) -> dict[str, dict[str, float]]:
    """Recall and precision by kind, of files that this interpreter can compile."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))[::step]:
        data = path.read_bytes()
        if "site-packages" in path.parts:
            continue
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError):
            continue
        symbols = extract(str(path), data)
        if symbols is None or symbols.problem not in ("", "generated"):
            continue
        truth, ours = Truth(tree).marks, ours_of(symbols)
        for kind in truth:
            both = (truth[kind] & ours[kind]).total()
            for place, more in enumerate((both, truth[kind].total(), ours[kind].total())):
                sums[kind][place] += more
    print(f"{'Python':<12}{'in ast':>10}{'found':>10}{'recall':>9}{'precision':>11}")
    result = {}
    for kind, (both, true, found) in sums.items():
        result[kind] = {"true": true, "recall": round(both / max(true, 1), 5), "precision": round(both / max(found, 1), 5)}
        print(f"{kind:<12}{true:>10}{found:>10}{result[kind]['recall']:>9.4f}{result[kind]['precision']:>11.4f}")
    return result


def ours_of(symbols: FileSymbols) -> dict[str, Marks]:
    """What `extract` says, in the terms of `Truth`."""
    kinds = {"class": "class", "function": "function", "method": "function"}
    marks = {kind: Marks() for kind in Truth.KINDS}
    for definition in symbols.definitions:
        if definition.kind in kinds:
            marks[kinds[definition.kind]][definition.name, definition.line] += 1
    for reference in symbols.references:
        if reference.kind in ("call", "base", "decorator"):
            marks[reference.kind][reference.name, reference.line] += 1
    for found in symbols.imports:
        marks["import"].update((f"{found.module}:{name}", found.line) for name in found.names or ("",))
    return marks


class Truth(ast.NodeVisitor):
    """Definitions (with the line of their first decorator), calls, bases, decorators and imports, by kind."""

    KINDS = ("class", "function", "call", "base", "decorator", "import")

    def __init__(self, tree: ast.AST) -> None:
        self.marks = {kind: Marks() for kind in self.KINDS}
        self._decorators: set[ast.AST] = set()
        self.visit(tree)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """A class, its bases, and its keywords."""
        self._definition("class", node)
        for base in [*node.bases, *(keyword.value for keyword in node.keywords)]:
            self._name("base", base.value if isinstance(base, ast.Subscript) else base)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """A function."""
        self._definition("function", node)
        self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """The same."""
        self.visit_FunctionDef(node)

    def visit_Call(self, node: ast.Call) -> None:
        """A call, where it is no decorator."""
        if node not in self._decorators:
            self._name("call", node.func)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        """`import a.b`."""
        self.marks["import"].update((f"{alias.name}:", node.lineno) for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """`from a import b`."""
        module = "." * node.level + (node.module or "")
        self.marks["import"].update((f"{module}:{alias.name}", node.lineno) for alias in node.names)

    def _definition(self, kind: str, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.marks[kind][node.name, min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])] += 1
        for decorator in node.decorator_list:
            self._decorators.add(decorator)
            self._name("decorator", decorator.func if isinstance(decorator, ast.Call) else decorator)

    def _name(self, kind: str, node: ast.expr) -> None:
        if isinstance(node, ast.Name):
            self.marks[kind][node.id, node.lineno] += 1
        elif isinstance(node, ast.Attribute):
            # The attribute stands at the end of its expression, which may begin lines before.
            self.marks[kind][node.attr, node.end_lineno or node.lineno] += 1


def files_by_language(sources: Iterable[Path], most: int) -> dict[str, list[Path]]:
    """Readable source files, spread evenly over all there are."""
    found: dict[str, list[Path]] = defaultdict(list)
    for source in sources:
        for path in sorted(source.rglob("*")):
            symbols = (
                extract(path.name, path.read_bytes()[:4_096] if path.suffix == ".h" else b"")
                if path.suffix and path.is_file() and not path.is_symlink()
                else None
            )
            if symbols is not None:
                found[symbols.language].append(path)
    return {name: paths[:: max(1, len(paths) // most)][:most] for name, paths in sorted(found.items())}


def against_ctags(language: str, files: list[Path]) -> dict[str, float]:
    """How much of what ctags defines `extract` defines in the same file, by name and how often."""
    theirs = tags_of(language, files)
    missed: Counter[str] = Counter()
    both = total = ours_total = 0
    for path in files:
        symbols = extract(str(path), path.read_bytes())
        if symbols is None or symbols.problem not in ("", "generated", "syntax errors"):
            continue
        ours = Counter(definition.name.removeprefix("@") for definition in symbols.definitions)
        ours_total += ours.total()
        names: Counter[str] = Counter()
        for name, kind in theirs[str(path)]:
            names[name] += 1
            if names[name] > ours[name]:
                missed[kind] += 1
        both += (names & ours).total()
        total += names.total()
    worst = ", ".join(f"{kind} {count}" for kind, count in missed.most_common(4))
    print(
        f"{language:<12}{len(files):>6} files; ctags {total:>7}, recall {both / max(total, 1):.4f}, ours {ours_total:>7}; missed: {worst}"
    )
    return {"files": len(files), "ctags": total, "recall": round(both / max(total, 1), 4), "ours": ours_total}


def tags_of(language: str, files: list[Path]) -> dict[str, list[tuple[str, str]]]:
    """Name and kind of each definition that ctags finds, by path, in the terms of `extract`."""
    tool = CTAGS_LANGUAGE[language]
    command = ["ctags", f"--languages={tool}", f"--language-force={tool}", "--sort=no", "--fields=K", "--extras=", "--kinds-all=*"]
    listing = "\n".join(map(str, files))
    listed = subprocess.run(
        [*command, "-f", "-", "-L", "-"], input=listing, capture_output=True, text=True, errors="replace", check=False
    ).stdout
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in listed.splitlines():
        name, path, *rest = line.split("\t")
        kind = rest[-1] if rest else ""
        if kind not in COMPARED_KINDS or kind in LOCALS.get(language, ()) or name.startswith(("__anon", "anonymous", "<")):
            continue
        if (name.endswith("=") and language in ("Ruby", "shell")) or (language == "C#" and name in ("get", "set", "add", "remove")):
            # A setter beside its getter; an array that is taken for a function; accessors.
            continue
        name = name.replace(":", ".").rpartition(".")[2] if language in ("Lua", "C#") else name.replace("operator ", "operator")
        found[path].append((name, kind))
    return found


def speed_of(files: list[Path]) -> dict[str, float]:
    """Of this process, by the processor's time; the files are read before."""
    contents = [(str(path), path.read_bytes()) for path in files]
    extract("warm" + files[0].suffix, b"x\n" * 2)
    size = sum(len(data) for _, data in contents)
    start = time.process_time()
    found = [extract(path, data) for path, data in contents]
    seconds = max(time.process_time() - start, 1e-9)
    problems = Counter(symbols.problem for symbols in found if symbols is not None and symbols.problem)
    name = found[0].language if found[0] is not None else ""
    result = {
        "files": len(files),
        "mb": round(size / 1e6, 1),
        "mb_per_s": round(size / 1e6 / seconds, 2),
        "files_per_s": round(len(files) / seconds),
    }
    print(f"{name:<12}" + ", ".join(f"{value} {what}" for what, value in result.items()), dict(problems))
    return result


if __name__ == "__main__":
    sys.exit(main())
