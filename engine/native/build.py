"""Compile the native library with the machine's C++ compiler: `python -m engine.native.build`, or `build` from setup.py.

The library carries the hash of what it was made from, in a file beside it, so that it is made again only when its sources, its flags or
the compiler changed. Nothing is left half-written. What this module does not do: load the library (`engine.native.library`).
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
_OPENMP: Final = "-fopenmp"
_COMPILERS: Final = ("c++", "g++", "clang++")


class BuildError(Exception):
    """There is no compiler, or it refused; says which file and what it said."""


def build(target: Path = TARGET, *, openmp: bool = True) -> bool:
    """Make `target` unless it is up to date; whether it was made. Raises `BuildError`."""
    compiler = find_compiler()
    parts = sources(machine())
    flags = (*COMMON, *((_OPENMP,) if openmp else ()))
    state = _state(compiler, flags, parts)
    stamp = target.with_suffix(".state")
    if target.exists() and stamp.exists() and stamp.read_text("ascii") == state:
        return False
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".native-") as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = [str(Path(folder, f"{part.path.stem}.o")) for part in parts]
        jobs = [(compiler, *flags, *part.flags, "-c", str(part.path), "-o", out) for part, out in zip(parts, objects, strict=True)]
        list(pool.map(_run, jobs))
        made = Path(folder, NAME)
        _run((compiler, "-shared", *flags, *objects, "-ldl", "-o", str(made)))
        os.replace(made, target)
    stamp.write_text(state, "ascii")
    return True


def find_compiler() -> str:
    """The C++ compiler: $CXX, or the first of the usual names on PATH. Raises `BuildError`."""
    for name in (os.environ.get("CXX", ""), *_COMPILERS):
        if name and (found := shutil.which(name)):
            return found
    raise BuildError("no C++ compiler was found; install one (Debian, Ubuntu: apt install g++)")


def _state(compiler: str, flags: Sequence[str], parts: Sequence[Source]) -> str:
    digest = hashlib.sha256(repr((compiler, os.stat(compiler).st_mtime_ns, flags)).encode())
    for path in headers():
        digest.update(path.read_bytes())
    for part in parts:
        digest.update(repr((str(part.path.relative_to(FOLDER)), part.flags)).encode())
        digest.update(part.path.read_bytes())
    return digest.hexdigest()


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")


if __name__ == "__main__":
    try:
        build()
    except BuildError as error:
        sys.exit(f"kimicode: the attention kernels were not built: {error}")
