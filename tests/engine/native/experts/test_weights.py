"""Products of weights: against double precision, on every instruction set, and by llama.cpp's own for all types."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import llama_cpp
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.native.build import find_compiler
from engine.native.library import Library
from engine.native.sources import COMMON, FOLDER, machine
from engine.native.weights import Q4_0, WeightsLibrary
from tests.engine.native.emulated import compiled
from tests.engine.native.experts import q4, weights_program

ROUNDING: Final = 1e-6
"""Relative error of what is summed in f32, beside double precision with the same quantised numbers."""

QUANTISED: Final = 0.012
"""Relative error of activations in 8 bits, a scale for 32 of them."""

OUTLIER: Final = 0.006
"""The same relative to the norms of both rows, some with a value ten thousand times the others."""

OTHERS: Final = {"f16": 1, "q4_1": 3, "q8_0": 8, "q2_K": 10, "q4_K": 12, "q6_K": 14, "iq4_nl": 20, "bf16": 30, "mxfp4": 39}
"""Other types that experts come in: ggml's names and numbers."""

PACKAGES: Final = "Debian and Ubuntu: apt install g++-aarch64-linux-gnu qemu-user"
ARM: Final = (("cortex-a53", ("neon-q4_0", "portable-q4_0")), ("max", ("neondot-q4_0", "neon-q4_0", "portable-q4_0")))
LIBRARIES: Final = Path(llama_cpp.__file__).parent / "lib"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def weights(library: Library) -> WeightsLibrary:
    """The library as it is installed."""
    assert library
    return WeightsLibrary()


@pytest.fixture(scope="module")
def base() -> ctypes.CDLL:
    """ggml, which quantises."""
    found = ctypes.CDLL(str(LIBRARIES / "libggml-base.so.0"))
    found.ggml_quantize_chunk.restype = ctypes.c_size_t
    found.ggml_quantize_chunk.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, *(ctypes.c_int64,) * 3, ctypes.c_void_p)
    found.ggml_row_size.restype = ctypes.c_size_t
    found.ggml_row_size.argtypes = (ctypes.c_int, ctypes.c_int64)
    return found


def check(found: dict[str, weights_program.Outcome], names: tuple[str, ...]) -> None:
    """These kernels ran, and none did anything wrong."""
    assert tuple(found) == names
    for name, outcome in found.items():
        assert outcome.quantised <= ROUNDING, name
        assert outcome.given <= OUTLIER, name
        assert outcome.same, name


def test_kernels_stay_within_their_memory(tmp_path: Path, weights: WeightsLibrary) -> None:
    link = weights_program.SANITIZED
    program = weights_program.program(tmp_path, machine(), find_compiler(), weights_program.watched, *link)
    check(weights_program.outcomes(str(program)), own(weights))


def test_kernels_that_are_emulated(tmp_path: Path) -> None:
    if machine() != "x86_64":
        return
    program = weights_program.program(tmp_path, "x86_64", find_compiler(), weights_program.stood_in)
    check(weights_program.outcomes(str(program)), ("avx512vnni-q4_0", "avxvnni-q4_0", "avx2-q4_0", "portable-q4_0"))


def test_kernels_for_arm(tmp_path: Path) -> None:
    compiler, emulator = compiled.compiler_for("aarch64"), shutil.which("qemu-aarch64")
    if not (compiler and emulator):
        assert not os.environ.get("CI") or machine() != "x86_64", PACKAGES
        return
    program = weights_program.program(tmp_path, "aarch64", compiler, lambda part: part, "-static")
    for processor, names in ARM:
        check(weights_program.outcomes(emulator, "-cpu", processor, str(program)), names)


def own(weights: WeightsLibrary) -> tuple[str, ...]:
    """Names of the kernels that run here."""
    return tuple(name for name in weights.names(Q4_0) if not name.startswith("ggml-"))


@pytest.mark.parametrize(
    ("width", "rows", "count"), [(32, 1, 1), (64, 40, 3), (416, 9, 300), (2048, 33, 5), (2048, 70, 32), (7168, 48, 1), (7168, 17, 9)]
)
def test_products_are_those_of_double_precision(weights: WeightsLibrary, width: int, rows: int, count: int) -> None:
    rng = np.random.default_rng(width + count)
    data, wanted = q4.random_weights(rng, rows, width)
    x = rng.standard_normal((count, width), np.float32)
    for name in own(weights):
        one, three = (weights.multiply(name, data, rows, x, threads=threads) for threads in (1, 3))
        assert np.array_equal(one, three)
        assert q4.worst(one, wanted, q4.quantised(x)) <= ROUNDING, name
        if rows >= 17:
            assert q4.worst(one, wanted, x.astype(np.float64)) <= QUANTISED, name


def test_zeros_and_numbers_of_any_size(weights: WeightsLibrary) -> None:
    rng = np.random.default_rng(3)
    data, wanted = q4.random_weights(rng, 24, 256, scale=1e-6)  # many scales are subnormal
    sizes = np.array([0, 1e-30, 1e-6, 1, 1e6, 1e30], np.float32)
    x = rng.standard_normal((len(sizes), 256), np.float32) * sizes[:, None]
    for name in own(weights):
        got = weights.multiply(name, data, 24, x)
        assert not got[0].any()
        assert q4.worst(got, wanted, q4.quantised(x)) <= ROUNDING, name


