"""What one content gave, packed for the index, and back.

Definitions are packed apart from the rest: a question for a name needs them alone. Both are msgpack, compressed, which also notices damage.
What this module does not do: read files or store anything.
"""

import zlib
from typing import Final

import msgspec

from kimicode.repo.symbols import Definition, FileSymbols, Import, Problem, Reference

_LEVEL: Final = 1


class Made(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The symbols of the content `key` read as `kind`. `names` are those it defines, each once. Without symbols `definitions` is empty."""

    key: str
    kind: str
    definitions: bytes
    rest: bytes
    names: tuple[str, ...]


class _Rest(msgspec.Struct, frozen=True, array_like=True, gc=False):
    language: str
    problem: Problem
    references: tuple[Reference, ...]
    imports: tuple[Import, ...]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DEFINITIONS: Final = msgspec.msgpack.Decoder(tuple[Definition, ...])
_REST: Final = msgspec.msgpack.Decoder(_Rest)


def pack(key: str, kind: str, symbols: FileSymbols | None) -> Made:
    """The form in which symbols are kept; None means that the content has none."""
    if symbols is None:
        return Made(key, kind, b"", b"", ())
    names = tuple(dict.fromkeys(definition.name for definition in symbols.definitions))
    rest = _Rest(symbols.language, symbols.problem, symbols.references, symbols.imports)
    return Made(key, kind, _packed(symbols.definitions), _packed(rest), names)


def definitions_of(data: bytes) -> tuple[Definition, ...]:
    """The definitions in `Made.definitions`. Raises `zlib.error` or `msgspec.DecodeError` where it is damaged."""
    return _DEFINITIONS.decode(zlib.decompress(data)) if data else ()


def symbols_of(definitions: bytes, rest: bytes) -> FileSymbols | None:
    """What was packed; raises as `definitions_of` does."""
    if not rest:
        return None
    others = _REST.decode(zlib.decompress(rest))
    return FileSymbols(others.language, definitions_of(definitions), others.references, others.imports, others.problem)


def _packed(value: object) -> bytes:
    return zlib.compress(_ENCODER.encode(value), _LEVEL)
