"""The pictures of the documentation: what commands really print. Run it again whenever they or the model in the box change.

    python -m docs.picture [demo] [review] [search]

What this script does not do: edit what was printed, but for the names of temporary folders.
"""

import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 124
STYLES = {"+": "green", "-": "red", "@": "cyan", "$": "bold", "→": "cyan"}
ROOT = Path(__file__).resolve().parent.parent
CHANGE = """import os
import subprocess

AWS_KEY = "AKIAZ7QX4T2MWVB5NLKD"


def backup(name):
    breakpoint()
    subprocess.run(f"tar czf /backup/{name}.tgz {name}", shell=True)
"""


def run(command: str, folder: Path) -> Iterator[str]:
    """The command as typed, and what it prints; its exit code does not matter."""
    yield f"$ {command}"
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "KIMICODE_HOME": f"{folder.parent}/home"}
    environ["KIMICODE_CONFIG"] = f"{folder.parent}/none.toml"
    words = shlex.split(command.replace("scripts/run", "kimicode"))
    done = subprocess.run(words, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    yield from done.stdout.splitlines()


def demo(folder: Path) -> Iterator[str]:
    """The model in the box repairs a small project."""
    yield from run("scripts/run demo", folder)


def review(folder: Path) -> Iterator[str]:
    """A hook is installed, and a commit is stopped."""
    for words in ("init -q -b main", "config user.name Ada", "config user.email ada@example.org", "commit -q --allow-empty -m start"):
        subprocess.run(["git", *words.split()], cwd=folder, check=True)
    yield from run("kimicode hook install", folder)
    (folder / "backup.py").write_text(CHANGE)
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    yield from run("git commit -m Backup", folder)


def search(_folder: Path) -> Iterator[str]:
    """Questions about this repository. The first is asked twice: the index is made by then."""
    for command in ("kimicode symbols Toolbox.run", """kimicode tool grep '{"pattern": "find_layout", "path": "kimicode"}'"""):
        list(run(command, ROOT))
        yield from run(command, ROOT)


SCENES: dict[str, Callable[[Path], Iterator[str]]] = {"demo": demo, "review": review, "search": search}


def draw(name: str) -> None:
    """Act a scene and write its picture."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "work"
        folder.mkdir()
        for line in SCENES[name](folder):
            shown = re.sub(r"\S*kimicode-demo-\w+/", "", line).replace(f"{folder}/", "")
            console.print(Text(shown, style=STYLES.get(shown[:1], "")))
    picture = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title=f"kimicode {name}"), flags=re.DOTALL)  # no fonts from elsewhere
    Path(__file__).with_name(f"{name}.svg").write_text(picture, "utf-8")


if __name__ == "__main__":
    for scene in sys.argv[1:] or SCENES:
        draw(scene)
