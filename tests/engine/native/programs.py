"""C++ programs of these tests: compiled from one file here and some of the native library's, and run.

What this module does not do: build the library itself (`engine.native.build`).
"""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.native.build import find_compiler
from engine.native.sources import COMMON, FOLDER, machine, sources

_HERE = Path(__file__).parent


def compiled(folder: Path, name: str, parts: tuple[str, ...], *flags: str) -> Path:
    """The program `name`.cpp, which may be in a folder here, with files of the library, `parts`, each with the flags that it needs, in
    `folder`; a warning is an error."""
    program = folder / Path(name).name
    own = {part.path: part.flags for part in sources(machine())}
    strict = (find_compiler(), *COMMON, "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", f"-I{FOLDER}", *flags)
    files = (_HERE / f"{name}.cpp", *(FOLDER / f"{part}.cpp" for part in parts))
    objects = [folder / f"{file.stem}.o" for file in files]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(*strict, *own.get(file, ()), "-c", file, "-o", out) for file, out in zip(files, objects, strict=True)]
        list(pool.map(lambda job: output(*job), jobs))
    output(*strict, *objects, "-o", program)
    return program


def output(*command: object) -> str:
    """What a command prints, which must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
