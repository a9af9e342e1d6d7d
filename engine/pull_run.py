"""One pull from start to end: ask the hub, choose, fetch, verify, show progress.

What this module does not do: parse arguments or turn errors into exit codes (`engine.pull_command` does).
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TextIO

from engine.convert.command import Line
from engine.download import Downloader, Wait, retried
from engine.hub import PUBLIC, Hub
from engine.plain import plain, size_of
from engine.pull import choose, choose_projector, models_folder, parse

_ASKING: Final = 4
"""Attempts to reach the hub at first: whoever is offline should not have to wait for minutes to learn it."""


def run(
    wanted: str,
    mmproj: bool,
    to: Path | None,
    revision: str | None,
    environ: Mapping[str, str],
    stderr: TextIO,
    wait: Wait = time.sleep,
) -> tuple[Path, ...]:
    """Fetch REPO[:QUANT]; the places of its first file and of the mmproj file. Raises `PullError` or `OSError`.

    The files keep their paths inside `to`, or inside OWNER/NAME of the models folder.
    """
    name, quant = parse(wanted)
    hub = Hub(environ.get("HF_ENDPOINT") or PUBLIC, environ.get("HF_TOKEN") or None)
    repository = retried(lambda: hub.repository(name, revision), wait, _ASKING)
    choices = [choose(repository, quant), *([choose_projector(repository)] if mmproj else [])]
    folder = (models_folder(environ) / name if to is None else to).absolute()
    files = [file for choice in choices for file in choice.files]
    count = f"{len(files)} files" if len(files) > 1 else "1 file"
    stderr.write(plain(f"{name} {choices[0].label}: {count}, {size_of(sum(file.size for file in files))}, into {folder}", 2000) + "\n")
    line = Line(stderr)
    try:
        places = Downloader(folder, lambda file, start, end: hub.body(repository, file, start, end), line, wait).pull(files)
    finally:
        line.close()
    stderr.write("all files are there, and their checksums are right\n")
    return tuple(places[files.index(choice.files[0])] for choice in choices)
