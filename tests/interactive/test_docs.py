"""docs/interactive.md lists exactly the commands that there are, as they are."""

import re
from pathlib import Path

from kimicode.interactive.commands import COMMANDS
from kimicode.interactive.commands.help import usage

PAGE = Path(__file__).parents[2] / "docs" / "interactive.md"


def test_the_table_is_the_registry() -> None:
    text = PAGE.read_text("utf-8").partition("## Slash commands")[2].partition("\n## ")[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:4] for line in text.split("\n") if line.startswith("| `/")]
    found = [tuple(cell.strip().replace("\\|", "|") for cell in row) for row in rows]
    wanted = [
        (
            f"`{usage(command)}`{'' if command.while_busy else ' *'}",
            command.summary,
            ", ".join(f"`{alias if alias.startswith(':') else f'/{alias}'}`" for alias in command.aliases),
        )
        for command in COMMANDS
    ]
    assert found == wanted
