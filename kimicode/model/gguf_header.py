"""The few facts of a model file that the agent needs before the engine is up: context, profile, name.

Reads only the key/value head of a GGUF file (format: ggml's `gguf.md`, versions 2 and 3), without loading the model, so that a
run can begin while the engine starts, and a wrong file is refused at once.
What this module does not do: look at tensors, or decide whether the engine can run the model.
"""

import struct
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

from kimicode.errors import UsageError

_Scalar: TypeAlias = int | float | bool | str

# value type → struct code; 8 is a string, 9 an array
_CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9

# A real vocabulary has 160,000 strings; walking it would cost 100 ms. Facts that stand behind it keep their defaults.
_LONGEST_WALK = 20_000
_LONGEST_STRING = 1 << 20


class ModelHead(msgspec.Struct, frozen=True):
    """What the head of a model file says.

    `context` in tokens; `profile` is `default` unless the file says otherwise; `own_sampling`: the file sets its temperature, which the
    engine then uses unasked.
    """

    name: str
    architecture: str
    context: int
    profile: str = "default"
    own_sampling: bool = False


class _CutError(Exception):
    """The file ended in the middle of its head."""


def read_head(path: Path) -> ModelHead:
    """The head of the GGUF file at `path`.

    Raises `UsageError` where there is no such file, it can't be read, it is no GGUF file, it is cut off, or holds no language model.
    """
    try:
        with path.open("rb") as file:
            facts = _facts(file, path)
    except FileNotFoundError:
        raise UsageError(f"no such model file: {path}", hint="Give the path of a .gguf file, or a model's name.") from None
    except OSError as error:
        raise UsageError(f"can't read the model file {path}: {error.strerror}") from None
    except _CutError:
        raise UsageError(f"the model file {path} is cut off", hint="Copy or download it again.") from None
    architecture = facts.get("general.architecture")
    context = facts.get(f"{architecture}.context_length")
    if not isinstance(architecture, str) or not isinstance(context, int) or context <= 0:
        raise UsageError(
            f"{path} holds no language model (architecture: {architecture or 'unknown'})",
            hint="Give a model file, not a projector or adapter.",
        )
    return ModelHead(
        name=str(facts.get("general.name", path.stem)),
        architecture=architecture,
        context=context,
        profile=str(facts.get("kimicode.profile", "default")),
        own_sampling="kimicode.temperature" in facts,
    )


def _facts(file: BinaryIO, path: Path) -> dict[str, _Scalar]:
    if file.read(4) != b"GGUF":
        raise UsageError(f"{path} is not a GGUF model file", hint="kimicode runs models in llama.cpp's GGUF format.")
    version, _tensors, count = _unpack(file, "IQQ")
    if version not in (2, 3):
        raise UsageError(f"{path}: GGUF version {version} is not supported", hint="Convert the model to GGUF version 3.")
    facts: dict[str, _Scalar] = {}
    for _ in range(int(count)):
        key = _string(file)
        (kind,) = _unpack(file, "I")
        if kind == _ARRAY:
            if not _skip_array(file):
                break
        elif kind == _STRING:
            facts[key] = _string(file)
        else:
            facts[key] = _unpack(file, _code(kind))[0]
    return facts


def _skip_array(file: BinaryIO) -> bool:
    """Move behind an array's items; False where that would take too long."""
    kind, length = _unpack(file, "IQ")
    if kind == _STRING:
        if length > _LONGEST_WALK:
            return False
        for _ in range(int(length)):
            _string(file)
        return True
    file.seek(int(length) * struct.calcsize(_code(int(kind))), 1)
    return True


def _code(kind: float) -> str:
    code = _CODES.get(int(kind))
    if code is None:
        raise _CutError
    return code


def _string(file: BinaryIO) -> str:
    (length,) = _unpack(file, "Q")
    if length > _LONGEST_STRING:
        raise _CutError
    return _read(file, int(length)).decode("utf-8", "replace")


def _unpack(file: BinaryIO, codes: str) -> tuple[int | float | bool, ...]:
    layout = struct.Struct("<" + codes)
    return layout.unpack(_read(file, layout.size))


def _read(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise _CutError
    return data
