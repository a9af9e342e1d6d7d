"""Which files of a hub's repository to fetch: the command line's REPO[:QUANT] read, and one quantisation of a model chosen.

    PullError                   69    the hub or the repository can't be used: no connection, gated, refused
    ├── ChoiceError              2    what was asked for is not there, or is not one thing; the message lists what is
    └── TryAgainError           75    it failed for now (network, disk space); what came is kept, and the next run goes on from there

Everything here is a pure function over names and sizes. What this module does not do: talk to a hub (`engine.hub`), or write files
(`engine.download`).
"""

import os.path
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from platformdirs import user_data_path

from engine.errors import EngineError
from engine.parts import split_name
from engine.plain import plain, size_of

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_PROJECTOR_KINDS: Final = ("F16", "BF16", "F32")
"""K2.6's vision part is small, so the first of these that is there: llama.cpp computes it in F16 anyway."""


HIDDEN: Final = ".pull"
"""The folder beside the files with what has come of others, and the records of finished ones."""


class PullError(EngineError):
    """The files can't be fetched."""


class ChoiceError(PullError):
    """What was asked for does not name one thing that the hub has."""

    exit_code = 2


class TryAgainError(PullError):
    """It failed for now; the same command goes on from where it stopped."""

    exit_code = 75


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository. `digest` is 64 hexadecimal digits of its SHA-256 where the hub keeps it as a large file, else the 40 of
    its git blob id.
    """

    path: str
    size: int
    digest: str


@dataclass(frozen=True)
class Repository:
    """A repository at one commit, so that files fetched at different times belong together."""

    name: str
    commit: str
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True)
class Choice:
    """One model of a repository: a file, or all parts of one. `label` is what tells it from the others; `parts` how many it should have."""

    label: str
    files: tuple[RemoteFile, ...]
    parts: int

    @property
    def size(self) -> int:
        """Bytes of all files that are there."""
        return sum(file.size for file in self.files)


def parse(text: str) -> tuple[str, str]:
    """The repository and the quantisation (empty where none is given) of REPO[:QUANT]. Raises `ChoiceError`."""
    name, _, quant = text.partition(":")
    if not _REPOSITORY.fullmatch(name) or ".." in name:
        raise ChoiceError(f"{plain(text)!r} is not OWNER/NAME or OWNER/NAME:QUANT, as in unsloth/Kimi-K2.6-GGUF:UD-Q4_K_XL")
    return name, quant


def models_folder(environ: Mapping[str, str]) -> Path:
    """Where models go: `models` under `$KIMICODE_HOME`, else in the user's data folder. It need not exist."""
    home = environ.get("KIMICODE_HOME", "")
    return (Path(home).absolute() if home else user_data_path("kimicode")) / "models"


def choose(repository: Repository, quant: str) -> Choice:
    """The model that `quant` names, or the only one. Raises `ChoiceError` with what there is to choose from.

    A label that is `quant` comes before one that has it as a whole word, and that before one that only contains it; case never counts.
    """
    models = [choice for choice in _choices(repository.files) if not _is_projector(choice)]
    if not models:
        raise ChoiceError(f"{repository.name} has no GGUF models; a checkpoint can be made into one with `kimicode models convert`")
    found = _matching(models, quant) if quant else models
    if len(found) == 1:
        return _whole(repository, found[0])
    problem = "has several models" if not quant else f"has several models for {plain(quant)!r}" if found else f"has no {plain(quant)!r}"
    raise ChoiceError("\n".join([f"{repository.name} {problem}; give one of these as {repository.name}:QUANT", *_listed(found or models)]))


def choose_projector(repository: Repository) -> Choice:
    """The file with the model's vision part. Raises `ChoiceError` where there is none."""
    found = [choice for choice in _choices(repository.files) if _is_projector(choice)]
    for kind in _PROJECTOR_KINDS:
        for choice in found:
            if _has_word(PurePosixPath(choice.files[0].path).stem, kind):
                return _whole(repository, choice)
    if not found:
        raise ChoiceError(f"{repository.name} has no mmproj file: leave --mmproj out, or take it from another repository of this model")
    return _whole(repository, found[0])


def safe_path(path: str) -> PurePosixPath:
    """`path` as the hub gives it. Raises `PullError` where it could lead out of the folder, or is not for a terminal's eyes."""
    parts = path.split("/")
    if (
        not path.isprintable()
        or "\\" in path
        or parts[0] == HIDDEN
        or any(part in ("", ".", "..") or len(os.fsencode(part)) > 200 for part in parts)
    ):
        raise PullError(f"the hub names a file {plain(path)!r}, which can't be a file name here: take another repository")
    return PurePosixPath(path)


def _choices(files: Iterable[RemoteFile]) -> list[Choice]:
    """The GGUF models, parts together, each with its label."""
    groups: dict[tuple[str, int], list[RemoteFile]] = defaultdict(list)
    for file in files:
        if file.path.lower().endswith(".gguf"):
            groups[_group(safe_path(file.path))].append(file)
    labels = _labels([stem for stem, _ in groups])
    ordered = (tuple(sorted(group, key=lambda file: file.path)) for group in groups.values())
    found = (Choice(labels[stem], group, parts) for (stem, parts), group in zip(groups, ordered, strict=True))
    return sorted(found, key=lambda choice: (choice.size, choice.label))


def _group(path: PurePosixPath) -> tuple[str, int]:
    """What all parts of a model have in common, and how many there should be."""
    named = split_name(path.name)
    return (str(path.with_suffix("")), 1) if named is None else (str(path.with_name(named[0])), named[2])


def _labels(stems: Sequence[str]) -> dict[str, str]:
    """What tells each model from the others: its folder's name, or its file name without what all names begin with."""
    tops = [stem for stem in stems if "/" not in stem and "mmproj" not in stem.lower()]
    common = os.path.commonprefix(tops) if len(tops) > 1 else ""  # noqa: RUF071 - of characters, not folders
    start = max(common.rfind("-"), common.rfind(".")) + 1
    return {stem: PurePosixPath(stem).parent.name if "/" in stem else stem[start:] if stem in tops else stem for stem in stems}


def _is_projector(choice: Choice) -> bool:
    return "mmproj" in PurePosixPath(choice.files[0].path).name.lower()


def _matching(models: Sequence[Choice], quant: str) -> list[Choice]:
    wanted = quant.lower()
    tiers = (
        [choice for choice in models if choice.label.lower() == wanted],
        [choice for choice in models if _has_word(choice.files[0].path, quant)],
        [choice for choice in models if wanted in choice.files[0].path.lower()],
    )
    return next((tier for tier in tiers if tier), [])


def _has_word(text: str, word: str) -> bool:
    # "Q4_K" is no word of "Q4_K_M", but "Q4_K_M" is one of "UD-Q4_K_M".
    return re.search(rf"(?<![a-z0-9_]){re.escape(word.lower())}(?![a-z0-9_])", text.lower()) is not None


def _whole(repository: Repository, choice: Choice) -> Choice:
    if len(choice.files) != choice.parts:
        raise PullError(
            f"{repository.name} has only {len(choice.files)} of the {choice.parts} parts of {choice.label}: "
            "its upload may not be finished; try again later, or choose another"
        )
    return choice


def _listed(choices: Sequence[Choice]) -> Iterable[str]:
    width = max(len(choice.label) for choice in choices)
    for choice in choices:
        files = f"{choice.parts} files" if choice.parts > 1 else "1 file"
        yield f"  {choice.label:<{width}}  {size_of(choice.size):>8}  {files}"
