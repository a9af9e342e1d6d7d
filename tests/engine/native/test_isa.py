"""Kernels for instruction sets that this machine may lack, emulated; and that none of them gets into code that every processor runs.

AVX-512 and AVX-VNNI are emulated one instruction at a time, in plain C++ (`emulated/`); aarch64, and an x86-64 of 2008, by QEMU, which has
no AVX-512 either, but runs AVX2 also for processors without it.
"""

import os
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from engine.native.library import Cell, Library
from engine.native.sources import FOLDER, Source, machine, sources
from tests.engine.native.emulated import compiled
from tests.engine.native.reference import Problem, attention, worst, write

pytestmark = pytest.mark.timeout(600)  # the first test of a run compiles the library three times

EXACT: Final = 2e-5
FAST: Final = 2e-3
X86: Final = ("avx512vnni-pairs", "avxvnni-pairs", "avx512-pairs", "avx2-pairs", "avx512-exact", "avx2-exact", "portable-exact")
PACKAGES: Final = "Debian and Ubuntu: apt install g++-aarch64-linux-gnu qemu-user"
SHARED: Final = "inline __attribute__((noinline)) int shared() { return 1; }\n"


@dataclass(frozen=True)
class Processor:
    """Where kernels run: its kind, what begins the command, and the kernels that it must find, best first."""

    kind: str
    emulator: tuple[str, ...]
    kernels: tuple[str, ...]


