"""What the native library is made of: its files, and the compiler's flags for each on each kind of machine.

A file named `isa_*` holds the kernels of one instruction set and is the only one that may use it; everything else is compiled for the
oldest processor of its kind, so that the library loads everywhere and chooses when it runs. An inline function that two files share must
not be one that only some processors can run: where files define the same one, linkers keep the first, and the plain files come first.
The compilers that know all flags are g++ from 11 and clang++ from 12. What this module does not do: compile.
"""

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "src"

COMMON: Final = ("-std=c++20", "-O3", "-fPIC", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math")
"""Not `-ffast-math`: scores of minus infinity are meant."""

_AVX2: Final = ("-mavx2", "-mfma", "-mf16c")
_AVX512: Final = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl")

_ISA: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "x86_64": {
        "isa_avx2.cpp": _AVX2,
        "experts/isa_int4_avx2.cpp": _AVX2,
        "isa_avxvnni.cpp": (*_AVX2, "-mavxvnni"),
        "experts/isa_int4_avxvnni.cpp": (*_AVX2, "-mavxvnni"),
        "isa_avx512.cpp": _AVX512,
        "isa_avx512vnni.cpp": (*_AVX512, "-mavx512vnni"),
        "experts/isa_int4_avx512vnni.cpp": (*_AVX512, "-mavx512vnni"),
    },
    "aarch64": {
        # g++ would load words so early that sums no longer fit the registers.
        "isa_neon.cpp": ("-fno-schedule-insns",),
        "experts/isa_int4_neon.cpp": ("-fno-schedule-insns",),
        "experts/isa_int4_neondot.cpp": ("-fno-schedule-insns", "-march=armv8.2-a+dotprod"),
    },
}


@dataclass(frozen=True)
class Source:
    """One file and the flags that only it is compiled with."""

    path: Path
    flags: tuple[str, ...]


def machine() -> str:
    """This machine's kind, by the names used here."""
    name = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def sources(kind: str) -> tuple[Source, ...]:
    """The files for machines of this kind, in the order in which they are to be linked; any other kind gets the portable ones."""
    special = _ISA.get(kind, {})
    plain = sorted(path for path in FOLDER.rglob("*.cpp") if not path.name.startswith("isa_") or path.name == "isa_portable.cpp")
    return (*(Source(path, ()) for path in plain), *(Source(FOLDER / name, flags) for name, flags in special.items()))


def headers() -> tuple[Path, ...]:
    """Everything that the files include from here."""
    return tuple(sorted([*FOLDER.rglob("*.hpp"), *FOLDER.rglob("*.h")]))
