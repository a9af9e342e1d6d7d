"""Which models can be used here and now: those of the catalogue at endpoints that have a key or need none, the one in the box, and model
files in the usual places.

What this module does not do: ask an endpoint, or load a file (of files it reads the heads).
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import KimicodeError
from kimicode.home import kimicode_home
from kimicode.model.catalogue import load_catalogue
from kimicode.model.target import Target, resolve

_MOST_FILES: Final = 50
_DEPTH: Final = 4
_MOST_ENTRIES: Final = 20_000
"""So many names are looked at in one place, and no more: a picker must not walk a whole disk."""

_PASSED_OVER: Final = frozenset({".git", "node_modules", ".venv", "__pycache__"})


class ModelChoice(msgspec.Struct, frozen=True):
    """One to choose: `model` and `endpoint` are what the settings would say."""

    model: str
    endpoint: str | None
    target: Target

    @property
    def label(self) -> str:
        """The model, short."""
        return Path(self.model).name if self.target.model_file and "/" in self.model else self.model

    @property
    def detail(self) -> str:
        """Where, how much context, what it costs, what it can see."""
        return " · ".join((self.where, f"{self.target.context:,} tokens of context", self.price, *self._pictures()))

    @property
    def where(self) -> str:
        """Where it runs."""
        return "on this machine" if self.target.model_file else self.target.endpoint

    @property
    def price(self) -> str:
        """Money for a million tokens."""
        if self.target.model_file:
            return "free"
        price = self.target.price
        if price is None:
            return "price unknown" if self.target.key_from else "your own server"
        cached = "" if price.cached is None else f" (cached ${price.cached:g})"
        return f"${price.input:g} in{cached}, ${price.output:g} out per million"

    def _pictures(self) -> tuple[str, ...]:
        return ("sees pictures",) if self.target.images else ()


def model_choices(environ: Mapping[str, str], workspace: Path) -> tuple[ModelChoice, ...]:
    """All of them; servers that may or may not be there come last. Blocks while it looks around."""
    known = (*_of_catalogue(environ), *_of_files(environ, workspace))
    return tuple(sorted(known, key=lambda choice: not (choice.target.key_from or choice.target.model_file)))


def usable_endpoints(environ: Mapping[str, str]) -> tuple[tuple[str, str, bool], ...]:
    """Every endpoint of the catalogue that has a name: name, title, whether a request could be sent to it."""
    catalogue = load_catalogue()
    found: list[tuple[str, str, bool]] = []
    for name, row in catalogue.endpoints.items():
        if row.models:
            found.append((name, row.title, _resolved(name, next(iter(row.models)), environ) is not None))
        elif row.any_model:
            found.append((name, row.title, True))
    return tuple(found)


def model_files(environ: Mapping[str, str], workspace: Path) -> tuple[Path, ...]:
    """Model files (`*.gguf`; of one in parts the first) in the usual places, each once. Blocks."""
    found: dict[Path, None] = {}
    for folder in _places(environ, workspace):
        for path in _below(folder):
            found.setdefault(path, None)
            if len(found) == _MOST_FILES:
                return tuple(found)
    return tuple(found)


def _places(environ: Mapping[str, str], workspace: Path) -> tuple[Path, ...]:
    home = Path(environ.get("HOME") or Path.home())
    hub = environ.get("HF_HUB_CACHE") or environ.get("HF_HOME") or str(home / ".cache" / "huggingface")
    named = (home / "models", home / "Models", home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models")
    return (kimicode_home(environ) / "models", workspace, *named, Path(hub), home / ".cache" / "llama.cpp", home / "Downloads")


def _below(folder: Path) -> Iterator[Path]:
    left = _MOST_ENTRIES
    waiting = [(folder, 0)]
    while waiting:
        here, depth = waiting.pop(0)
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            left -= 1
            if left < 0:
                return
            if entry.name.endswith(".gguf") and _is_model(entry.name) and entry.is_file():
                yield Path(entry.path)
            elif depth < _DEPTH and entry.name not in _PASSED_OVER and entry.is_dir(follow_symlinks=False):
                waiting.append((Path(entry.path), depth + 1))


def _is_model(name: str) -> bool:
    """Not a later part of a model, and not the part that looks at pictures."""
    part = name.removesuffix(".gguf").rpartition("-of-")[0].rpartition("-")[2]
    return "mmproj" not in name and (not part.isdecimal() or int(part) == 1)


def _of_catalogue(environ: Mapping[str, str]) -> Iterator[ModelChoice]:
    catalogue = load_catalogue()
    for model, traits in catalogue.models.items():
        if traits.file and (target := _resolved(None, model, environ)) is not None:
            yield ModelChoice(model, None, target)
        for endpoint, row in catalogue.endpoints.items():
            if model in row.models and (target := _resolved(endpoint, model, environ)) is not None:
                yield ModelChoice(model, endpoint, target)


def _of_files(environ: Mapping[str, str], workspace: Path) -> Iterator[ModelChoice]:
    for path in model_files(environ, workspace):
        if (target := _resolved(None, str(path), environ)) is not None:
            yield ModelChoice(str(path), None, target)


def _resolved(endpoint: str | None, model: str, environ: Mapping[str, str]) -> Target | None:
    """What can't be used now is not offered; whoever names it is told why."""
    try:
        return resolve(endpoint, model, environ)
    except KimicodeError:
        return None
