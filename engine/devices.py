"""ggml's devices: what llama.cpp, as it is installed here, could compute on besides the CPU; and the buffer types that go with them.

`python -m engine.devices` prints them as one JSON line. `found` runs just that in a process of its own, because loading llama.cpp, or a
GPU's driver beneath it, can end a process. Names and order of the C structures: ggml's `ggml-backend.h`. What this module does not do:
load models, or say how fast a device's memory is beyond what its maker publishes.
"""

import ctypes
import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from engine.errors import EngineError
from engine.machine import Gpu, Rate

LIST_SECONDS: Final = 60.0
"""A GPU's driver may need many seconds for its first answer after the machine started."""

COMMAND: Final = (sys.executable, "-P", "-m", "engine.devices")

_SONAMES: Final = ("libggml.so.0", "@rpath/libggml.0.dylib")
"""The names by which llama.cpp's own library asks for ggml. The package has copies of it under other names, which are not links: opened
by one of those it is another library, and its registry one that llama.cpp never looks at."""

ASSUMED_GPU_RATE: Final = 500e9
"""Bytes a second, where the device is not in the table: the slower of the cards with 24 GB."""

_PUBLISHED: Final = {
    "B200": 8000e9,
    "H200": 4800e9,
    "H100 PCIe": 2000e9,
    "H100": 3350e9,
    "A100": 1555e9,
    "RTX PRO 6000": 1792e9,
    "RTX 6000 Ada": 960e9,
    "RTX 5090": 1792e9,
    "RTX 4090": 1008e9,
    "RTX 3090": 936e9,
    "A6000": 768e9,
    "L40S": 864e9,
    "MI300X": 5300e9,
    "RX 7900 XTX": 960e9,
}
"""Memory bandwidth by a part of the device's description, as the makers publish it; the first that matches counts."""


class Kind(IntEnum):
    """`enum ggml_backend_dev_type`."""

    CPU = 0
    GPU = 1
    IGPU = 2
    ACCEL = 3


@dataclass(frozen=True)
class Device:
    """A device as ggml knows it; memory in bytes."""

    index: int
    name: str
    description: str
    kind: int
    free: int
    total: int


def devices() -> tuple[Device, ...]:
    """Every device of this process's ggml. Loads llama.cpp."""
    library = ggml()
    return tuple(_device(library, index) for index in range(library.ggml_backend_dev_count()))


def buffer_type(device: str) -> int:
    """The address of the buffer type that keeps tensors on the device of this name; "CPU" is ordinary memory. Raises `EngineError`."""
    library = ggml()
    if device == "CPU":
        return int(library.ggml_backend_cpu_buffer_type())
    known = {found.name: found.index for found in devices()}
    if device not in known:
        raise EngineError(f"llama.cpp has no device {device!r} here; it has {', '.join(known)}: plan again with `kimicode models plan`")
    return int(library.ggml_backend_dev_buffer_type(library.ggml_backend_dev_get(known[device])))


def loaded() -> ctypes.CDLL | None:
    """The ggml that llama.cpp itself uses, in an object of our own, because others declare the functions too; None where none is loaded."""
    for name in _SONAMES:
        try:
            # Only what is loaded already: the system may have another one of this name.
            return ctypes.CDLL(name, mode=os.RTLD_NOW | os.RTLD_NOLOAD)
        except OSError:
            continue
    return None


@functools.cache
def ggml() -> ctypes.CDLL:
    """ggml as llama.cpp loaded it, with the signatures of what is used of it."""
    # Importing the package loads the libraries, which is why nothing here does so before it is asked.
    from llama_cpp._ggml import libggml

    library = loaded() or ctypes.CDLL(libggml._name)
    signatures: dict[str, tuple[list[type], type | None]] = {
        "ggml_backend_dev_count": ([], ctypes.c_size_t),
        "ggml_backend_dev_get": ([ctypes.c_size_t], ctypes.c_void_p),
        "ggml_backend_dev_name": ([ctypes.c_void_p], ctypes.c_char_p),
        "ggml_backend_dev_description": ([ctypes.c_void_p], ctypes.c_char_p),
        "ggml_backend_dev_type": ([ctypes.c_void_p], ctypes.c_int),
        "ggml_backend_dev_memory": ([ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p], None),
        "ggml_backend_dev_buffer_type": ([ctypes.c_void_p], ctypes.c_void_p),
        "ggml_backend_cpu_buffer_type": ([], ctypes.c_void_p),
    }
    for name, (arguments, result) in signatures.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    return library


def found(command: Sequence[str] = COMMAND, seconds: float = LIST_SECONDS) -> tuple[Gpu, ...]:
    """The GPUs that another process of llama.cpp sees. Raises `EngineError` where it fails, with its last words."""
    package = os.fspath(Path(__file__).parents[1])
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))}
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False, env=environ)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"can't ask llama.cpp for its devices: {error}") from None
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = words[-1] if words else f"exit code {done.returncode}"
        raise EngineError(f"llama.cpp failed while it listed its devices: {reason}; run `kimicode doctor`")
    try:
        listed = [Device(**row) for row in json.loads(done.stdout.splitlines()[-1])]
    except (ValueError, TypeError, IndexError):
        raise EngineError("llama.cpp listed its devices unreadably; run `kimicode doctor`") from None
    return tuple(gpu(device) for device in listed if device.kind in (Kind.GPU, Kind.IGPU))


def gpu(device: Device) -> Gpu:
    """A device as a plan sees it."""
    unified = device.kind == Kind.IGPU or device.name.startswith(("Metal", "MTL"))
    return Gpu(device.name, device.description, device.total, device.free, published_rate(device.description), unified)


def published_rate(description: str) -> Rate:
    """The memory bandwidth of the device so described."""
    for part, value in _PUBLISHED.items():
        if part.lower() in description.lower():
            return Rate(value, "published", f"the maker's figure for {part}")
    return Rate(ASSUMED_GPU_RATE, "assumed", "device not in the table")


def _device(library: ctypes.CDLL, index: int) -> Device:
    handle = library.ggml_backend_dev_get(index)
    free, whole = ctypes.c_size_t(), ctypes.c_size_t()
    library.ggml_backend_dev_memory(handle, ctypes.byref(free), ctypes.byref(whole))
    name, description = library.ggml_backend_dev_name(handle), library.ggml_backend_dev_description(handle)
    kind = int(library.ggml_backend_dev_type(handle))
    return Device(index, name.decode("utf-8", "replace"), description.decode("utf-8", "replace"), kind, free.value, whole.value)


if __name__ == "__main__":
    sys.stdout.write(json.dumps([asdict(device) for device in devices()]) + "\n")
