"""A program that loads the backend into ggml and has ggml call every function of it: `backend.py KERNEL`.

In a process of its own, because what ggml has loaded stays. What this module does not do: make a model.
"""

import ctypes
import sys
from ctypes import c_bool, c_char_p, c_float, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from engine.native.build import TARGET
from engine.native.library import Cell
from tests.engine.native.cases import causal, usual
from tests.engine.native.reference import Problem, attention, worst

_ACCELERATOR = 3
_ALIGNMENT = 128


class _Parameters(ctypes.Structure):
    _fields_ = (("size", c_size_t), ("memory", c_void_p), ("no_alloc", c_bool))


class _Properties(ctypes.Structure):
    _fields_ = (
        ("name", c_char_p),
        ("description", c_char_p),
        ("free", c_size_t),
        ("total", c_size_t),
        ("type", c_int),
        ("id", c_char_p),
        ("can", c_bool * 5),
    )


class Ggml:
    """Functions of the loaded ggml, by their names without `ggml_`."""

    def __init__(self) -> None:
        folder = Path(llama_cpp.__file__).parent / "lib"
        # By the names under which they are loaded: other files of the same content would be other libraries.
        self._libraries = [ctypes.CDLL(str(folder / name)) for name in ("libggml-base.so.0", "libggml.so.0", "libggml-cpu.so.0")]

    def pointer(self, name: str, *arguments: object) -> c_void_p:
        """One that returns a pointer."""
        return c_void_p(self._function(name, c_void_p)(*arguments))

    def number(self, name: str, *arguments: object) -> int:
        """One that returns an int, a bool or nothing."""
        return int(self._function(name, c_int)(*arguments))

    def truth(self, name: str, *arguments: object) -> bool:
        """One that returns a bool."""
        return bool(self._function(name, c_bool)(*arguments))

    def text(self, name: str, *arguments: object) -> str:
        """One that returns characters."""
        return str(self._function(name, c_char_p)(*arguments).decode())

    def _function(self, name: str, result: type) -> "ctypes._NamedFuncPointer":
        function: ctypes._NamedFuncPointer = next(found for library in self._libraries if (found := getattr(library, f"ggml_{name}", None)))
        function.restype = result
        return function


def _tensor(ggml: Ggml, context: c_void_p, kind: Cell, data: NDArray[np.generic], *sizes: int) -> c_void_p:
    tensor = ggml.pointer("new_tensor_4d", context, c_int(kind.value), *(c_int64(size) for size in (*sizes, 1, 1, 1, 1)[:4]))
    ctypes.memmove(ggml.pointer("get_data", tensor).value or 0, data.tobytes(), data.nbytes)
    return tensor


def _operation(ggml: Ggml, context: c_void_p, problem: Problem) -> c_void_p:
    """The problem as llama.cpp states it: queries heads first, values a view of the keys."""
    count, heads, width = problem.queries.shape
    keys, size = problem.cells.data.shape
    assert problem.mask is not None
    q = _tensor(ggml, context, Cell.F32, problem.queries.transpose(1, 0, 2), width, count, heads)
    k = _tensor(ggml, context, problem.cells.kind, problem.cells.data, width, keys)
    strides = (c_size_t(size), c_size_t(size * keys), c_size_t(size * keys), c_size_t(0))
    v = ggml.pointer("view_4d", context, k, c_int64(problem.latent), c_int64(keys), c_int64(1), c_int64(1), *strides)
    mask = _tensor(ggml, context, Cell.F16, problem.mask, keys, count)
    return ggml.pointer("flash_attn_ext", context, q, k, v, mask, c_float(problem.scale), c_float(0), c_float(0))


def _ask_device(ggml: Ggml, device: c_void_p, kernel: str) -> None:
    assert ggml.text("backend_dev_name", device) == "MLA"
    assert ggml.text("backend_dev_description", device) == kernel
    free, total = c_size_t(1), c_size_t(1)
    ggml.number("backend_dev_memory", device, ctypes.byref(free), ctypes.byref(total))
    assert (free.value, total.value) == (0, 0)
    assert ggml.number("backend_dev_type", device) == _ACCELERATOR
    properties = _Properties()
    ggml.number("backend_dev_get_props", device, ctypes.byref(properties))
    assert (properties.name, properties.type, properties.id) == (b"MLA", _ACCELERATOR, None)
    assert not any(properties.can)
    processor = ggml.pointer("backend_cpu_buffer_type")
    assert ggml.pointer("backend_dev_buffer_type", device).value == processor.value
    assert ggml.truth("backend_dev_supports_buft", device, processor)
    assert ggml.pointer("backend_dev_host_buffer_type", device).value is None
    assert not ggml.truth("backend_dev_offload_op", device, None)


def _ask_registry(ggml: Ggml, registry: c_void_p) -> c_void_p:
    assert ggml.text("backend_reg_name", registry) == "kimicode"
    assert ggml.number("backend_reg_dev_count", registry) == 2
    assert ggml.pointer("backend_reg_get_proc_address", registry, b"ggml_backend_set_n_threads").value
    assert ggml.pointer("backend_reg_get_proc_address", registry, b"another").value is None
    device = ggml.pointer("backend_reg_dev_get", registry, c_size_t(0))
    assert ggml.pointer("backend_dev_backend_reg", device).value == registry.value
    return device


