"""What a file contributes to the ranking of its tree: the names it defines and those it uses, as numbers.

A name is one of a family of languages that share names, and so is a module: a file defines its own place ("repo/digest"), an import uses
one. So calls, inheritance, annotations and imports are counted in one way, and nothing has to be looked up in the tree: the digest of a
file depends on its path and content alone. What this module does not do: count (`rank`).
"""

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from kimicode.repo.standing import Standing, standing
from kimicode.repo.symbols import Definition, DefinitionKind, FileSymbols, Import, ReferenceKind

_FAMILIES: Final = {
    **dict.fromkeys(("javascript", "typescript", "tsx"), "js"),
    **dict.fromkeys(("c", "c++", "c header", "objective-c"), "c"),
    **dict.fromkeys(("java", "kotlin", "scala"), "java"),
}
_NAMED_IMPORTS: Final = frozenset({"python", "js", "java", "rust", "php", "haskell", "c#"})
"""Where what is used from elsewhere is imported, or annotated, by its name. A mere call may then be of anything that is called so."""

_STRONG: Final[dict[ReferenceKind, int]] = {"import": 2, "base": 2, "decorator": 2, "type": 1, "call": 0, "name": 0}
_WORTH: Final = {Standing.SOURCE: 4, Standing.TEST: 1, Standing.AROUND: 1}
"""A use in a test says less about what matters than one in the source."""

_FACTOR: Final = {Standing.SOURCE: 8, Standing.TEST: 1, Standing.AROUND: 1}
_UNWRITTEN: Final = frozenset({"generated", "minified"})

_PLACE: Final = "\0"
STRONG_SHIFT: Final = 32
"""A weight has two parts: uses that name what they mean, above this bit, and mere calls below."""

_IDLE_STEMS: Final = frozenset({"__init__", "index", "mod", "lib", "main", "package-info"})
_PACKAGES: Final = frozenset({"go", "java", "c#", "haskell", "php"})
"""Where a folder is what is imported, or a part of it."""

_CLOSED: Final[frozenset[DefinitionKind]] = frozenset({"function", "method", "constructor", "macro", "property"})
_INNER: Final[frozenset[DefinitionKind]] = frozenset({"method", "constructor", "property", "field"})
_STANDARD: Final[dict[str, tuple[str, ...]]] = {
    "java": ("java.", "javax.", "kotlin.", "scala."),
    "rust": ("std::", "core::", "alloc::"),
    "js": ("node:",),
    "c#": ("System",),
}
_NODE: Final = frozenset("assert buffer child_process crypto events fs http https net os path stream tls url util zlib".split())

_SEPARATORS: Final = re.compile(r"::|[.\\/:]+")
_TEST_AFFIX: Final = re.compile(r"^test_|[._-](?:test|spec)s?$|(?:Test|Tests|Spec)$")


class _OfFamily(dict[str, int]):
    """Numbers of names by name; those of places are found under a name that nothing has."""

    def __init__(self, family: str) -> None:
        self._family = family
        self._named = family in _NAMED_IMPORTS

    def __missing__(self, name: str) -> int:
        text = f"{self._family}\0{name}".encode("utf-8", "surrogateescape")
        number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
        self[name] = number = number & ~1 | (self._named or name.startswith(_PLACE))
        return number

    def place(self, place: str) -> int:
        """The number of a module's place."""
        return self[_PLACE + place]


class Numbers(dict[str, _OfFamily]):
    """The numbers of names and places, by family; each is made once. Not to be shared by threads."""

    def __missing__(self, family: str) -> _OfFamily:
        self[family] = made = _OfFamily(family)
        return made


class Digest(msgspec.Struct, frozen=True, gc=False):
    """`defines` are names, each with whether it is found inside classes alone; `uses` are names of other files with the weight of their
    use. A name is a number below 2**64.

    `own` is what a file is worth whoever uses it, and `factor` what its worth is multiplied with, below 256: little for tests and for
    what nobody wrote by hand.
    """

    defines: dict[int, bool]
    uses: dict[int, int]
    own: int = 0
    factor: int = 1


def digest(path: str, symbols: FileSymbols, numbers: Numbers) -> Digest:
    """Of the file at `path`. `numbers` are what is known of other files' names."""
    own = family_of(symbols)
    worth = _WORTH[standing(path)]
    rows = symbols.definitions
    defines: dict[int, bool] = {}
    known = numbers[own]
    for at, number in enumerate([known[each.name] for each in rows]):
        if is_seen(rows, at):
            defines[number] = defines.get(number, True) and is_inner(rows, at)
    defines.update((known.place(each), False) for each in places(path, own))
    outside = {name for each in symbols.imports if is_standard(own, each.module) for name in each.names}
    outside.update(each.name for each in rows)
    uses: dict[int, int] = {}
    for name, strong in {(each.name, _STRONG[each.kind]) for each in symbols.references}:
        if name not in outside:
            number = known[name]
            uses[number] = max(uses.get(number, 0), strong * worth << STRONG_SHIFT | worth)
    for module in _imported(path, own, symbols.imports):
        uses[known.place(module)] = 2 * worth << STRONG_SHIFT
    others = {number: weight for number, weight in uses.items() if number not in defines}
    return Digest(defines, others, int(bool(rows)), _factor(path, symbols))


