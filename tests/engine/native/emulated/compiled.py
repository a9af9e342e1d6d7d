"""The native library compiled for its tests: as it is installed, with instructions emulated, and as a program for emulated processors.

`immintrin.h` and `cpuid.h` beside this module stand in for the compiler's: with them the kernels for AVX-512 and AVX-VNNI run anywhere;
`driver.cpp` checks all kernels that run where it does. What this module does not do: run anything but compilers.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engine.native.build import find_compiler
from engine.native.sources import COMMON, FOLDER, Source, machine, sources

HERE: Final = Path(__file__).parent
EMULATED: Final = ("isa_avx512", "isa_avx512vnni", "isa_avxvnni")
"""Files for x86-64 whose instructions few machines that run tests have."""

_STAND_INS: Final = (f"-I{HERE}", "-Wno-psabi", "-O1")


def installed(folder: Path) -> tuple[Path, ...]:
    """The objects that the library for this machine is linked from, in order."""
    return compiled(find_compiler(), sources(machine()), folder / "installed")


def emulated(folder: Path) -> Path:
    """The library for x86-64, but with kernels that are emulated and say that they run."""
    parts = [Source(FOLDER / f"{name}.cpp", _STAND_INS) for name in EMULATED]
    own = compiled(find_compiler(), parts, folder / "emulated")
    others = (one for one in installed(folder) if one.stem not in EMULATED)
    return _linked(folder / "emulated.so", find_compiler(), "-shared", "-pthread", *map(str, (*others, *own)), "-ldl")


def program(folder: Path, kind: str, compiler: str) -> Path:
    """`driver.cpp` and the library for a processor of this kind, as a program that needs no shared library."""
    library = installed(folder) if kind == machine() else compiled(compiler, sources(kind), folder / kind)
    own = compiled(compiler, [Source(HERE / "driver.cpp", (f"-I{FOLDER}",))], folder / f"driver-{kind}")
    # The linker warns of the backend, which opens shared libraries; the driver never does.
    return _linked(folder / f"run-{kind}", compiler, "-static", "-pthread", *map(str, (*own, *library)))


def compiler_for(kind: str) -> str | None:
    """The compiler for processors of this kind, or none."""
    return find_compiler() if kind == machine() else shutil.which(f"{kind}-linux-gnu-g++")


def run(command: Sequence[str]) -> str:
    """What the command prints. Fails with what it complained of."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def compiled(compiler: str, parts: Iterable[Source], folder: Path) -> tuple[Path, ...]:
    """The objects made of these files, in their order; those that `folder` has are not made again."""

    def one(part: Source) -> Path:
        path = folder / f"{part.path.stem}.o"
        if not path.exists():
            run((compiler, *COMMON, *part.flags, "-c", str(part.path), "-o", str(path)))
        return path

    with _alone(folder), ThreadPoolExecutor(os.cpu_count()) as pool:
        return tuple(pool.map(one, parts))


def _linked(path: Path, compiler: str, *arguments: str) -> Path:
    with _alone(path.parent):
        if not path.exists():
            run((compiler, *arguments, "-o", str(path)))
    return path


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process works in `folder` meanwhile."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