def test_what_is_no_number_stays_in_its_row(weights: WeightsLibrary) -> None:
    data, _ = q4.random_weights(np.random.default_rng(4), 20, 96)
    x = np.ones((6, 96), np.float32)
    x[1, 7], x[2, 50], x[4, 95] = np.nan, np.inf, -np.inf
    for name in own(weights):
        got = weights.multiply(name, data, 20, x)
        assert np.isnan(got[[1, 2, 4]]).all(), name
        assert np.isfinite(got[[0, 3, 5]]).all(), name


def quantise(base: ctypes.CDLL, kind: int, values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Weights of ggml's type."""
    rows, width = values.shape
    out = np.empty(rows * base.ggml_row_size(kind, width), np.uint8)
    evenly = np.ones(width, np.float32)
    assert base.ggml_quantize_chunk(kind, values.ctypes.data, out.ctypes.data, 0, rows, width, evenly.ctypes.data) == out.size
    return out


@pytest.mark.parametrize(("name", "kind"), OTHERS.items())
def test_other_types_are_multiplied_by_llama_cpp(weights: WeightsLibrary, base: ctypes.CDLL, name: str, kind: int) -> None:
    assert weights.names(kind) == (f"ggml-{name}",)
    rng = np.random.default_rng(kind)
    values = rng.standard_normal((40, 512), np.float32)
    x = rng.standard_normal((3, 512), np.float32)
    got = weights.multiply(f"ggml-{name}", quantise(base, kind, values), 40, x, threads=2)
    bits = {"q2_K": 0.45, "q4_K": 0.12, "q4_1": 0.12, "iq4_nl": 0.12, "mxfp4": 0.18, "q6_K": 0.04}
    assert q4.worst(got, values.astype(np.float64), x.astype(np.float64)) < bits.get(name, 0.02)


def test_llama_cpp_s_own_q4_0_comes_last_and_agrees(weights: WeightsLibrary) -> None:
    assert weights.names(Q4_0)[-1] == "ggml-q4_0"
    rng = np.random.default_rng(5)
    data, wanted = q4.random_weights(rng, 30, 1024)
    x = rng.standard_normal((4, 1024), np.float32)
    assert q4.worst(weights.multiply("ggml-q4_0", data, 30, x), wanted, q4.quantised(x)) < 1e-3


def test_numbers_that_are_no_types_have_nothing(weights: WeightsLibrary) -> None:
    assert [weights.names(kind) for kind in (-1, 4, 24, 26, 31, 43, 1 << 30)] == [()] * 7


def test_without_llama_cpp_there_are_only_our_own() -> None:
    script = "from engine.native.weights import *; w = WeightsLibrary(); print(*w.names(2), w.names(8), w.choose('ggml-q4_0'))"
    root = str(Path(__file__).parents[4])
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ggml" not in done.stdout
    assert done.stdout.endswith("portable-q4_0 () False\n")


def test_what_is_chosen_must_be_there(weights: WeightsLibrary) -> None:
    assert weights.choose("portable-q4_0")
    assert weights.choose(weights.names(Q4_0)[0])
    assert not weights.choose("abacus-q4_0")


def test_what_cannot_be_multiplied_is_said(weights: WeightsLibrary) -> None:
    data, x = np.zeros(36, np.uint8), np.zeros((1, 48), np.float32)
    with pytest.raises(EngineError, match="portable-q4_0: they don't take these sizes"):
        weights.multiply("portable-q4_0", data, 1, x)
    with pytest.raises(EngineError, match="abacus-q4_0: there are no such weights here"):
        weights.multiply("abacus-q4_0", data, 1, x)


def test_what_is_declared_of_ggml_is_what_it_has() -> None:
    fields = ("from_float", "vec_dot", "vec_dot_type", "nrows")
    lines = [
        *(f"#include {name}" for name in ("<cstddef>", '"ggml.h"', '"ggml-cpu.h"', '"experts/ggml_weights.hpp"', '"experts/int4.hpp"')),
        "static_assert(ggml::TYPES == GGML_TYPE_COUNT && kimicode::TYPE_Q4_0 == GGML_TYPE_Q4_0);",
        "static_assert(sizeof(ggml::CpuTypeTraits) == sizeof(ggml_type_traits_cpu));",
        *(f"static_assert(offsetof(ggml::CpuTypeTraits, {name}) == offsetof(ggml_type_traits_cpu, {name}));" for name in fields),
    ]
    include = LIBRARIES.parents[1] / "include"
    command = [find_compiler(), *COMMON, "-fsyntax-only", f"-I{FOLDER}", f"-I{include}", "-xc++", "-"]
    assert subprocess.run(command, input="\n".join([*lines, ""]), capture_output=True, text=True, check=False).stderr == ""
