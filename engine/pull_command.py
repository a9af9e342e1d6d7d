"""`models pull`: fetch a model's GGUF files from the Hugging Face hub.

The path to give to `--model`, and that of the mmproj file, go to stdout, a line each; everything else to stderr. `HF_TOKEN` and
`HF_ENDPOINT` are read from the environment. What this module does not do: register the command; whoever builds the group `models` does.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from engine.errors import EngineError
from engine.plain import plain

_BAD_INPUT: Final = 2
_INTERRUPTED: Final = 130

_LIBRARY: Final = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
"""The library reads these when it is imported, from the environment only: it shall ask the hub for nothing but the files."""


def pull(
    repository: Annotated[
        str,
        typer.Argument(metavar="REPO[:QUANT]", help="OWNER/NAME, and which of its models: a part of the file's name.", show_default=False),
    ],
    mmproj: Annotated[bool, typer.Option("--mmproj", help="The model's vision part too.")] = False,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Where to put the files.", show_default="your models folder")
    ] = None,
    revision: Annotated[str | None, typer.Option("--revision", metavar="REV", help="A branch, tag or commit.", show_default="main")] = None,
) -> None:
    """Download a model from the Hugging Face hub; after an interruption, the same command goes on from there."""
    os.environ.update(_LIBRARY)
    with _reported():
        # Half a second to import, which other commands shall not pay.
        from engine.pull_run import run

        for path in run(repository, mmproj, to, revision, os.environ, sys.stderr):
            typer.echo(str(path))


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("interrupted; what came is kept: run the same command again to go on from there", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    except EngineError as error:
        for line in str(error).split("\n"):
            typer.echo(plain(line, 2000), err=True)
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        typer.echo(
            plain(f"{error.filename or 'the files'}: {(error.strerror or str(error)).lower()}; give another folder with --to"), err=True
        )
        raise typer.Exit(_BAD_INPUT) from None
