"""Aider's repository maps for the retrieval benchmark; run by the Python that aider is installed in.

Reads an order as JSON on stdin (`folder`, `files`, `names`, `tokens`), writes one JSON object: the map for each name, mentioned as aider
takes it from a user's message. What this does not do: start a model.
"""

import json
import os
import sys
from pathlib import Path

from aider.repomap import RepoMap


class Quiet:
    """What the map wants of a console, and of a model: about four characters are a token, as aider has it for unknown models."""

    def tool_output(self, *_: object, **__: object) -> None:
        """Nothing is shown."""

    tool_warning = tool_error = tool_output

    def read_text(self, path: str) -> str | None:
        """A file's text; None where it is none."""
        try:
            return Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def token_count(self, text: str) -> int:
        """About how many tokens."""
        return len(text) // 4


def main() -> None:
    order = json.load(sys.stdin)
    # Aider keeps its cache beside what it maps.
    os.chdir(order["folder"])
    made = RepoMap(map_tokens=order["tokens"], root=order["folder"], main_model=Quiet(), io=Quiet(), refresh="always", map_mul_no_files=1)
    files = [str(Path(order["folder"]) / each) for each in order["files"]]
    maps = {name: made.get_repo_map([], files, mentioned_idents={name}) or "" for name in order["names"]}
    print(json.dumps(maps))


if __name__ == "__main__":
    main()
