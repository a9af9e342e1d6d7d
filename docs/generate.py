"""Writes docs/cli.md from the commands' functions; `--check` only says whether it is current and exits 1 where it is not.

The page is built from names, annotations and help texts, not from what `--help` prints, whose layout changes with its library.
What this program does not do: start any command.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Final, NamedTuple, get_args, get_origin

import typer
from typer.models import ArgumentInfo, CommandInfo, OptionInfo

from engine.commands import app as engine_app
from kimicode import errors
from kimicode.cli import app, extend

PAGE: Final = Path(__file__).parent / "cli.md"
_HEAD: Final = """# The command line

<!-- Made by docs/generate.py from the commands themselves; don't edit. -->

`kimicode PROMPT` is short for `kimicode run PROMPT`. Every command has `--help`. A payload goes to stdout, everything else to stderr.
"""
_PLACEHOLDERS: Final = {str: "TEXT", int: "N", float: "NUMBER", Path: "PATH"}
_OTHER_CODES: Final = {
    0: "Done.",
    1: "The task was not achieved, or something unexpected happened.",
    3: "A review found something at or above `--fail-on`.",
}


class Parameter(NamedTuple):
    """An argument or an option: how it is written, what it means, and whether it can be left out."""

    label: str
    meaning: str
    is_option: bool
    required: bool


def page() -> str:
    """The whole page."""
    extend("models")
    return "\n".join([_HEAD, *_group("kimicode", app), *_group("kimicode engine", engine_app), _exit_codes()])


def _group(name: str, group: typer.Typer) -> Iterator[str]:
    yield f"## `{name}`\n\n{_text(group.info.help)}\n"
    if group.registered_callback and group.registered_callback.callback:
        yield _table(_parameters(group.registered_callback.callback))
    for command in group.registered_commands:
        yield from _command(name, command)
    for inner in group.registered_groups:
        if inner.typer_instance:
            yield from _group(f"{name} {inner.name}", inner.typer_instance)


def _command(group: str, command: CommandInfo) -> Iterator[str]:
    assert command.callback is not None
    parameters = _parameters(command.callback)
    arguments = [each.label if each.required else f"[{each.label}]" for each in parameters if not each.is_option]
    options = ["[OPTIONS]"] if any(each.is_option for each in parameters) else []
    usage = " ".join([group, command.name or command.callback.__name__, *arguments, *options])
    yield f"### `{usage}`\n\n{_text(command.callback.__doc__)}\n"
    yield _table(parameters)


def _table(parameters: list[Parameter]) -> str:
    rows = "".join(f"| `{each.label}` | {each.meaning} |\n" for each in parameters)
    return f"| | |\n|---|---|\n{rows}" if rows else ""


def _parameters(function: Callable[..., object]) -> list[Parameter]:
    return [_parameter(each) for each in inspect.signature(function, eval_str=True).parameters.values()]


def _parameter(parameter: inspect.Parameter) -> Parameter:
    kind, *notes = get_args(parameter.annotation)
    info = next(note for note in notes if isinstance(note, ArgumentInfo | OptionInfo))
    required = parameter.default is inspect.Parameter.empty
    meaning = _text(info.help).replace("|", "\\|")
    if isinstance(info, ArgumentInfo):
        return Parameter(info.metavar or parameter.name.upper(), meaning, False, required)
    plain = next(part for part in get_args(kind) if part is not type(None)) if get_origin(kind) is UnionType else kind
    # In an annotation Typer leaves the first name in the place of the default.
    given = [name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)]
    flag = next(iter(given), f"--{parameter.name.replace('_', '-')}")
    label = flag if plain is bool else f"{flag} {info.metavar or _placeholder(plain)}"
    if required:
        meaning += " Required."
    elif parameter.default is not None and parameter.default is not False:
        meaning += f" Default: `{parameter.default}`."
    return Parameter(label, meaning, True, required)


def _placeholder(kind: type) -> str:
    return "\\|".join(str(choice.value) for choice in kind) if issubclass(kind, Enum) else _PLACEHOLDERS[kind]


def _text(text: object) -> str:
    return inspect.cleandoc(text) if isinstance(text, str) else ""


def _exit_codes() -> str:
    codes = dict(_OTHER_CODES)
    for kind in errors.KimicodeError.__subclasses__():
        codes.setdefault(kind.exit_code, _text(kind.__doc__).partition(". ")[0].removesuffix(".") + ".")
    rows = "\n".join(f"| {code} | {meaning} |" for code, meaning in sorted(codes.items()))
    return f"## Exit codes\n\n| | |\n|---|---|\n{rows}\n"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; the exit code."""
    made = page()
    if arguments != ["--check"]:
        PAGE.write_text(made, "utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != made:
        sys.stderr.write(f"{PAGE} is not current: run python docs/generate.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
