"""Questions about Python packages, with truth from Python's own parser.

Only what the parser can be sure of is asked: callers of names that one definition alone has and that no builtin type and no local variable
has; imports that `from … import name` writes out; modules by their path in the package. What this does not do: run any tool.
"""

import ast
import builtins
import random
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec

_EACH: Final = {"definition": 5, "callers": 4, "imports": 3, "dependencies": 3, "trace": 2}
_BUILTIN: Final = {name for kind in (str, bytes, dict, list, set, int, float, tuple, type, object) for name in dir(kind)} | set(
    dir(builtins)
)
_MOST: Final = 60


class Module(msgspec.Struct):
    """A parsed file."""

    path: str
    dotted: str
    tree: ast.Module


class Defined(msgspec.Struct):
    """A function or class; `first` counts its decorators."""

    path: str
    label: str
    first: int
    line: int
    node: ast.AST


def python_questions(package: str, folder: Path, draw: random.Random) -> list[dict[str, object]]:
    """Some questions of each kind about the package in `folder`."""
    modules = read(folder)
    defined = [each for module in modules for each in definitions(module)]
    by_name: dict[str, list[Defined]] = {}
    for each in defined:
        by_name.setdefault(each.label.rpartition(".")[2], []).append(each)
    candidates = {
        "definition": list(ask_definitions(defined)),
        "callers": list(ask_callers(modules, by_name)),
        "imports": list(ask_imports(modules, by_name)),
        "dependencies": list(ask_dependencies(modules)),
        "trace": list(ask_traces(modules, by_name)),
    }
    return [
        {"package": package, "kind": kind, **each}
        for kind, number in _EACH.items()
        for each in draw.sample(candidates[kind], min(number, len(candidates[kind])))
    ]


def read(folder: Path) -> list[Module]:
    modules = []
    for path in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        short = path.relative_to(folder)
        dotted = ".".join(short.with_suffix("").parts).removesuffix(".__init__")
        modules.append(Module(str(short), dotted, tree))
    return modules