def _compute(ggml: Ggml, registry: c_void_p, device: c_void_p) -> None:
    context = ggml.pointer("init", _Parameters(1 << 22, None, False))
    problem = usual(np.random.default_rng(0), 3, 70, 4, 96, 64, mask=causal(3, 70))
    operation = _operation(ggml, context, problem)
    assert ggml.truth("backend_dev_supports_op", device, operation)
    assert not ggml.truth("backend_dev_supports_op", device, _tensor(ggml, context, Cell.F32, np.zeros(4, np.float32), 4))
    graph = ggml.pointer("new_graph", context)
    ggml.number("build_forward_expand", graph, operation)
    backend = ggml.pointer("backend_dev_init", device, None)
    assert ggml.text("backend_name", backend) == "MLA"
    assert ggml.pointer("backend_get_device", backend).value == device.value
    address = ggml.pointer("backend_reg_get_proc_address", registry, b"ggml_backend_set_n_threads").value
    ctypes.CFUNCTYPE(None, c_void_p, c_int)(address or 0)(backend, 2)
    assert ggml.number("backend_graph_compute", backend, graph) == 0
    ggml.number("backend_synchronize", backend)
    out = ctypes.string_at(ggml.pointer("get_data", operation).value or 0, 3 * 4 * 64 * 4)
    assert worst(np.frombuffer(out, np.float32).reshape(3, 4, 64), attention(problem)) < 0.01
    ggml.number("backend_free", backend)
    ggml.number("free", context)


def _ask_experts(ggml: Ggml, registry: c_void_p) -> None:
    """The device of experts, while no store is open: it takes nothing, and computes nothing."""
    device = ggml.pointer("backend_reg_dev_get", registry, c_size_t(1))
    assert ggml.text("backend_dev_name", device) == "EXP"
    assert ggml.text("backend_dev_description", device).startswith("routed experts")
    assert ggml.number("backend_dev_type", device) == _ACCELERATOR
    free, total = c_size_t(1), c_size_t(1)
    ggml.number("backend_dev_memory", device, ctypes.byref(free), ctypes.byref(total))
    assert (free.value, total.value) == (0, 0)
    properties = _Properties()
    ggml.number("backend_dev_get_props", device, ctypes.byref(properties))
    assert (properties.name, properties.type, any(properties.can)) == (b"EXP", _ACCELERATOR, False)
    kind = ggml.pointer("backend_dev_buffer_type", device)
    for supported in (kind, ggml.pointer("backend_cpu_buffer_type")):
        assert ggml.truth("backend_dev_supports_buft", device, supported)
    _ask_buffer(ggml, kind)
    backend = ggml.pointer("backend_dev_init", device, None)
    assert ggml.text("backend_name", backend) == "EXP"
    context = ggml.pointer("init", _Parameters(1 << 20, None, False))
    assert ggml.number("backend_graph_compute", backend, ggml.pointer("new_graph", context)) == -1
    assert not ggml.truth("backend_dev_supports_op", device, _tensor(ggml, context, Cell.F32, np.zeros(4, np.float32), 4))
    ggml.number("free", context)
    ggml.number("backend_free", backend)


def _ask_buffer(ggml: Ggml, kind: c_void_p) -> None:
    """Ordinary memory, as long as nobody calls it weights."""
    assert ggml.text("backend_buft_name", kind) == "EXP"
    assert ggml.number("backend_buft_get_alignment", kind) == _ALIGNMENT
    assert ggml.truth("backend_buft_is_host", kind)
    buffer = ggml.pointer("backend_buft_alloc_buffer", kind, c_size_t(1000))
    assert ggml.number("backend_buffer_get_size", buffer) == 1000
    assert ggml.pointer("backend_buffer_get_type", buffer).value == kind.value
    base = ggml.pointer("backend_buffer_get_base", buffer)
    context = ggml.pointer("init", _Parameters(1 << 20, None, True))
    tensor = ggml.pointer("new_tensor_1d", context, c_int(Cell.F32.value), c_int64(4))
    ggml.number("backend_tensor_alloc", buffer, tensor, base)
    numbers, got = np.arange(4, dtype=np.float32), np.zeros(4, np.float32)

    def read() -> list[float]:
        ggml.number("backend_tensor_get", tensor, c_void_p(got.ctypes.data), c_size_t(0), c_size_t(16))
        return [float(number) for number in got]

    ggml.number("backend_tensor_set", tensor, c_void_p(numbers.ctypes.data), c_size_t(0), c_size_t(16))
    assert read() == [0, 1, 2, 3]
    ggml.number("backend_tensor_memset", tensor, c_int(0), c_size_t(4), c_size_t(8))
    assert read() == [0, 0, 0, 3]
    ggml.number("backend_buffer_clear", buffer, c_int(0))
    assert read() == [0, 0, 0, 0]
    ggml.number("backend_buffer_free", buffer)
    ggml.number("free", context)


def main(kernel: str) -> None:
    """Load it, and ask it everything."""
    ggml = Ggml()
    assert ctypes.CDLL(str(TARGET)).kimicode_choose(kernel.encode()) == 0
    registry = ggml.pointer("backend_load", str(TARGET).encode())
    assert registry.value
    device = _ask_registry(ggml, registry)
    _ask_device(ggml, device, kernel)
    _compute(ggml, registry, device)
    _ask_experts(ggml, registry)
    sys.stdout.write("all functions answered\n")


if __name__ == "__main__":
    main(sys.argv[1])
