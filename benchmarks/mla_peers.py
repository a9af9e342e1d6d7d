"""Who computes attention: our kernels in this process, and each peer in a process of its own that our small drivers make.

Stock is the installed llama.cpp without our backend; the other peer is a checkout of ik_llama.cpp, built here if it isn't yet. Drivers
(`mla_op.cpp`, `mla_ik_step.cpp`, `mla_step.py`) read a line, do it and answer with one; peers stay alive, so that turns can be taken.
Linux only. What this module does not do: choose what is measured, or judge it.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import mla_case
import numpy as np
from mla_case import Case, Data
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.native.build import find_compiler
from engine.native.library import Cell, Form, Library, Matrices

HERE: Final = Path(__file__).parent
_FLAGS: Final = ("-std=c++20", "-O2")


class PeerError(Exception):
    """A peer can't be built, or ended; says which and why."""


class Child:
    """A driver. Ends with this object, or when it is left as a context manager."""

    def __init__(self, command: Sequence[str | Path], folder: Path) -> None:
        self._name = Path(command[0]).name if str(command[0]) != sys.executable else Path(command[1]).name
        self._log = folder / f"{self._name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, line: str = "") -> str:
        """Send a line, if any, and wait for the answer. Raises `PeerError` where none comes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            if line:
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()
            if answer := self._process.stdout.readline():
                return answer.strip()
        except BrokenPipeError:
            pass
        said = self._log.read_text("utf-8", "replace").strip().splitlines()
        raise PeerError(f"{self._name} ended with {self._process.wait()} at `{line}`: {said[-1] if said else 'it said nothing'}")

    def close(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


class Contestant(Protocol):
    """Somebody who computes cases. `prepare` gives the result, shape (queries, heads, latent); `run` computes it again and takes so many
    seconds."""

    name: str

    def takes(self, case: Case) -> bool:
        """Whether it can."""

    def prepare(self, case: Case, what: Data) -> NDArray[np.float32]:
        """Get ready for a case."""

    def run(self) -> float:
        """Compute it once."""


class Ours:
    """One of our kernels, called directly; in the form that is cheaper, where there is a choice."""

    def __init__(self, name: str, library: Library, kernel: str, threads: int) -> None:
        self.name = name
        self._library, self._kernel, self._threads = library, kernel, threads

    def takes(self, case: Case) -> bool:
        """All of them."""
        return case.queries > 0

    def prepare(self, case: Case, what: Data) -> NDArray[np.float32]:
        """Choose the form, and compute once."""
        self._data, self._matrices = what, what.matrices
        self._out = np.empty((case.queries, mla_case.HEADS, mla_case.LATENT), np.float32)
        if self._matrices is not None:
            try:
                return self._expanded(self._matrices)
            except EngineError:
                self._matrices = None
        self._absorbed()
        return self._out

    def run(self) -> float:
        """Compute it again."""
        begun = time.perf_counter()
        if self._matrices is None:
            self._absorbed()
        else:
            self._expanded(self._matrices)
        return time.perf_counter() - begun

    def _absorbed(self) -> None:
        d, latent, scale = self._data, mla_case.LATENT, mla_case.SCALE
        self._library.attend(d.queries, d.cells, latent, scale, self._kernel, mask=d.mask, threads=self._threads, out=self._out)

    def _expanded(self, matrices: Matrices) -> NDArray[np.float32]:
        d, form = self._data, Form.CHEAPER
        return self._library.attend_expanded(
            d.queries, d.cells, matrices, mla_case.SCALE, self._kernel, mask=d.mask, threads=self._threads, form=form
        )


class Peer:
    """A peer's operation, by `mla_op.cpp`."""

    def __init__(self, name: str, driver: Path, threads: int, folder: Path, *, rotated_first: bool, kinds: Sequence[Cell]) -> None:
        self.name = name
        self._rotated_first, self._kinds = rotated_first, kinds
        self._folder = folder / name
        self._folder.mkdir()
        self._child = Child([driver, str(threads), str(mla_case.ROPE if rotated_first else 0)], self._folder)

    def takes(self, case: Case) -> bool:
        """Those whose cells are of a type that it has attention for."""
        return case.kind in self._kinds

    def prepare(self, case: Case, what: Data) -> NDArray[np.float32]:
        """Hand over the data, and let it compute once."""
        mla_case.write(self._folder, what, rotated_first=self._rotated_first)
        self._child.ask(f"case {self._folder} {case.queries} {case.keys} {case.kind.value}")
        return np.fromfile(self._folder / "out", np.float32).reshape(case.queries, mla_case.HEADS, mla_case.LATENT)

    def run(self) -> float:
        """Let it compute again."""
        return float(self._child.ask("run"))

    def close(self) -> None:
        """End its process."""
        self._child.close()


def stock_driver(folder: Path) -> Path:
    """`mla_op.cpp`, made with the installed llama.cpp."""
    return compiled(folder / "mla_op_stock", "mla_op.cpp", stock())


def ik_drivers(checkout: Path, folder: Path) -> tuple[Path, Path]:
    """`mla_op.cpp` and `mla_ik_step.cpp`, made with the checkout's library."""
    made = ik(checkout)
    operation = compiled(folder / "mla_op_ik", "mla_op.cpp", Against(made.includes, made.libraries[1:]), "-DPEER_IK")
    return operation, compiled(folder / "mla_ik_step", "mla_ik_step.cpp", made)


@dataclass(frozen=True)
class Against:
    """What a driver is made with."""

    includes: tuple[Path, ...]
    libraries: tuple[Path, ...]


def stock() -> Against:
    """The installed llama.cpp's ggml. Raises `PeerError` where there is none."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        raise PeerError("llama_cpp is not installed here: run scripts/setup")
    package = Path(spec.origin).parent
    return Against((package.parent / "include",), tuple(package / "lib" / name for name in ("libggml-base.so.0", "libggml-cpu.so.0")))


def ik(checkout: Path) -> Against:
    """A checkout of ik_llama.cpp, which is built first where it isn't: its llama and its ggml. Raises `PeerError`."""
    llama, ggml = checkout / "build/src/libllama.so", checkout / "build/ggml/src/libggml.so"
    if not (llama.exists() and ggml.exists()):
        build = checkout / "build"
        _run("cmake", "-S", str(checkout), "-B", str(build), "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON")
        _run("cmake", "--build", str(build), "--target", "llama", "-j", str(os.cpu_count()))
    return Against((checkout / "include", checkout / "ggml/include"), (llama, ggml))


def work_folder() -> "tempfile.TemporaryDirectory[str]":
    """A place for drivers and data, of a few hundred megabytes; $TMPDIR says where."""
    return tempfile.TemporaryDirectory(prefix="kimicode-mla-")


def compiled(target: Path, source: str, against: Against, *flags: str) -> Path:
    """A driver's program, made from `source`, which lies beside this file. Raises `PeerError`."""
    for library in against.libraries:
        if not library.exists():
            raise PeerError(f"{library}: there is no such library; {target.name} can't be made")
    places = [word for library in against.libraries for word in (str(library), f"-Wl,-rpath,{library.parent}")]
    paths = [f"-I{path}" for path in against.includes]
    _run(find_compiler(), *_FLAGS, *flags, *paths, str(HERE / source), "-o", str(target), *places)
    return target


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except OSError as error:
        raise PeerError(f"{command[0]}: {error.strerror}; install it") from None
    if done.returncode:
        raise PeerError(f"{' '.join(command)}: {' / '.join(done.stdout.strip().splitlines()[-3:])}")
