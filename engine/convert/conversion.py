"""A conversion from start to end: checkpoint folder in, finished GGUF files out, as one resumable job.

What this module does not do: arguments and printing (`engine.convert.command`).
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.convert import checksums, config, layout, sources, text, vision, vocabulary
from engine.convert.config import Metadata, Value
from engine.convert.disk import StoppedError, free_bytes
from engine.convert.encode import Kind
from engine.convert.journal import Journal
from engine.convert.layout import Part, Tensor
from engine.convert.safetensors import INDEX, Checkpoint
from engine.convert.sources import Spec
from engine.convert.write import PARTIAL, Writer, missing_bytes
from engine.errors import ModelFileError

FORMAT: Final = 1
"""Raised when the same input would give other bytes than before, so that no half of an old conversion is continued."""

MAX_WORKERS: Final = 8
"""Threads that convert: past this, memory and disks are the limit."""

_SMALL_FILES: Final = ("config.json", INDEX, vocabulary.RANKS, vocabulary.NAMES, "chat_template.jinja", "preprocessor_config.json")
_FILE_TYPES: Final = {Kind.F32: 0, Kind.F16: 1, Kind.Q8_0: 7, Kind.BF16: 32}
_MOSTLY_Q4_0: Final = 2


@dataclass(frozen=True)
class Progress:
    """How far one `phase` is, in bytes."""

    phase: str
    done: int
    total: int


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Options:
    """How to convert. `split` is the most bytes of tensors in a part; `workers` the threads, default one a CPU up to `MAX_WORKERS`.

    `free` says how many bytes the disk under a folder has room for.
    """

    outtype: Kind = Kind.BF16
    split: int | None = None
    workers: int | None = None
    free: Callable[[Path], int] = free_bytes


@dataclass(frozen=True)
class Result:
    """The files written, in order, and `notes` on tensors that could not become what they usually do."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def convert(source: Path, target: Path, options: Options, report: Report) -> Result:
    """The language model in `source` as the GGUF `target`, or as parts named after it; continues where an earlier run ended.

    Raises `ModelFileError` where the checkpoint is no complete K2 model or `target` exists, `StoppedError` where the disk is full,
    `EngineError` while another process writes `target`.
    """
    settings = config.read(source)
    with Checkpoint(source) as checkpoint:
        specs = text.specs(checkpoint, settings, options.outtype)
        metadata = _text_metadata(source, settings) | {
            "general.file_type": _file_type(specs, options.outtype),
            "general.quantization_version": 2,
        }
        return _Job(source, target, options, report).run(checkpoint, specs, metadata)


def convert_vision(source: Path, target: Path, options: Options, report: Report) -> Result:
    """The vision tower in `source` as the mmproj file `target`, never split. Raises as `convert` does."""
    tower = vision.read(source)
    with Checkpoint(source) as checkpoint:
        specs = vision.specs(checkpoint, tower, options.outtype)
        metadata = tower.metadata(source.resolve().name, options.outtype)
        return _Job(source, target, options, report).run(checkpoint, specs, metadata)


def convert_vocabulary(source: Path, target: Path, options: Options, report: Report) -> Result:
    """Only metadata and vocabulary of the model in `source`, which needs no weights, as the GGUF `target`. Raises as `convert` does."""
    return _Job(source, target, options, report).run(None, (), _text_metadata(source, config.read(source)))


def is_finished(target: Path) -> bool:
    """Whether a conversion to `target` has come to its end."""
    return checksums.beside(target).exists() and not _journal(target).exists()


def verify(target: Path, report: Report) -> tuple[Path, ...]:
    """Check `target`'s files against its checksum file. Raises `ModelFileError` for a damaged one."""
    digests = checksums.read(target)
    total = sum(path.stat().st_size for path in digests if path.is_file())
    checksums.verify(digests, _Counter("verifying", total, report).add)
    return tuple(digests)


class _Counter:
    """Adds up bytes of one phase and reports them."""

    def __init__(self, phase: str, total: int, report: Report) -> None:
        self._phase, self._total, self._report = phase, total, report
        self._done = 0

    def add(self, count: int) -> None:
        """Report `count` more bytes."""
        self._done += count
        self._report(Progress(self._phase, self._done, self._total))