def definitions(module: Module) -> list[Defined]:
    """Functions and classes outside functions."""
    found: list[Defined] = []

    def visit(body: list[ast.stmt], around: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                found.append(Defined(module.path, f"{around}{node.name}", first, node.lineno, node))
                if isinstance(node, ast.ClassDef):
                    visit(node.body, f"{around}{node.name}.")
            elif isinstance(node, ast.If | ast.Try):
                visit([*node.body, *node.orelse], around)

    visit(module.tree.body, "")
    return found


def is_test(path: str) -> bool:
    return "test" in path


def ask_definitions(defined: list[Defined]):
    labels: dict[str, list[Defined]] = {}
    named = Counter(each.label.rpartition(".")[2] for each in defined)
    for each in defined:
        labels.setdefault(each.label, []).append(each)
    for label, places in sorted(labels.items()):
        name = label.rpartition(".")[2]
        # A top-level name is asked for by itself, so a method of that name would be an answer too.
        alone = "." in label or named[name] == len(places)
        if alone and len(places) <= 2 and not name.startswith("__") and len(name) > 3 and not is_test(places[0].path):
            yield {"name": name, "query": label, "truth": [[each.path, each.first, each.line] for each in places]}


def ask_callers(modules: list[Module], by_name: dict[str, list[Defined]]):
    calls: dict[str, list[list[object]]] = {}
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                if isinstance(node.func, ast.Name):
                    calls.setdefault(node.func.id, []).append([module.path, node.func.lineno, node.func.lineno])
                elif isinstance(node.func, ast.Attribute):
                    line = node.func.end_lineno
                    calls.setdefault(node.func.attr, []).append([module.path, line, line])
    bound = Counter(name for module in modules for name in locally_bound(module.tree))
    elsewhere = from_elsewhere(modules)
    for name, places in sorted(by_name.items()):
        found = [list(each) for each in dict.fromkeys(map(tuple, calls.get(name, ())))]
        if len(places) != 1 or name in _BUILTIN or bound[name] or len(name) < 5 or name.startswith("__") or is_test(places[0].path):
            continue
        if 2 <= len(found) <= _MOST and name not in elsewhere:
            yield {"name": name, "query": places[0].label, "truth": found}


def locally_bound(tree: ast.Module):
    """Names of parameters and of what is assigned."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def from_elsewhere(modules: list[Module]) -> set[str]:
    """The names that some module imports from outside the package, or takes out of a module from there."""
    own = {module.dotted.partition(".")[0] for module in modules}
    nodes = (node for module in modules for node in ast.walk(module.tree) if isinstance(node, ast.ImportFrom) and not node.level)
    names = {alias.name for node in nodes if (node.module or "").partition(".")[0] not in own for alias in node.names}
    for module in modules:
        imports = [alias for node in ast.walk(module.tree) if isinstance(node, ast.Import) for alias in node.names]
        foreign = {alias.asname or alias.name.partition(".")[0] for alias in imports if alias.name.partition(".")[0] not in own}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in foreign:
                names.add(node.attr)
    return names


def ask_imports(modules: list[Module], by_name: dict[str, list[Defined]]):
    found: dict[str, list[list[object]]] = {}
    elsewhere = from_elsewhere(modules)
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    found.setdefault(alias.name, []).append([module.path, node.lineno, alias.end_lineno])
    for name, places in sorted(by_name.items()):
        truth = found.get(name, [])
        if len(places) == 1 and "." not in places[0].label and 2 <= len(truth) <= _MOST and name not in elsewhere:
            yield {"name": name, "query": name, "truth": truth}


def ask_dependencies(modules: list[Module]):
    by_dotted = {module.dotted: module for module in modules}
    users: dict[str, set[str]] = {}
    for module in modules:
        for node in ast.walk(module.tree):
            for dotted in imported(module, node, by_dotted):
                users.setdefault(dotted, set()).add(module.path)
    for dotted, paths in sorted(users.items()):
        target = by_dotted[dotted]
        paths.discard(target.path)
        if 2 <= len(paths) <= _MOST and not target.path.endswith("__init__.py") and not is_test(target.path):
            yield {"name": dotted.rpartition(".")[2], "query": target.path, "truth": [[path, 0, 0] for path in sorted(paths)]}


def imported(module: Module, node: ast.AST, by_dotted: dict[str, Module]):
    """The modules of the package that a statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in by_dotted)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = module.dotted.split(".")
            parts = parts if module.path.endswith("__init__.py") else parts[:-1]
            parts = parts[: len(parts) - node.level + 1]
            base = ".".join([*parts, *([base] if base else [])])
        inner = [f"{base}.{alias.name}" for alias in node.names]
        known = [each for each in inner if each in by_dotted]
        yield from known
        if base in by_dotted and len(known) < len(inner):
            yield base


def ask_traces(modules: list[Module], by_name: dict[str, list[Defined]]):
    """A message in a traceback of another version, with the function it came from: where is it raised, and who calls that function?"""
    calls = {str(each["name"]): each["truth"] for each in ask_callers(modules, by_name)}
    for module in modules:
        for each in definitions(module):
            name = each.label.rpartition(".")[2]
            if name not in calls or isinstance(each.node, ast.ClassDef):
                continue
            for node in ast.walk(each.node):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                    text = literal(node.exc.args[0])
                    if text is not None:
                        yield {
                            "name": name, "query": each.label, "message": text[0],
                            "truth": [[module.path, node.lineno, text[1]], [each.path, each.first, each.line], *calls[name]],
                        }  # fmt: skip
                        break


def literal(node: ast.expr) -> tuple[str, int] | None:
    """The longest piece of a message that stands in the source as it is printed, and the line it ends in."""
    pieces = [part for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    texts = [(piece.value.split("\n")[0].strip(), piece.end_lineno or 0) for piece in pieces if piece.lineno == piece.end_lineno]
    plain = [(text, line) for text, line in texts if len(text) > 15 and not set(text) & set("\\'\"{}%")]
    return max(plain, key=lambda each: len(each[0]), default=None)
