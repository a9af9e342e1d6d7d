"""Compile the native library with the machine's C++ compiler: `python -m engine.native.build`, or `build` from setup.py.

A file beside the library holds the hash of what it was made from and its own, so that it is made again only when its sources, its flags,
the compiler or the library itself changed. Nothing is left half-written. Only the standard library is imported, because an installation
has nothing else yet. What this module does not do: load the library (`engine.native.library`).
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from engine.native.sources import COMMON, FOLDER, Source, headers, machine, sources

NAME: Final = "kimicode_mla.so"
TARGET: Final = Path(__file__).parent / NAME
_COMPILERS: Final = ("c++", "g++", "clang++")
_THREADS: Final = "-pthread"
_OPENMP: Final = "-fopenmp"

OPENMP_PROBE: Final = """
#ifdef __clang__
#error another runtime
#endif
#include <omp.h>
int threads() { return omp_get_max_threads(); }
"""
"""What only a compiler with llama.cpp's OpenMP takes. Clang has a runtime of its own, libomp: its threads would compete with those of
libgomp, which llama.cpp has from GCC."""


class BuildError(Exception):
    """There is no compiler, it refused, or the folder can't be written; says which file and what was said."""


def build(target: Path = TARGET, *, openmp: bool = True) -> bool:
    """Make `target` unless it is up to date; whether it was made. `openmp`: share llama.cpp's threads where the compiler is GCC, else have
    some of our own. Raises `BuildError`."""
    compiler = find_compiler()
    parts = sources(machine())
    try:
        flags = (*COMMON, _THREADS, *((_OPENMP,) if openmp and _has_openmp(compiler) else ()))
        state = _state(compiler, flags, parts)
        stamp = stamp_of(target)
        if stamp.exists() and stamp.read_text("ascii") == f"{state} {_hash(target)}":
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        made = _compiled(compiler, flags, parts, target)
        stamp.write_text(f"{state} {made}", "ascii")
    except OSError as error:
        raise BuildError(f"{error.filename or target}: {error.strerror or error}") from error
    return True


def stamp_of(target: Path) -> Path:
    """The file beside `target` that says what it was made from."""
    return target.with_suffix(".state")


def find_compiler() -> str:
    """The C++ compiler: $CXX, or the first of the usual names on PATH. Raises `BuildError`."""
    for name in (os.environ.get("CXX", ""), *_COMPILERS):
        if name and (found := shutil.which(name)):
            return found
    raise BuildError("no C++ compiler was found; install one (Debian, Ubuntu: apt install g++)")


def _compiled(compiler: str, flags: Sequence[str], parts: Sequence[Source], target: Path) -> str:
    """Compile, link and put in place; the library's hash."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".native-") as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = [str(Path(folder, f"{part.path.stem}.o")) for part in parts]
        jobs = [(compiler, *flags, *part.flags, "-c", str(part.path), "-o", out) for part, out in zip(parts, objects, strict=True)]
        # Those of instruction sets are last, and take longest.
        list(pool.map(_run, reversed(jobs)))
        made = Path(folder, NAME)
        _run((compiler, "-shared", *flags, *objects, "-ldl", "-o", str(made)))
        found = _hash(made)
        os.replace(made, target)
    return found


def _has_openmp(compiler: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="kimicode-") as folder:
        command = (compiler, _OPENMP, "-x", "c++", "-shared", "-fPIC", "-", "-o", os.path.join(folder, "probe"))
        return subprocess.run(command, input=OPENMP_PROBE, capture_output=True, text=True, check=False).returncode == 0


def _state(compiler: str, flags: Sequence[str], parts: Sequence[Source]) -> str:
    digest = hashlib.sha256(repr((compiler, os.stat(compiler).st_mtime_ns, flags)).encode())
    for path in headers():
        digest.update(path.read_bytes())
    for part in parts:
        digest.update(repr((str(part.path.relative_to(FOLDER)), part.flags)).encode())
        digest.update(part.path.read_bytes())
    return digest.hexdigest()


def _hash(library: Path) -> str:
    return hashlib.sha256(library.read_bytes()).hexdigest() if library.exists() else ""


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")


def main() -> int:
    """Build; the exit code."""
    try:
        build()
    except BuildError as error:
        sys.stderr.write(f"kimicode: the attention kernels were not built, llama.cpp's own are used: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
