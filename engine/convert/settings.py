"""A JSON file of settings whose values are asked for by name and type, so that what is wrong is said with its file and name.

What this module does not do: know what the settings mean (`engine.convert.config`, `engine.convert.vision`).
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from engine.errors import ModelFileError


class Settings:
    """A JSON object of a configuration whose values are asked for by name and type; what is wrong is said with the file's name."""

    def __init__(self, path: Path, values: Mapping[str, object]) -> None:
        self.path = path
        self._values = values

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number, not negative."""
        value = self._get(name, default)
        if type(value) is not int or not 0 <= value < 2**32:
            raise self.wrong(name, "a whole number")
        return value

    def whole_or_first(self, name: str) -> int:
        """A whole number, or the first of a list of them."""
        value = self._values.get(name)
        first = value[0] if isinstance(value, list) and value else value
        return Settings(self.path, {name: first}).whole(name)

    def either(self, name: str, other: str) -> int:
        """A whole number that has two names."""
        return self.whole(name if name in self else other)

    def pair(self, name: str, default: tuple[int, int]) -> tuple[int, int]:
        """A list of two whole numbers."""
        match self._get(name, list(default)):
            case [int(first), int(second)] if first > 0 and second > 0:
                return first, second
            case _:
                raise self.wrong(name, "two whole numbers")

    def real(self, name: str, default: float | None = None) -> float:
        """A finite number."""
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.wrong(name, "a number")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def text(self, name: str, default: str) -> str:
        """A string."""
        value = self._get(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, "a string")
        return value

    def mapping(self, name: str) -> Mapping[str, object]:
        """The object of that name as it is; empty where there is none."""
        part = self.part(name)
        return part._values if part else {}

    def part(self, name: str) -> "Settings | None":
        """The object of that name, or None where there is none."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        return Settings(self.path, value)

    def wrong(self, name: str, wanted: str) -> ModelFileError:
        """The error for a setting that is not as wanted."""
        given = json.dumps(self._values[name])[:80] if name in self._values else "missing"
        return ModelFileError(f"{self.path}: {name} is {given}, but must be {wanted}; give the folder of a Kimi K2 checkpoint")

    def require(self, name: str, only: object, default: bool | int | str | None = None) -> None:
        """Refuse any value but one, where llama.cpp knows no other. An absent setting passes if that is its `default`."""
        value = self._values.get(name, default)
        if value is not None and value != only:
            raise self.wrong(name, f"{json.dumps(only)}, because llama.cpp knows no other")

    def _get(self, name: str, default: object) -> object:
        value = self._values.get(name)
        return default if value is None else value


def load(path: Path) -> Settings:
    """The JSON object in the file at `path`."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelFileError(f"{path}: {(error.strerror or str(error)).lower()}; download it into this folder") from None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ModelFileError(f"{path}: not a JSON object; download it again")
    return Settings(path, value)
