"""The pages in docs/ say what the program does: the command line page is current, the events page names every event and field."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import typer
from msgspec import inspect
from typer.testing import CliRunner

from engine.commands import app as engine_app
from engine.model_commands import add_to
from kimicode.cli import app
from kimicode.events import Event, FileChange
from kimicode.files.state import FileState
from kimicode.messages import Image, Message, ToolCall, Usage
from kimicode.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

NAMES = {ToolCall: "call", Image: "image", Usage: "usage", FileChange: "change", FileState: "state"}
STRUCTS = [*get_args(Event), *get_args(Message), *NAMES]


def name_of(struct: type[msgspec.Struct]) -> str:
    return NAMES.get(struct) or str(inspect.type_info(struct).tag)  # type: ignore[attr-defined]


def json_type(kind: inspect.Type) -> str:
    match kind:
        case inspect.StrType() | inspect.LiteralType():
            return "string"
        case inspect.BoolType():
            return "boolean"
        case inspect.IntType():
            return "integer"
        case inspect.FloatType():
            return "number"
        case inspect.NoneType():
            return "null"
        case inspect.VarTupleType(item_type=item):
            return f"array of {json_type(item)}"
        case inspect.StructType(cls=cls):
            return name_of(cls)
        case inspect.UnionType(types=types):
            return " or ".join(sorted((json_type(each) for each in types), key=lambda name: (name == "null", name)))
        case inspect.AnyType() | inspect.CustomType():
            return "any"
        case _:
            raise AssertionError(f"no JSON name for {kind}")


def sections(page: str) -> dict[str, list[tuple[str, str, str]]]:
    """The rows of the table below each `### name`, without its head."""
    parts = re.split(r"^### `(.+)`$", page, flags=re.MULTILINE)[1:]
    row = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
    return {name: row.findall(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def test_the_command_line_page_is_current() -> None:
    done = subprocess.run([sys.executable, DOCS / "generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def documented_commands() -> list[tuple[str, list[str]]]:
    page = (DOCS / "cli.md").read_text("utf-8")
    parts = re.split(r"^#{2,3} `(.+)`$", page, flags=re.MULTILINE)[1:]
    return [
        (name, re.findall(r"^\| `(--[\w-]+)", text.partition("## Exit codes")[0], re.MULTILINE))
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    ]


@pytest.mark.parametrize(("usage", "options"), [pytest.param(*each, id=each[0]) for each in documented_commands()])
def test_documented_options_are_those_of_the_help(usage: str, options: list[str]) -> None:
    words = [word for word in usage.split()[1:] if word.islower()]
    group = engine_app if words[:1] == ["engine"] else app
    if words[:1] == ["models"] and words[1:] not in ([], ["list"]):
        group = typer.Typer(rich_markup_mode=None)
        add_to(group)
    result = CliRunner(env={"COLUMNS": "200"}).invoke(group, [*words[group is not app :], "--help"])
    assert result.exit_code == 0
    shown = set(re.findall(r"^\s+(?:-\w, ?)?(--[\w-]+)", result.stdout, re.MULTILINE))
    assert shown - {"--help"} == set(options)


@pytest.mark.parametrize("struct", STRUCTS, ids=name_of)
def test_every_event_and_field_is_described(struct: type[msgspec.Struct]) -> None:
    rows = sections((DOCS / "events.md").read_text("utf-8"))[name_of(struct)]
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    assert [(name, kind) for name, kind, _ in rows] == [(field.encode_name, json_type(field.type)) for field in info.fields]


def test_nothing_else_is_described() -> None:
    assert sorted(sections((DOCS / "events.md").read_text("utf-8"))) == sorted(map(name_of, STRUCTS))


def test_links_between_pages_hold() -> None:
    for page in [*DOCS.glob("*.md"), *ROOT.glob("README.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_guide_names_every_setting_and_no_other() -> None:
    guide = (DOCS / "guide.md").read_text("utf-8")
    listed = guide.partition("Keys: ")[2].partition(".\n")[0]
    assert tuple(re.findall(r"`(\w+)`", listed)) == Settings.__struct_fields__
