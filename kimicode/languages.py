"""Programming languages by file name, and their tree-sitter grammars.

A grammar comes from its own wheel and is loaded when its language is first asked for. What this module does not do: parse, or guess a
language from a file's content.
"""

import importlib
from functools import cache
from pathlib import PurePath
from typing import Final

import msgspec
from tree_sitter import Language


class Grammar(msgspec.Struct, frozen=True):
    """The package of a grammar, its function, and what people call the language."""

    module: str
    name: str
    function: str = "language"


_PYTHON: Final = Grammar("tree_sitter_python", "Python")
_JAVASCRIPT: Final = Grammar("tree_sitter_javascript", "JavaScript")
_TYPESCRIPT: Final = Grammar("tree_sitter_typescript", "TypeScript", "language_typescript")
_TSX: Final = Grammar("tree_sitter_typescript", "TSX", "language_tsx")
_C: Final = Grammar("tree_sitter_c", "C")
_CPP: Final = Grammar("tree_sitter_cpp", "C++")
_RUBY: Final = Grammar("tree_sitter_ruby", "Ruby")
_BASH: Final = Grammar("tree_sitter_bash", "shell")
_JSON: Final = Grammar("tree_sitter_json", "JSON")
_YAML: Final = Grammar("tree_sitter_yaml", "YAML")
_HTML: Final = Grammar("tree_sitter_html", "HTML")

_BY_SUFFIX: Final = {
    **dict.fromkeys((".py", ".pyi"), _PYTHON),
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), _JAVASCRIPT),
    **dict.fromkeys((".ts", ".mts", ".cts"), _TYPESCRIPT),
    ".tsx": _TSX,
    ".go": Grammar("tree_sitter_go", "Go"),
    ".rs": Grammar("tree_sitter_rust", "Rust"),
    ".c": _C,
    **dict.fromkeys((".cc", ".cpp", ".cxx", ".hpp", ".hh", ".hxx"), _CPP),
    ".java": Grammar("tree_sitter_java", "Java"),
    **dict.fromkeys((".rb", ".rake", ".gemspec"), _RUBY),
    **dict.fromkeys((".sh", ".bash"), _BASH),
    ".json": _JSON,
    ".toml": Grammar("tree_sitter_toml", "TOML"),
    **dict.fromkeys((".yaml", ".yml"), _YAML),
    **dict.fromkeys((".html", ".htm"), _HTML),
    ".css": Grammar("tree_sitter_css", "CSS"),
    ".cs": Grammar("tree_sitter_c_sharp", "C#"),
    ".php": Grammar("tree_sitter_php", "PHP", "language_php"),
    **dict.fromkeys((".kt", ".kts"), Grammar("tree_sitter_kotlin", "Kotlin")),
    ".swift": Grammar("tree_sitter_swift", "Swift"),
    **dict.fromkeys((".scala", ".sc"), Grammar("tree_sitter_scala", "Scala")),
    ".lua": Grammar("tree_sitter_lua", "Lua"),
    ".zig": Grammar("tree_sitter_zig", "Zig"),
    ".hs": Grammar("tree_sitter_haskell", "Haskell"),
}
"""`.h` is left out: it may be C, C++ or Objective-C. So are templates, whatever they make."""

_BY_NAME: Final = {"Rakefile": _RUBY, "Gemfile": _RUBY, ".bashrc": _BASH, ".bash_profile": _BASH}


def grammar_of(name: str) -> Grammar | None:
    """The grammar for a file of this name or path; None where none is sure."""
    path = PurePath(name)
    return _BY_NAME.get(path.name) or _BY_SUFFIX.get(path.suffix.lower())


@cache
def language(grammar: Grammar) -> Language:
    """The grammar itself. Raises `ImportError` where its wheel is missing."""
    return Language(getattr(importlib.import_module(grammar.module), grammar.function)())
