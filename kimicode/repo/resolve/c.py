"""What an `#include` means in a tree: beside the file, else the nearest header whose path ends so.

What this module does not do: know the compiler's folders or what is defined for it.
"""

from collections.abc import Iterable
from typing import Final

from kimicode.repo.places import Places, folder_of, nearest, step
from kimicode.repo.symbols import Import

_STANDARD: Final = frozenset(
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic stdbool stddef "
    "stdint stdio stdlib stdnoreturn string strings tgmath threads time uchar unistd wchar wctype fcntl memory dirent pthread netdb".split()
)
"""Headers that are the system's unless one lies beside the file: those of ISO C 2018 and the commonest of POSIX, without `.h`."""


def c_family(places: Places, path: str, item: Import) -> Iterable[str]:
    """The one header that is meant, if it is in the tree."""
    beside = step(folder_of(path), item.module)
    if beside in places.paths:
        return (beside,) if beside else ()
    end = step("", item.module.lstrip("./"))
    if not end or end.removesuffix(".h") in _STANDARD:
        return ()
    found = nearest(places.files_ending(end), path)
    return () if found is None else (found,)
