"""What an import of Go or Rust means in a tree: packages and crates by the name that their manifest gives them.

What this module does not do: know `replace` lines, `#[path]` attributes or what a crate passes on under another name.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from kimicode.repo.places import Places, folder_of, join, nearest
from kimicode.repo.symbols import Import

_MAX_FILES: Final = 64
"""Files of one Go package that are taken: those of the largest packages say little about what is used."""

_CRATE_ROOTS: Final = ("lib.rs", "main.rs")


def go(places: Places, path: str, item: Import) -> Iterable[str]:
    """The files of the package, without its tests."""
    folder = _go_folder(places, path, item.module)
    if folder is None:
        return ()
    return [each for each in places.members(folder) if each.endswith(".go") and not each.endswith("_test.go")][:_MAX_FILES]


def _go_folder(places: Places, path: str, module: str) -> str | None:
    modules = places.named("go.mod")
    for folder, name in modules:
        if module == name:
            return folder
        if module.startswith(f"{name}/"):
            return join(folder, module.removeprefix(f"{name}/"))
    return nearest(places.folders_ending(f"vendor/{module}") or ([] if modules else _go_guess(places, module)), path)


def _go_guess(places: Places, module: str) -> list[str]:
    """Without any `go.mod`: the longest end of a path with a host that is a folder with Go files."""
    host, *parts = module.split("/")
    if "." not in host:
        return []
    for start in range(1, len(parts)):
        found = [each for each in places.folders_ending("/".join(parts[start:])) if any(m.endswith(".go") for m in places.members(each))]
        if found:
            return found
    return []


def rust(places: Places, path: str, item: Import) -> Iterable[str]:
    """The files of the modules that are named, or else of the nearest module around the names."""
    parts = [part for part in item.module.split("::") if part]
    whole = [[*parts, name] for name in item.names if name not in ("*", "self")] or [parts]
    return dict.fromkeys(found for each in whole if each and (found := _rust_file(places, path, each)) is not None)


def _rust_file(places: Places, path: str, parts: list[str]) -> str | None:
    for folder, rest in _rust_starts(places, path, parts):
        # What a module defines lies in its file: the last parts may be names within it.
        for length in range(len(rest), 0, -1):
            base = join(folder, *rest[:length])
            if (found := places.first((f"{base}.rs", f"{base}/mod.rs"))) is not None:
                return found
        if (found := _rust_owner(places, folder)) is not None and found != path:
            return found
    return None


def _rust_starts(places: Places, path: str, parts: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The folders that the submodules of the first part lie in, and what is left of the path."""
    first, rest = parts[0], parts[1:]
    here = _rust_folder(path)
    if first == "crate":
        yield _crate_folder(places, path), rest
    elif first == "self":
        yield here, rest
    elif first == "super":
        while rest and rest[0] == "super":
            here, rest = folder_of(here), rest[1:]
        yield folder_of(here), rest
    else:
        crates = [join(folder, "src") for folder, name in places.named("Cargo.toml") if name.replace("-", "_") == first]
        if crates:
            yield crates[0], rest
        elif places.first((join(here, f"{first}.rs"), join(here, first, "mod.rs"))) is not None:
            yield here, parts


def _rust_folder(path: str) -> str:
    """The folder that the submodules of the file at `path` lie in."""
    name = path.rpartition("/")[2]
    return folder_of(path) if name in ("mod.rs", *_CRATE_ROOTS) else path.removesuffix(".rs")


def _rust_owner(places: Places, folder: str) -> str | None:
    return places.first((f"{folder}.rs", f"{folder}/mod.rs", *(join(folder, name) for name in _CRATE_ROOTS)))


def _crate_folder(places: Places, path: str) -> str:
    folder = start = folder_of(path)
    while True:
        if any(join(folder, name) in places.paths for name in _CRATE_ROOTS):
            return folder
        if not folder:
            return start
        folder = folder_of(folder)
