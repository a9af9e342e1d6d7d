"""Import statements read from their text: what module, and which names out of it. One small reader a language.

A module is as it is written, without quotes; only Ruby's `require_relative` and Rust's `mod x;` are given what makes them relative (`./`,
`self::`). A name is that in the module, not what it is called here; of a default import in JavaScript, whose name nobody knows, it is
that given here. What this module does not do: find the statements (the queries do), or say which file a module is.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

Taken: TypeAlias = tuple[str, tuple[str, ...]]
"""A module, and the names taken out of it; `*` is all of them, none is the module itself."""

_MAX_CHARS: Final = 100_000
_MAX_DEPTH: Final = 16

_SPACES: Final = re.compile(r"\s+")
_C_COMMENT: Final = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_HASH_COMMENT: Final = re.compile(r"#[^\n]*")
_QUOTED: Final = re.compile(r"([\"'`])(.*?)\1")
_AS: Final = re.compile(r"\s+as\s+|\s*=>\s*|\s*:\s*")


def taken(language: str, statement: str) -> Iterator[Taken]:
    """What a statement of a language (by its first query) imports; nothing where it can't be read."""
    if len(statement) <= _MAX_CHARS:
        yield from _READERS[language](statement)


def _flat(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def _plain(name: str) -> str:
    """A name without what it is called here."""
    return _AS.split(name.strip(), maxsplit=1)[0].strip()


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := _plain(part)))


def _split(path: str, dot: str) -> Taken:
    """The last part of a path is taken out of the rest."""
    module, _, name = path.rpartition(dot)
    return (module, (name,)) if module and name else (path, ())


_PYTHON_FROM: Final = re.compile(r"from (.*?)\s*\bimport\b(.*)")


def _python(statement: str) -> Iterator[Taken]:
    text = _flat(_HASH_COMMENT.sub("", statement).replace("\\\n", " ").replace("\\\r\n", " "))
    found = _PYTHON_FROM.match(text)
    if found is not None:
        yield found[1].replace(" ", ""), _names(found[2].strip(" ();"))
    elif text.startswith("import "):
        yield from ((module, ()) for module in _names(text[7:]))


_ES_MODULE: Final = re.compile(r"\bfrom\s*([\"'])(.*?)\1|\b(?:require|import)\s*\(\s*([\"'`])(.*?)\3\s*[,)]|\bimport\s*([\"'])(.*?)\5")
_ES_BRACES: Final = re.compile(r"\{(.*?)\}")
_ES_WORDS: Final = re.compile(r"\b(?:import|export|type|typeof|const|let|var)\b|=")
_ES_TYPE: Final = re.compile(r"^\s*type\s+(?=\w)")
_ES_MEMBER: Final = re.compile(r"\.(\w+)")


def _ecmascript(statement: str) -> Iterator[Taken]:
    text = _flat(_C_COMMENT.sub("", statement) if "/*" in statement or "\n" in statement else statement)
    found = _ES_MODULE.search(text)
    if found is None:
        return
    module = found[2] or found[4] or found[6] or ""
    clause = text[: found.start()]
    braces = _ES_BRACES.search(clause)
    names = [_plain(_ES_TYPE.sub("", part)).split("=")[0].strip() for part in braces[1].split(",")] if braces is not None else []
    if found[2] is None:
        names += _ES_MEMBER.findall(text, found.end())[:1]
    else:
        outside = _ES_WORDS.sub(" ", _ES_BRACES.sub("", clause)).split(",")
        bare = [part.strip() for part in outside if part.strip()]
        names = [name for name in bare if not name.startswith("*")] + names
        names += ["*"] if any(name == "*" for name in bare) else []
    yield module, tuple(name for name in names if name and not name.startswith("..."))


_RUST_HEAD: Final = re.compile(r"^(?:#\[.*?\]\s*)*(?:pub\s*(?:\([^)]*\))?\s*)?(use|extern crate|mod)\s+")


def _rust(statement: str) -> Iterator[Taken]:
    text = _flat(_C_COMMENT.sub("", statement)).rstrip("; ")
    head = _RUST_HEAD.match(text)
    if head is None:
        return
    rest = text[head.end() :]
    if head[1] != "use":
        yield ("self::" if head[1] == "mod" else "") + _plain(rest.replace(" as ", " => ")), ()
        return
    modules: dict[str, list[str]] = {}
    for module, name in _use_tree("", rest, 0):
        modules.setdefault(module, []).extend([name] if name else [])
    yield from ((module, tuple(names)) for module, names in modules.items())


def _use_tree(prefix: str, tree: str, depth: int) -> Iterator[tuple[str, str]]:
    tree = tree.strip()
    brace = tree.find("{")
    if brace >= 0 and depth < _MAX_DEPTH:
        inner = prefix + tree[:brace].replace(" ", "")
        for part in _at_commas(tree[brace + 1 :].rstrip().removesuffix("}")):
            yield from _use_tree(inner, part, depth + 1)
    elif tree:
        path = (prefix + tree.split(" as ", 1)[0]).replace(" ", "").removeprefix("::")
        module, _, name = path.rpartition("::")
        yield (module, "" if name == "self" else name) if module else (path, "")


def _at_commas(text: str) -> Iterator[str]:
    """Split at the commas that are in no braces."""
    depth = start = 0
    for place, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def _go(statement: str) -> Iterator[Taken]:
    found = _QUOTED.search(statement)
    if found is not None:
        yield found[2], ("*",) if statement.startswith(".") else ()


_JVM_HEAD: Final = re.compile(r"^import\s+(?:static\s+|given\s+)?")


