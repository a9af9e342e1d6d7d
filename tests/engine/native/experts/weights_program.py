"""The program `try_weights.cpp` with the kernels of weights, for this machine, watched or emulated, and for others.

What this module does not do: judge what it prints.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.native.sources import FOLDER, Source, sources
from tests.engine.native.emulated import compiled

_HERE: Final = Path(__file__).parent
_MAIN: Final = _HERE / "try_weights.cpp"
_STAND_INS: Final = (f"-I{_HERE / 'emulated_int4'}", f"-I{compiled.HERE}", "-Wno-psabi", "-O1")
EMULATED: Final = ("isa_int4_avxvnni", "isa_int4_avx512vnni")
"""Files whose instructions few machines that run tests have."""

SANITIZED: Final = ("-O1", "-g1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@dataclass(frozen=True)
class Outcome:
    """Of one kernel: errors relative to the rows' norms, with activations as they were quantised and as they were before."""

    quantised: float
    given: float
    same: bool


def kernel_files(kind: str) -> tuple[Source, ...]:
    """The files of the kernels for machines of this kind."""
    return tuple(part for part in sources(kind) if part.path.stem.removeprefix("isa_").partition("_")[0] == "int4")


def watched(part: Source) -> Source:
    """The file compiled for the sanitizers."""
    return Source(part.path, (*part.flags, *SANITIZED))


def stood_in(part: Source) -> Source:
    """The file with its instructions emulated, where few machines have them."""
    return Source(part.path, _STAND_INS) if part.path.stem in EMULATED else part


def program(folder: Path, kind: str, compiler: str, change: Callable[[Source], Source], *link: str) -> Path:
    """The program, each file changed by `change`; linked with the flags `link`."""
    main = change(Source(_MAIN, (f"-I{FOLDER}", "-Wall", "-Wextra", "-Werror")))
    objects = compiled.compiled(compiler, (main, *map(change, kernel_files(kind))), folder)
    path = folder / "try_weights"
    compiled.run((compiler, *map(str, objects), *link, "-o", str(path)))
    return path


def outcomes(*command: str) -> dict[str, Outcome]:
    """What the program finds, by kernel, best first."""
    found = {}
    for line in compiled.run(command).splitlines():
        name, quantised, given, same = line.split()
        found[name] = Outcome(float(quantised), float(given), {"same": True, "apart": False}[same])
    return found
