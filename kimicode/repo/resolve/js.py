"""What an import of JavaScript or TypeScript means in a tree: relative paths, `index` files, packages of a monorepo, the `@/` of bundlers.

What this module does not do: read `tsconfig.json` or the `exports` of a package.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from kimicode.repo.places import Places, folder_of, join, nearest, step
from kimicode.repo.symbols import Import

_SUFFIXES: Final = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".d.ts", ".d.mts", ".d.cts", ".vue", ".svelte", ".json")
_AS_BUILT: Final = {
    ".js": (".ts", ".tsx", ".d.ts", ".jsx"), ".jsx": (".tsx",), ".mjs": (".mts", ".d.mts"), ".cjs": (".cts", ".d.cts"),
}  # fmt: skip
"""TypeScript writes the name of the file that will be built."""


def javascript(places: Places, path: str, item: Import) -> Iterable[str]:
    """The one file that is meant, if it is in the tree."""
    found = _meant(places, path, item.module.partition("?")[0])
    return () if found is None else (found,)


def _meant(places: Places, path: str, module: str) -> str | None:
    if module.startswith("."):
        base = step(folder_of(path), module)
        return None if base is None else _file(places, base)
    if module.startswith(("@/", "~/", "/")):
        end = module.partition("/")[2]
        near = nearest((each for each in _ending(places, end) if each), path)
        return near if end else None
    return _of_package(places, path, module)


def _ending(places: Places, end: str) -> Iterator[str]:
    for suffix in ("", *_SUFFIXES, *(f"/index{each}" for each in _SUFFIXES)):
        yield from (each for each in places.files_ending(end + suffix) if each == end + suffix or "src/" in each or "app/" in each)


def _of_package(places: Places, path: str, module: str) -> str | None:
    for folder, name in places.named("package.json"):
        if module == name:
            entries = (
                join(folder, "src/index"),
                join(folder, "src/main"),
                join(folder, "index"),
                join(folder, "lib/index"),
                join(folder, "src", name),
            )
            return next((found for each in entries if (found := _file(places, each)) is not None and found != path), None)
        if module.startswith(f"{name}/"):
            inside = module.removeprefix(f"{name}/")
            return next((found for base in ("", "src", "lib") if (found := _file(places, join(folder, base, inside))) is not None), None)
    return None


def _file(places: Places, base: str) -> str | None:
    stem, dot, suffix = base.rpartition(".")
    built = [stem + each for each in _AS_BUILT.get(dot + suffix, ())]
    inside = [join(base, f"index{each}") for each in _SUFFIXES]
    return places.first(each for each in [base, *built, *(base + each for each in _SUFFIXES), *inside] if each)
