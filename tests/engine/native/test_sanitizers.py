"""The compiler's sanitizers find nothing in the kernels and their threads."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from engine.native.build import find_compiler
from engine.native.library import Library
from engine.native.sources import COMMON, FOLDER, Source, machine, sources

_PROGRAM: Final = Path(__file__).with_name("sanitized.cpp")
_GGML: Final = frozenset({"plugin", "attention_device", "library", "operation", "matrices"})
"""Files that need a loaded llama.cpp, and are not in the program; nor are those of the experts, whose tests have programs of their own."""
_QUICK: Final = ("-O1", "-g1", "-fno-omit-frame-pointer")
_SANITIZERS: Final = {
    "memory": (*_QUICK, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    "threads": (*_QUICK, "-fsanitize=thread"),
}


def _build(folder: Path, flags: tuple[str, ...], kernels: tuple[str, ...]) -> Path:
    """The program. Without OpenMP, whose threads the thread sanitizer does not know: these are our own team. Files of instruction sets
    that do not run here are there for their names only."""
    parts = (Source(_PROGRAM, ()), *(part for part in sources(machine()) if part.path.parent == FOLDER and part.path.stem not in _GGML))
    sets = {f"isa_{name.partition('-')[0]}" for name in kernels}
    command = (find_compiler(), *COMMON, "-pthread", f"-I{FOLDER}")
    jobs = []
    for part in parts:
        watched = part.path.stem in sets or not part.path.stem.startswith("isa_")
        jobs.append(
            (*command, *part.flags, *(flags if watched else ("-O0",)), "-c", str(part.path), "-o", str(folder / f"{part.path.stem}.o"))
        )
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_run, jobs))
    program = folder / "sanitized"
    _run((*command, *flags, *(job[-1] for job in jobs), "-o", str(program)))
    return program


def _run(command: tuple[str, ...]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("watched", _SANITIZERS)
def test_sanitizers_find_nothing(watched: str, tmp_path: Path, library: Library) -> None:
    program = _build(tmp_path, _SANITIZERS[watched], library.kernels())
    ran = dict(line.split() for line in _run((str(program), watched)).splitlines())
    assert tuple(ran) == library.kernels()
    assert all(int(runs) > 0 for runs in ran.values())