class _Job:
    """One output and what it takes to write it."""

    def __init__(self, source: Path, target: Path, options: Options, report: Report) -> None:
        self._source = source
        self._target = target
        self._options = options
        self._report = report
        self._workers = options.workers or min(MAX_WORKERS, len(os.sched_getaffinity(0)))

    def run(self, checkpoint: Checkpoint | None, specs: Sequence[Spec], metadata: Metadata) -> Result:
        """Write it; `checkpoint` is None where there are no tensors."""
        self._check_target()
        with (
            Journal(_journal(self._target), self._fingerprint(checkpoint)) as journal,
            ThreadPoolExecutor(self._workers, thread_name_prefix="convert") as pool,
        ):
            if not journal.resumed:
                self._forget_partials()
            tensors: Sequence[Tensor] = ()
            if checkpoint is not None:
                tensors = sources.tensors(checkpoint, specs, self._kinds(checkpoint, specs, journal, pool))
            parts = layout.lay_out(self._target, metadata, tensors, self._options.split)
            self._check_existing(parts, journal)
            self._check_space(parts)
            counter = _Counter("writing", sum(part.size for part in parts), self._report)
            Writer(journal, pool, self._workers, counter.add).write(self._target, parts)
        return Result(tuple(part.path for part in parts), tuple(_notes(tensors, specs)))

    def _kinds(self, checkpoint: Checkpoint, specs: Sequence[Spec], journal: Journal, pool: ThreadPoolExecutor) -> Mapping[str, Kind]:
        origin = checkpoint.origin(checkpoint.files)
        kinds = journal.kinds(origin)
        if kinds is None:
            counter = _Counter("checking scales", sources.scale_bytes(specs), self._report)
            kinds = sources.examine(checkpoint, specs, pool, counter.add)
            journal.settle(kinds, origin)
        return kinds

    def _check_target(self) -> None:
        if not self._target.name.endswith(".gguf") or not self._target.parent.is_dir():
            raise ModelFileError(f"{self._target}: give a name that ends in .gguf, in a folder that exists")

    def _check_existing(self, parts: Sequence[Part], journal: Journal) -> None:
        """Refuse to overwrite a model; but what this very job has finished under its final names is no other model."""
        for number, part in enumerate(parts):
            if part.path.exists() and journal.sealed(number, part.origins) is None:
                if not journal.resumed:
                    journal.remove()
                raise ModelFileError(f"{part.path} exists already: remove it, or choose another name")

    def _check_space(self, parts: Sequence[Part]) -> None:
        needed, free = missing_bytes(parts), self._options.free(self._target.parent)
        if needed > free:
            raise StoppedError(
                f"{self._target.parent}: {needed / 1e9:.2f} GB still to write, but only {free / 1e9:.2f} GB free: "
                f"free {(needed - free) / 1e9:.2f} GB more, or choose another folder"
            )

    def _forget_partials(self) -> None:
        """Remove unfinished files that no journal speaks for any more."""
        stem = re.escape(self._target.name.removesuffix(".gguf"))
        ours = re.compile(rf"{stem}(-\d{{5}}-of-\d{{5}})?\.gguf{re.escape(PARTIAL)}")
        for path in self._target.parent.iterdir():
            if ours.fullmatch(path.name):
                path.unlink()

    def _fingerprint(self, checkpoint: Checkpoint | None) -> str:
        """What makes this job itself: format, options, the small files' contents, the large files' names."""
        small = {name: (self._source / name).read_bytes().hex() for name in _SMALL_FILES if (self._source / name).is_file()}
        large = [file.name for file in (checkpoint.files if checkpoint else ())]
        what = [FORMAT, int(self._options.outtype), self._options.split, small, large]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def _journal(target: Path) -> Path:
    return target.with_name(target.name + ".journal")


def _text_metadata(source: Path, settings: config.Config) -> dict[str, Value]:
    return {**settings.metadata(), **vocabulary.read(source, settings.vocab_size).metadata(settings.special)}


def _file_type(specs: Sequence[Spec], wanted: Kind) -> int:
    """llama.cpp's number for what most weights are."""
    packed = any(isinstance(spec.source, sources.Int4) for spec in specs)
    return _MOSTLY_Q4_0 if packed else _FILE_TYPES[wanted]


def _notes(tensors: Sequence[Tensor], specs: Sequence[Spec]) -> list[str]:
    return [
        f"{tensor.name}: some scales are outside float16's exact range; kept exactly, as {tensor.kind.name} instead of Q4_0"
        for tensor, spec in zip(tensors, specs, strict=True)
        if isinstance(spec.source, sources.Int4) and tensor.kind is not Kind.Q4_0
    ]
