"""Every word the product says to a model: Markdown files with front matter, loaded by name.

The front matter holds `key: value` lines between two `---` lines; the body is the prompt, with `$name` placeholders where it has
any. What this module does not do: decide which prompt is used.
"""

from importlib.resources import files
from string import Template
from typing import NamedTuple


class Prompt(NamedTuple):
    """One prompt: its front matter and its text."""

    meta: dict[str, str]
    text: str

    def fill(self, **values: str) -> str:
        """The text with every placeholder filled; a missing one raises `KeyError`."""
        return Template(self.text).substitute(values)


def load(name: str) -> Prompt:
    """The prompt `name` (`system`, `tools/read`, …). Raises `FileNotFoundError` if there is none."""
    raw = files(__name__).joinpath(f"{name}.md").read_text("utf-8")
    _, head, body = raw.split("---\n", 2)
    pairs = (line.split(":", 1) for line in head.splitlines() if line)
    return Prompt({key.strip(): value.strip() for key, value in pairs}, body.strip())
