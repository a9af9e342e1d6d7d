"""`models inspect`: what a model file is.

The description goes to stdout, what is wrong with a file to stderr with exit 2. A model that is whole but of another kind is described
all the same, exit 0. What this module does not do: register the command; whoever builds the `models` group does.
"""

from pathlib import Path
from typing import Annotated, Final

import typer

from engine import describe_text
from engine.describe import Description, describe_parts
from engine.describe_checkpoint import describe_checkpoint
from engine.errors import ModelFileError
from engine.parts import Parts, read_parts
from engine.plain import plain

_DAMAGED: Final = 2


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A GGUF file, any part of a split one, or a checkpoint's folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    tensors: Annotated[bool, typer.Option("--tensors", help="Every tensor too: name, type, shape, bytes.")] = False,
) -> None:
    """Say what a model file is, from its header alone: size, quantisation, shape, and whether the engine can run it."""
    try:
        description, found, damage = _look(file)
    except ModelFileError as error:
        typer.echo(plain(str(error), 2000), err=True)
        raise typer.Exit(error.exit_code) from None
    if as_json:
        typer.echo(describe_text.as_json(description, found if tensors else None))
    else:
        for line in describe_text.lines(description):
            typer.echo(line)
        if tensors:
            typer.echo()
            for line in describe_text.tensor_lines(found):
                typer.echo(line)
    if damage is not None:
        typer.echo(plain(damage, 2000), err=True)
        raise typer.Exit(_DAMAGED)


def _look(file: Path) -> tuple[Description, describe_text.Tensors, str | None]:
    """The description, every tensor, and what is damaged."""
    if file.is_dir():
        return *describe_checkpoint(file), None
    parts = read_parts(file)
    return describe_parts(file, parts), list(parts.tensors()), _damage(parts)


def _damage(parts: Parts) -> str | None:
    cut = [part for part in parts.files if part.header.end > part.header.size]
    if not cut:
        return None
    header = cut[0].header
    return f"{cut[0].path}: the file is cut off: it has {header.size:,} of {header.end:,} bytes; copy or download it again"
