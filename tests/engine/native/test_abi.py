"""What we declare of ggml is what ggml has: by its installed headers as far as they go, and for the rest by its behaviour."""

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import llama_cpp

from engine.native.build import find_compiler
from engine.native.library import Cell
from engine.native.sources import COMMON, FOLDER
from tests.engine.native import backend

_PACKAGES: Final = Path(llama_cpp.__file__).parents[1]
_HEADER: Final = FOLDER / "ggml_abi.hpp"
_NAMES: Final = {
    "OP": "GGML_OP",
    "GLU": "GGML_GLU_OP",
    "TYPE": "GGML_TYPE",
    "STATUS": "GGML_STATUS",
    "DEVICE": "GGML_BACKEND_DEVICE_TYPE",
    "FLAG": "GGML_TENSOR_FLAG",
    "USAGE": "GGML_BACKEND_BUFFER_USAGE",
}
_STRUCTS: Final = {
    "Tensor": ("ggml_tensor", "type buffer ne nb op op_params flags src view_src view_offs data name extra padding"),
    "DeviceProperties": (
        "ggml_backend_dev_props",
        "name description memory_free memory_total type device_id caps caps.async caps.host_buffer caps.buffer_from_host_ptr caps.events "
        "caps.mmap_support",
    ),
    "TypeTraits": ("ggml_type_traits", "type_name block=blck_size type_size is_quantized to_float"),
}


def _numbers(text: str) -> list[tuple[str, str]]:
    """Every number that is declared, and ggml's name for it."""
    found = []
    for line in re.findall(r"^constexpr int (.*);$", text, re.MULTILINE):
        for name in re.findall(r"(\w+) = ", line):
            kind, _, rest = name.partition("_")
            if kind in _NAMES:
                found.append((name, f"{_NAMES[kind]}_{'SUCCESS' if name == 'STATUS_OK' else rest}"))
    return found


def _assertions(text: str) -> list[str]:
    lines = [f"static_assert(ggml::{ours} == (int){theirs});" for ours, theirs in _numbers(text)]
    for ours, (theirs, fields) in _STRUCTS.items():
        if f"struct {ours} {{" in text:
            lines.append(f"static_assert(sizeof(ggml::{ours}) == sizeof({theirs}));")
            pairs = [(field.split("=")[0], field.split("=")[-1]) for field in fields.split()]
            lines += [f"static_assert(offsetof(ggml::{ours}, {a}) == offsetof({theirs}, {b}));" for a, b in pairs]
            lines += [f"static_assert(sizeof(ggml::{ours}::{a}) == sizeof({theirs}::{b}));" for a, b in pairs if "." not in a]
    lines += [f"static_assert({cell.value} == (int)GGML_TYPE_{cell.name});" for cell in Cell]
    lines += [f"static_assert((int)kimicode::Cell::{cell.name.lower()} == (int)GGML_TYPE_{cell.name});" for cell in Cell]
    lines += ["static_assert(ggml::DIMS == GGML_MAX_DIMS && ggml::SOURCES == GGML_MAX_SRC);"]
    return lines


def _compile(lines: list[str]) -> str:
    """What the compiler says of them."""
    includes = ["#include <cstddef>", *(f'#include "{name}"' for name in ("ggml.h", "ggml-backend.h", "ggml_abi.hpp", "attention.hpp"))]
    command = [
        find_compiler(),
        *COMMON,
        "-fsyntax-only",
        "-Wno-invalid-offsetof",
        f"-I{FOLDER}",
        f"-I{_PACKAGES / 'include'}",
        "-xc++",
        "-",
    ]
    return subprocess.run(command, input="\n".join([*includes, *lines, ""]), capture_output=True, text=True, check=False).stderr


def test_numbers_and_layouts_are_those_of_the_installed_headers() -> None:
    text = _HEADER.read_text("utf-8")
    assert len(_numbers(text)) >= 8
    assert "struct Tensor {" in text
    assert "struct DeviceProperties {" in text
    assert _compile(_assertions(text)) == ""


def test_a_wrong_number_would_be_noticed() -> None:
    assert "static assertion failed" in _compile(["static_assert(ggml::OP_FLASH_ATTN_EXT == (int)GGML_OP_FLASH_ATTN_EXT + 1);"])


def test_the_version_is_the_installed_library_s() -> None:
    library = ctypes.CDLL(str(_PACKAGES / "llama_cpp" / "lib" / "libggml-base.so.0"))
    library.ggml_version.restype = ctypes.c_char_p
    assert f'VERSION = "{library.ggml_version().decode()}"' in _HEADER.read_text("utf-8")


def test_functions_lie_where_ggml_calls_them(kernel: str) -> None:
    """The interfaces' layouts are not in installed headers: ggml calls each function, and the answer tells which one it was."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, backend.__file__, kernel], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "all functions answered\n"), done.stderr
