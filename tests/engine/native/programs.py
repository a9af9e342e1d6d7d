"""C++ programs of these tests: compiled from one file here and some of the native library's, and run.

What this module does not do: build the library itself (`engine.native.build`).
"""

import subprocess
from pathlib import Path

from engine.native.build import find_compiler
from engine.native.sources import COMMON, FOLDER

_HERE = Path(__file__).parent


def compiled(folder: Path, name: str, parts: tuple[str, ...], *flags: str) -> Path:
    """The program `name`.cpp with files of the library, `parts`, in `folder`; a warning is an error."""
    program = folder / name
    files = (_HERE / f"{name}.cpp", *(FOLDER / f"{part}.cpp" for part in parts))
    strict = ("-O1", "-Wall", "-Wextra", "-Werror", "-pthread", f"-I{FOLDER}")
    output(find_compiler(), *COMMON, *strict, *flags, *files, "-o", program)
    return program


def output(*command: object) -> str:
    """What a command prints, which must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