def _java(statement: str) -> Iterator[Taken]:
    path = _JVM_HEAD.sub("", _flat(_C_COMMENT.sub("", statement))).rstrip("; ")
    yield _split(path.split(" as ")[0].replace(" ", ""), ".")


def _scala(statement: str) -> Iterator[Taken]:
    text = _JVM_HEAD.sub("", _flat(_C_COMMENT.sub("", statement))).rstrip("; ")
    for part in _at_commas(text):
        path, brace, inside = part.strip().partition("{")
        if brace:
            yield path.rstrip(". "), tuple("*" if name in ("_", "given") else name for name in _names(inside.rstrip("} ")))
        elif path:
            module, names = _split(_plain(path), ".")
            yield module, ("*",) if names in (("_",), ("given",)) else names


_INCLUDE: Final = re.compile(r"#\s*(?:include|import|include_next)\s*[<\"]([^>\"\n]+)[>\"]")
_USING: Final = re.compile(r"using\s+(namespace\s+)?(?:typename\s+|enum\s+)?([\w:]+)")


def _c(statement: str) -> Iterator[Taken]:
    if (found := _INCLUDE.match(statement)) is not None:
        yield found[1].strip(), ()
    elif (using := _USING.match(_flat(statement))) is not None:
        yield (using[2], ("*",)) if using[1] else _split(using[2].removeprefix("::"), "::")


_CSHARP: Final = re.compile(r"^(?:global )?using (?:unsafe )?(static )?(?:\w+ = )?(?:global::)?([\w. ]+)")


def _csharp(statement: str) -> Iterator[Taken]:
    text = _flat(_C_COMMENT.sub("", statement))
    found = _CSHARP.match(text)
    if found is not None:
        path = found[2].replace(" ", "")
        yield _split(path, ".") if "=" in text else (path, ("*",) if found[1] else ())


_RUBY_NAME: Final = re.compile(r"autoload[\s(]+:(\w+)")


def _ruby(statement: str) -> Iterator[Taken]:
    found = _QUOTED.search(statement)
    if found is not None:
        relative = statement.startswith("require_relative") and not found[2].startswith(".")
        named = _RUBY_NAME.match(statement)
        yield ("./" if relative else "") + found[2], (named[1],) if named is not None else ()


_PHP_USE: Final = re.compile(r"^use (?:function |const )?(.*)$")


def _php(statement: str) -> Iterator[Taken]:
    text = _flat(_C_COMMENT.sub("", statement)).rstrip("; ")
    used = _PHP_USE.match(text)
    if used is None:
        if (found := _QUOTED.search(text)) is not None:
            yield found[2], ()
        return
    for part in _at_commas(used[1]):
        path, brace, inside = part.strip().partition("{")
        if brace:
            names = tuple(name.removeprefix("function ").removeprefix("const ") for name in _names(inside.rstrip("} ")))
            yield path.strip("\\ "), names
        elif path:
            yield _split(_plain(path).lstrip("\\"), "\\")


_SWIFT: Final = re.compile(r"\bimport (?:(typealias|struct|class|enum|protocol|let|var|func|actor) )?([\w.]+)")


def _swift(statement: str) -> Iterator[Taken]:
    found = _SWIFT.search(_flat(statement))
    if found is not None:
        yield _split(found[2], ".") if found[1] else (found[2], ())


_BASH: Final = re.compile(r"(?:source|\.)\s+(\"[^\"]*\"|'[^']*'|\S+)")


def _bash(statement: str) -> Iterator[Taken]:
    found = _BASH.match(statement)
    if found is not None:
        yield found[1].strip("\"'"), ()


_LUA: Final = re.compile(r"\b(?:require|dofile|loadfile)\s*\(?\s*(?:([\"'])(.*?)\1|\[\[(.*?)\]\])")


def _lua(statement: str) -> Iterator[Taken]:
    for found in _LUA.finditer(statement):
        yield found[2] or found[3] or "", ()


_ZIG: Final = re.compile(r"@(?:import|cInclude)\(\s*\"([^\"]*)\"\s*\)((?:\s*\.\s*\w+)*)")


def _zig(statement: str) -> Iterator[Taken]:
    for found in _ZIG.finditer(statement):
        name = found[2].replace(" ", "").rpartition(".")[2]
        yield found[1], (name,) if name else ()


_HASKELL: Final = re.compile(
    r"import (?:safe |\{-.*?-\} )*(?:qualified )?(?:\"[^\"]*\" )?([\w.']+)(?: qualified)?(?: as [\w.']+)?( hiding)?(?: ?\((.*)\))?"
)
_HASKELL_INNER: Final = re.compile(r"\w\s*\([^()]*(?:\([^()]*\)[^()]*)*\)")


def _haskell(statement: str) -> Iterator[Taken]:
    found = _HASKELL.match(_flat(re.sub(r"--[^\n]*", "", statement)))
    if found is None:
        return
    listed = _HASKELL_INNER.sub(lambda inner: inner[0][0], found[3] or "") if not found[2] else ""
    names = (part.strip().removeprefix("type ").removeprefix("pattern ").strip("() ") for part in listed.split(","))
    yield found[1], tuple(name for name in names if name)


_READERS: Final[dict[str, Callable[[str], Iterator[Taken]]]] = {
    "python": _python,
    "ecmascript": _ecmascript,
    "rust": _rust,
    "go": _go,
    "java": _java,
    "kotlin": _java,
    "scala": _scala,
    "c": _c,
    "csharp": _csharp,
    "ruby": _ruby,
    "php": _php,
    "swift": _swift,
    "bash": _bash,
    "lua": _lua,
    "zig": _zig,
    "haskell": _haskell,
}