def is_seen(rows: Sequence[Definition], at: int) -> bool:
    """Whether the definition `at` of a file can be used from outside: it is not within a function, nor the file itself."""
    if rows[at].kind == "module":
        return False
    above = rows[at].parent
    while above >= 0 and rows[above].kind not in _CLOSED:
        above = rows[above].parent
    return above < 0


def is_inner(rows: Sequence[Definition], at: int) -> bool:
    """Whether the definition `at` of a file belongs to a class or the like, so that imports can't name it."""
    if rows[at].kind in _INNER:
        return True
    return rows[at].parent >= 0 and rows[rows[at].parent].kind not in {"module", "namespace"}


def is_standard(family: str, module: str) -> bool:
    """Whether a module is a part of the language: what is taken out of it is called as something in the tree by chance."""
    if family == "python":
        return module.partition(".")[0] in sys.stdlib_module_names
    return module.startswith(_STANDARD.get(family, ())) or (family == "js" and module in _NODE)


def plain(path: str) -> Digest:
    """Of a file that holds no symbols."""
    return Digest({}, {}, 0, _FACTOR[standing(path)])


def _factor(path: str, symbols: FileSymbols) -> int:
    return 1 if symbols.problem in _UNWRITTEN else _FACTOR[standing(path)]


def family_of(symbols: FileSymbols) -> str:
    """The languages that share names with this file's."""
    return family(symbols.language)


def family(language: str) -> str:
    """The languages that share names with this one."""
    folded = language.lower()
    return _FAMILIES.get(folded, folded)


def name_of(family: str, name: str) -> int:
    """The number of a name; odd where uses of it are named in imports. For many names use `Numbers`."""
    return _OfFamily(family)[name]


def places(path: str, family: str) -> Iterator[str]:
    """What imports may call the file: by its last name, and by the last two."""
    *folders, name = path.split("/")
    if family == "c":
        parts = [*folders, name]
    else:
        stem = name.partition(".")[0]
        parts = folders if stem in _IDLE_STEMS else [*folders, stem]
        if family in _PACKAGES and len(folders) > 1:
            yield "/".join(folders[-2:])
    yield from _ends(parts)


def _ends(parts: list[str]) -> Iterator[str]:
    if parts:
        yield parts[-1]
    if len(parts) > 1:
        yield "/".join(parts[-2:])


def _imported(path: str, family: str, imports: Iterable[Import]) -> set[str]:
    """The places that a file's imports mean, and that of what it tests."""
    folders = path.split("/")[:-1]
    found = set()
    for each in imports:
        parts = _module(folders, family, each.module)
        if parts and not is_standard(family, each.module):
            found.add("/".join(parts[-2:]))
            if family == "python":
                found.update(f"{parts[-1]}/{name}" for name in each.names)
    stem = path.rpartition("/")[2].partition(".")[0]
    if standing(path) is Standing.TEST and (tested := _TEST_AFFIX.sub("", stem)) != stem and tested:
        found.add(tested)
    return found


def _module(folders: list[str], family: str, module: str) -> list[str]:
    """The parts of a module's name, from the top of the tree where it is relative."""
    if family == "python" and module.startswith("."):
        rest = module.lstrip(".")
        up = len(module) - len(rest) - 1
        return [*folders[: len(folders) - up], *(rest.split(".") if rest else ())]
    if family == "c":
        return [part for part in module.split("/") if part not in {".", ".."}]
    if family in {"js", "go", "ruby", "shell", "lua"} and module.startswith((".", "/")):
        return _relative(folders, module)
    if family in {"js", "go", "ruby"}:
        parts = [part for part in module.split("/") if part]
        return [*parts[:-1], parts[-1].partition(".")[0]] if parts and family != "go" else parts
    return [part for part in _SEPARATORS.split(module) if part and part not in {"crate", "self", "super"}]


def _relative(folders: list[str], module: str) -> list[str]:
    parts = [*folders]
    for part in module.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    if parts:
        parts[-1] = parts[-1].partition(".")[0]
    return parts[:-1] if parts and parts[-1] in _IDLE_STEMS else parts
