"""What a Python import means in a tree: relative ones exactly, absolute ones below any folder that could be on the path.

What this module does not do: follow what a package passes on from its own imports.
"""

import sys
from collections.abc import Iterable
from typing import Final

from kimicode.repo.places import Places, folder_of, join, nearest
from kimicode.repo.symbols import Import

_ROOTS: Final = frozenset({"", "src", "lib", "Lib", "python", "site-packages", "dist-packages"})


def python(places: Places, path: str, item: Import) -> Iterable[str]:
    """Modules: the submodules that `names` are; for the other names, the module itself."""
    base = _relative(path, item.module) if item.module.startswith(".") else _absolute(places, path, item)
    if base is None:
        return ()
    whole = _module(places, base)
    parts = [_module(places, join(base, name)) for name in item.names]
    return [each for each in ([part or whole for part in parts] or [whole]) if each is not None]


def _relative(path: str, module: str) -> str | None:
    rest = module.lstrip(".")
    folder = folder_of(path)
    for _ in range(len(module) - len(rest) - 1):
        if not folder:
            return None
        folder = folder_of(folder)
    return join(folder, rest.replace(".", "/"))


def _absolute(places: Places, path: str, item: Import) -> str | None:
    """The path of the module without its suffix, below the best root."""
    end = item.module.replace(".", "/")
    if not end:
        return None
    bases = {each.rpartition(".")[0] for suffix in (".py", ".pyi") for each in places.files_ending(end + suffix)}
    bases.update(each for each in places.folders_ending(end) if _package(places, each, item.names))
    return nearest((base for base in bases if _is_root(places, base[: -len(end)].rstrip("/"), path, item.module)), path)


def _package(places: Places, folder: str, names: tuple[str, ...]) -> bool:
    if _module(places, folder) is not None:
        return True
    return any(_module(places, join(folder, name)) is not None for name in names)


def _is_root(places: Places, root: str, path: str, module: str) -> bool:
    """Whether `root` may be on the module search path: it is no package itself, and near, usual, or the home of a whole package."""
    if join(root, "__init__.py") in places.paths:
        return False
    above = not root or path.startswith(f"{root}/")
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return above
    return above or root.rpartition("/")[2] in _ROOTS or join(root, top, "__init__.py") in places.paths


def _module(places: Places, base: str) -> str | None:
    return places.first(f"{base}{end}" for end in (".py", "/__init__.py", ".pyi", "/__init__.pyi")) if base else None
