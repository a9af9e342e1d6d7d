"""What an import means in the languages where a dotted or slashed name follows the folders: Java, Kotlin, Scala, C#, PHP, Ruby, and others.

What this module does not do: know a build file, an autoloader's settings or a load path.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from kimicode.repo.places import Places, folder_of, join, nearest, step
from kimicode.repo.symbols import Import

_MAX_FILES: Final = 40
"""Files that a whole package or namespace is taken for; a larger one says little about what is used."""

_JVM: Final = (".java", ".kt", ".scala", ".groovy")
_WILD: Final = frozenset({"*", "_", ""})


def java_family(places: Places, path: str, item: Import) -> Iterable[str]:
    """The file of the class, of the class around a member, or all of a package that is imported whole."""
    found: list[str] = []
    for name in item.names or ("",):
        parts = [part for part in (*item.module.split("."), name) if part not in _WILD]
        whole = name in _WILD and (bool(name) or item.module.endswith((".*", "._")))
        found += _type_file(places, path, parts) or (_package(places, path, "/".join(parts), _JVM) if whole else [])
    return found


def _type_file(places: Places, path: str, parts: Sequence[str]) -> list[str]:
    for length in range(len(parts), max(1, len(parts) - 3), -1):
        end = "/".join(parts[:length])
        near = nearest((each for suffix in _JVM for each in places.files_ending(end + suffix)), path)
        if near is not None:
            return [near]
    return []


def _package(places: Places, path: str, end: str, suffixes: tuple[str, ...]) -> list[str]:
    folder = nearest((each for each in places.folders_ending(end) if _has(places, each, suffixes)), path) if end else None
    return [] if folder is None else [each for each in places.members(folder) if each.endswith(suffixes)][:_MAX_FILES]


def _has(places: Places, folder: str, suffixes: tuple[str, ...]) -> bool:
    return any(each.endswith(suffixes) for each in places.members(folder))


def csharp(places: Places, path: str, item: Import) -> Iterable[str]:
    """The files of the folder that is called like the namespace; its first parts may be one folder (`A.B/C`)."""
    parts = item.module.split(".")
    for joint in range(len(parts)):
        end = join(".".join(parts[: joint + 1]), *parts[joint + 1 :])
        found = _package(places, path, end, (".cs",))
        if found:
            return found
    return ()


def php(places: Places, path: str, item: Import) -> Iterable[str]:
    """A required file; or the class file, whose first parts may be left out of the folders as PSR-4 allows."""
    if item.module.endswith((".php", ".inc")):
        return _written_path(places, path, item.module)
    parts = [part for part in item.module.split("\\") if part]
    found: list[str] = []
    for names in [[*parts, name] for name in item.names] or [parts]:
        ends = ("/".join(names[start:]) + ".php" for start in range(max(1, len(names) - 1)))
        near = next((near for end in ends if (near := nearest(places.files_ending(end), path)) is not None), None)
        found += [near] if near is not None else []
    return found


def ruby(places: Places, path: str, item: Import) -> Iterable[str]:
    """`require_relative` beside the file, `require` below `lib` or `app`."""
    end = item.module if item.module.endswith(".rb") else f"{item.module}.rb"
    beside = step(folder_of(path), end)
    if beside is not None and beside in places.paths:
        return (beside,)
    roots = ("lib", "app", "test", "spec", "ext")
    found = nearest((each for each in places.files_ending(end) if each == end or each[: -len(end) - 1].endswith(roots)), path)
    return () if found is None else (found,)


def lua(places: Places, path: str, item: Import) -> Iterable[str]:
    """`require "a.b"`: `a/b.lua` or `a/b/init.lua`."""
    end = item.module.replace(".", "/")
    found = nearest((*places.files_ending(f"{end}.lua"), *places.files_ending(f"{end}/init.lua")), path)
    return () if found is None else (found,)


def haskell(places: Places, path: str, item: Import) -> Iterable[str]:
    """The file of the module."""
    found = nearest(places.files_ending(item.module.replace(".", "/") + ".hs"), path)
    return () if found is None else (found,)


def zig(places: Places, path: str, item: Import) -> Iterable[str]:
    """A file beside; names without a suffix are packages."""
    beside = step(folder_of(path), item.module)
    return (beside,) if beside is not None and beside in places.paths else ()


def swift(places: Places, path: str, item: Import) -> Iterable[str]:
    """All of a target of the nearest package."""
    folder = nearest(places.folders_ending(f"Sources/{item.module.partition('.')[0]}"), path)
    below = [] if folder is None else [each for each in places.paths if each.endswith(".swift") and each.startswith(f"{folder}/")]
    return below if len(below) <= _MAX_FILES else ()


def script(places: Places, path: str, item: Import) -> Iterable[str]:
    """A sourced file; variables in front of its path are left out."""
    return _written_path(places, path, item.module.rpartition("}")[2].lstrip("/") if "$" in item.module else item.module)


def _written_path(places: Places, path: str, written: str) -> Iterable[str]:
    beside = step(folder_of(path), written)
    if beside is not None and beside in places.paths:
        return (beside,)
    end = step("", written.lstrip("./"))
    found = nearest(places.files_ending(end), path) if end else None
    return () if found is None else (found,)