OLD_X86: Final = Processor("x86_64", ("qemu-x86_64", "-cpu", "Nehalem"), ("portable-exact",))
OLD_ARM: Final = Processor("aarch64", ("qemu-aarch64", "-cpu", "cortex-a53"), ("neon-exact", "portable-exact"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this run's objects are made, once for all of its processes."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "isa"
    shared.mkdir(exist_ok=True)
    return shared


@pytest.fixture(scope="session")
def everything(library: Library, folder: Path) -> Library:
    """A library in which every kernel for this kind of machine runs."""
    return Library(compiled.emulated(folder)) if machine() == "x86_64" else library


@pytest.fixture(scope="session")
def processors(library: Library) -> tuple[Processor, ...]:
    """This one, and those that can be emulated here: in CI all of them."""
    found = [Processor(machine(), (), library.kernels())]
    for one in (OLD_X86, OLD_ARM):
        if compiled.compiler_for(one.kind) and shutil.which(one.emulator[0]):
            found.append(one)
        elif os.environ.get("CI") and machine() == "x86_64":
            pytest.fail(f"nothing here makes or runs programs for {one.kind}. {PACKAGES}")
    return tuple(found)


def check(library: Library, problem: Problem, threads: int = 1) -> None:
    """Every kernel of the library computes the problem."""
    wanted = attention(problem)
    for kernel in library.kernels():
        got = library.attend(problem.queries, problem.cells, problem.latent, problem.scale, kernel, mask=problem.mask, threads=threads)
        error = worst(got, wanted)
        assert error <= (EXACT if kernel.endswith("-exact") else FAST), f"{kernel}: relative error {error:.1e}"


def problem(queries: int, keys: int, heads: int, width: int, latent: int, kind: Cell, *, masked: bool) -> Problem:
    """Random values of about 1, scores with a standard deviation of 3.1; the mask is causal and hides every fifth key besides."""
    rng = np.random.default_rng(queries * 1000 + keys)
    asked = rng.standard_normal((queries, heads, width), np.float32)
    cells = write(rng.standard_normal((keys, width), np.float32), kind)
    number = np.arange(keys)
    hidden = (number > np.arange(keys - queries, keys)[:, None]) | (number % 5 == 1)
    mask = np.where(hidden, np.float16(-np.inf), np.float16(0)) if masked else None
    return Problem(asked, cells, latent, 3.1 / width**0.5, mask)


def test_emulated_kernels_are_listed_best_first(everything: Library) -> None:
    assert everything.kernels() == (X86 if machine() == "x86_64" else everything.kernels())


@pytest.mark.parametrize("queries", range(1, 21))
def test_emulated_kernels_at_the_size_of_kimi_nano(everything: Library, queries: int) -> None:
    kind = tuple(Cell)[queries % 4]
    check(everything, problem(queries, 37 * queries - 36, 4, 96, 64, kind, masked=queries % 3 == 0), threads=1 + queries % 3)
    check(everything, problem(queries, 701 - 31 * queries, 4, 96, 64, kind, masked=queries % 3 == 1))


@pytest.mark.parametrize("kind", Cell)
@pytest.mark.parametrize(("queries", "keys", "masked"), [(1, 1, False), (1, 700, False), (3, 97, True), (9, 131, True), (20, 33, False)])
def test_emulated_kernels_at_the_size_of_k26(everything: Library, kind: Cell, queries: int, keys: int, masked: bool) -> None:
    check(everything, problem(queries, keys, 64, 576, 512, kind, masked=masked), threads=2)


@pytest.mark.parametrize("heads", [1, 5, 31, 65, 127])
def test_emulated_kernels_with_rows_that_fill_no_block(everything: Library, heads: int) -> None:
    check(everything, problem(2, 111, heads, 96, 64, Cell.F16, masked=True))


def test_rows_that_see_nothing_are_zero(everything: Library) -> None:
    one = problem(3, 200, 5, 96, 64, Cell.F16, masked=True)
    assert one.mask is not None
    one.mask[1] = -np.inf
    check(everything, one)


def test_every_processor_runs_its_kernels(processors: tuple[Processor, ...], folder: Path) -> None:
    for one in processors:
        compiler = compiled.compiler_for(one.kind)
        assert compiler
        printed = compiled.run((*one.emulator, str(compiled.program(folder, one.kind, compiler))))
        assert printed.split() == list(one.kernels)


def test_every_file_belongs_to_a_kind_of_machine() -> None:
    used = {part.path.name for kind in ("x86_64", "aarch64") for part in sources(kind)}
    assert used == {path.name for path in FOLDER.rglob("*.cpp")}


def test_an_unknown_kind_of_machine_gets_what_any_processor_runs() -> None:
    assert [part for part in sources("riscv64") if part.flags or part.path.name.startswith("isa_")] == [
        Source(FOLDER / "isa_portable.cpp", ())
    ]


def test_files_for_some_processors_are_linked_last() -> None:
    flags = [bool(part.flags) for part in sources("x86_64")]
    assert flags == sorted(flags)


def test_no_processor_gets_a_function_made_for_another(folder: Path) -> None:
    assert foreign_symbols(sources(machine()), compiled.installed(folder)) == {}


@pytest.mark.parametrize(("first", "second", "found"), [("-DNEW", "-DOLD", True), ("-DNEW", "", True), ("", "-DNEW", False)])
def test_functions_made_for_another_are_found(tmp_path: Path, first: str, second: str, found: bool) -> None:
    parts = [Source(tmp_path / f"{name}.cpp", (flag,) if flag else ()) for name, flag in (("one", first), ("two", second))]
    for part in parts:
        part.path.write_text(f"{SHARED}int {part.path.stem}() {{ return shared(); }}\n", "ascii")
    compiler = compiled.compiler_for(machine())
    assert compiler
    objects = compiled.compiled(compiler, parts, tmp_path)
    assert foreign_symbols(parts, objects) == ({"_Z6sharedv": ["one.cpp", "two.cpp"]} if found else {})


def foreign_symbols(parts: Sequence[Source], objects: Sequence[Path]) -> dict[str, list[str]]:
    """Functions and data that several files define, and of which the linker keeps one that not all of their processors can run: the first,
    where its file's flags are not among the others'. By name, the files that define them."""
    owners: defaultdict[str, list[Source]] = defaultdict(list)
    for part, path in zip(parts, objects, strict=True):
        for line in compiled.run(("nm", "-P", "--defined-only", str(path))).splitlines():
            name, kind, *_ = line.split()
            if kind.isupper() or kind in ("u", "v", "w"):
                owners[name].append(part)
    return {
        name: [part.path.name for part in found]
        for name, found in owners.items()
        if any(not set(found[0].flags) <= set(other.flags) for other in found)
    }
