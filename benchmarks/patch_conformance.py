"""The public scenarios of another tool's `apply_patch`, run through our patch tool: which end the same, which do not, and why.

`--scenarios DIR` is a copy of `codex-rs/apply-patch/tests/fixtures/scenarios` of github.com/openai/codex: each folder has `patch.txt`,
`expected/` and perhaps `input/`. Every scenario runs in a fresh folder through the tool, locks, journal and all. Prints a line each and,
last, one JSON object; the exit code is 1 where a deviation is none of those that docs/patches.md defends. The files stay where they are:
none of them is part of this repository.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from kimicode.messages import ToolCall
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools import patch
from kimicode.tools.base import ToolContext
from kimicode.tools.registry import Toolbox
from kimicode.tools.spec import full_spec

DEFENDED = {
    "010_move_overwrites_existing_destination": "a move never replaces a file that the patch does not delete",
    "011_add_overwrites_existing_file": "an addition never replaces a file",
    "015_failure_after_partial_success_leaves_changes": "a patch is applied whole or not at all",
    "016_pure_addition_update_chunk": "lines without context or anchor have no place; *** End of File appends",
    "024_preserves_mixed_line_endings": "a new line ends as the line that it replaces",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenarios", type=Path, required=True, help="the folder with the scenarios' folders")
    folders = sorted(path for path in parser.parse_args().scenarios.iterdir() if (path / "patch.txt").is_file())
    if not folders:
        sys.exit("there is no folder with a patch.txt in it")
    outcome = {"same": 0, "defended": 0, "other": 0}
    for folder in folders:
        said, same = run(folder)
        kind = "same" if same else "defended" if folder.name in DEFENDED else "other"
        outcome[kind] += 1
        words = {"same": "same", "defended": f"differs: {DEFENDED.get(folder.name)}", "other": "DIFFERS"}[kind]
        print(f"{folder.name:<50} {words}\n{'':<50}   {said}")
    print(json.dumps({"scenarios": len(folders), **outcome}))
    sys.exit(bool(outcome["other"]))


def run(scenario: Path) -> tuple[str, bool]:
    """What the tool says, and whether the files are then as expected."""
    with tempfile.TemporaryDirectory(prefix="kimicode-conformance-") as temporary:
        workspace = Path(temporary).resolve() / "workspace"
        workspace.mkdir()
        if (scenario / "input").is_dir():
            shutil.copytree(scenario / "input", workspace, dirs_exist_ok=True)
        context = ToolContext(workspace, Policy(Permission.WORKSPACE, workspace), Path(temporary) / "scratch")
        tool = patch.Patch(full_spec(patch.NAME, patch.PROPERTIES, patch.REQUIRED))
        arguments = json.dumps({"patch": (scenario / "patch.txt").read_bytes().decode()})
        result = asyncio.run(Toolbox((tool,), context).run(ToolCall("functions.patch:0", patch.NAME, arguments)))
        return result.content.replace("\n", "; "), contents(workspace) == contents(scenario / "expected")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file's bytes by its path; where there is no folder, nothing."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    main()
