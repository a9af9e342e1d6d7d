"""Case 16 and the parts of others that file tools meet: every tool that takes a path obeys the policy that commands obey."""

import os
import subprocess
import sys
from collections.abc import Callable

from kimicode.sandbox.protected import executable_config
from kimicode.tools.registry import default_tools
from tests.security.attacks.filesystem import plant
from tests.security.case import Catalogue
from tests.security.world import World

CATALOGUE = Catalogue()
add = CATALOGUE.add

Use = Callable[[World, str], bool]


def write(world: World, path: str) -> bool:
    return world.tool("write", path=path, content="evil\n").ok


def edit(world: World, path: str) -> bool:
    return world.tool("edit", path=path, old_string="untouched", new_string="evil").ok


def read(world: World, path: str) -> bool:
    return "untouched" in world.tool("read", path=path).content


def grep(world: World, path: str) -> bool:
    return "untouched" in world.tool("grep", pattern="untouched", path=path).content


def glob(world: World, path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return world.tool("glob", pattern=name or "*", path=folder or ".").content.endswith(name)


def patch(world: World, path: str) -> bool:
    there = (world.workspace / path).exists()
    what = f"*** Update File: {path}\n@@\n-untouched\n+evil\n" if there else f"*** Add File: {path}\n+evil\n"
    return world.tool("patch", patch=f"*** Begin Patch\n{what}*** End Patch\n").ok


CHANGING: dict[str, Use] = {"write": write, "edit": edit, "patch": patch}
LOOKING: dict[str, Use] = {"read": read, "grep": grep, "glob": glob}


def prepare(world: World) -> None:
    (world.workspace / "file").symlink_to("../outside/victim")
    (world.workspace / "dir").symlink_to("../outside")
    (world.workspace / "own").write_text("untouched\n")


def controls(world: World, uses: dict[str, Use]) -> None:
    for use in uses.values():
        (world.workspace / "own").write_text("untouched\n")
        world.control(use(world, "own"))


WAYS = {1: "{out}/victim", 2: "../outside/victim", 3: "file", 4: "dir/victim", 10: "/proc/self/root{out}/victim"}


def matrix(case: int, way: str, uses: dict[str, Use], does: str) -> None:
    def attack(world: World) -> bool:
        prepare(world)
        controls(world, uses)
        path = way.format(out=world.outside)
        done = [use(world, path) for use in uses.values()]
        return any(done) or not world.intact

    attack.__name__ = f"tools_{does}"
    # No magic path of the agent's own process means anything to a model: refused with every permission.
    add(case, f"{', '.join(uses)}: `{way.replace('{out}', 'OUT')}`", none="held" if case == 10 else "open")(attack)


for number, template in WAYS.items():
    matrix(number, template, CHANGING, "change")
    matrix(number, template, LOOKING, "look")


@add(5, "write: missing folders below a link to a folder")
def tools_missing_below_link(world: World) -> bool:
    prepare(world)
    world.control(write(world, "new/deep/f"))
    write(world, "dir/new/deep/f")
    return not world.intact


RACER = """
import ctypes, os, sys
workspace, outside = sys.argv[1:]
os.chdir(workspace)
libc = ctypes.CDLL(None)
print("ready", flush=True)
while True:
    # RENAME_EXCHANGE: there is always something at both names.
    libc.renameat2(-100, b"d", -100, b"e", 2)
"""


@add(6, "write: a folder swapped for a link between check and use, 1,000 times")
def tools_swap_race(world: World) -> bool:
    (world.workspace / "d").mkdir()
    (world.workspace / "e").symlink_to("../outside")
    racer = subprocess.Popen([sys.executable, "-I", "-c", RACER, world.workspace, world.outside], stdout=subprocess.PIPE)
    try:
        assert racer.stdout is not None
        racer.stdout.readline()
        done = [write(world, "d/new") for _ in range(1_000)]
        # Both faces of the folder were met.
        world.control(any(done) and (not world.contained or not all(done)))
    finally:
        racer.kill()
        racer.wait()
    del world.evidence[:-5]
    return not world.intact


@add(9, "write, edit: a hard link to an outside file that was there before", none="held")
def tools_hard_link(world: World) -> bool:
    for name, use in CHANGING.items():
        os.link(world.victim, world.workspace / name)
        world.control(use(world, name))
    return not world.intact


@add(14, "write, edit: `.git` in other spellings")
def tools_spellings(world: World) -> bool:
    names = [".git", ".GIT", ".g\u0131t", ".git\u200c", ".gi\u0301t", ".git.", "sub/.Git", ".\uff47it"]
    controls(world, CHANGING)
    done = [write(world, f"{name}/hooks/pre-commit") for name in names]
    return any(done)


@add(15, "paths with NUL, newline, controls, too many bytes, no UTF-8", none="held")
def tools_unusable_paths(world: World) -> bool:
    before = set(os.listdir(world.workspace))
    paths = ["a\0b", "a\nb", "\x1b[2J", "x/" * 2050 + "y", "z" * 300, "\udcff", "\ud800"]
    done = [use(world, path) for path in paths for use in (write, edit, read, grep)]
    made = set(os.listdir(world.workspace)) - before
    world.control(write(world, "-rf") and read_back(world, "-rf") == "evil\n")
    return any(done) or bool(made) or not world.intact


def read_back(world: World, name: str) -> str:
    return (world.workspace / name).read_text()


class Nobody:
    """Would be asked; never answers."""

    async def ask(self, question: str, options: tuple[str, ...]) -> str | None:
        return None


@add(16, "every tool that takes a path is in this matrix", none="held")
def tools_all_known(world: World) -> bool:
    with_path = {tool.spec.name for tool in default_tools(asker=Nobody())} - {"todo", "ask"}
    return bool(with_path - set(CHANGING) - set(LOOKING) - {"shell"} - KNOWING)


@add(17, "read, grep, glob: keys, the provider's key, other sessions")
def tools_read_secrets(world: World) -> bool:
    places = plant(world)
    (world.workspace / "notes").write_text(world.canary)
    world.control(world.canary in world.tool("read", path="notes").content)
    done = [
        world.canary in world.tool(name, **arguments).content for place in places.values() for name, arguments in looks(str(place), world)
    ]
    return any(done)


@add(17, "read, grep, glob: keys in a home folder that is the workspace")
def tools_secrets_in_workspace(world: World) -> bool:
    world.home = world.workspace
    plant(world)
    (world.workspace / "notes").write_text("canary of the notes")
    world.control("notes" in world.tool("grep", pattern="canary").content)
    found = (
        world.tool("grep", pattern="canary").content + world.tool("glob", pattern="**").content + world.tool("read", path=".netrc").content
    )
    return world.canary in found or "id_ed25519" in found


KNOWING = {"symbols", "map", "git"}
"""Tools that answer from what they know of many files."""


def knows(world: World, name: str, path: str) -> str:
    """Everything that they can be made to say about a name and a file."""
    asked = [("symbols", {"query": each}) for each in (name, path, f"{path}:1")]
    asked += [("symbols", {"query": name, "kind": "references"}), ("map", {"focus": [path]}), ("map", {"budget": 4000})]
    asked += [("git", {"action": action, "path": path}) for action in ("diff", "blame")]
    asked += [("git", {"action": "show", "revision": f"HEAD:{path}"}), ("git", {"action": "show"}), ("git", {"action": "diff"})]
    return "".join(world.tool(tool, **arguments).content for tool, arguments in asked)


@add(17, "symbols, map, git: files that are hidden, in the index and in the repository")
def tools_known_secrets(world: World) -> bool:
    world.home = world.workspace
    (world.workspace / ".ssh").mkdir()
    for path, name in ((".ssh/keys.py", "hidden_canary"), ("mine.py", "shown_canary")):
        (world.workspace / path).write_text(f"def {name}():\n    return 1\n")
    world.git("init", "-q")
    world.git("add", "-A", "-f")
    world.git("commit", "-qm", "all")
    for path in (".ssh/keys.py", "mine.py"):
        with (world.workspace / path).open("a") as file:
            file.write("\n# later\n")
    world.control("def shown_canary" in knows(world, "shown_canary", "mine.py"))
    return "def hidden_canary" in knows(world, "hidden_canary", ".ssh/keys.py")


@add(3, "symbols, map, git: links to a file outside, and the file itself", none="held")
def tools_known_outside(world: World) -> bool:
    prepare(world)
    (world.workspace / "link.py").symlink_to("../outside/victim")
    world.git("init", "-q")
    world.git("add", "-A")
    world.git("commit", "-qm", "all")
    world.control("untouched" in world.tool("git", action="show", revision="HEAD:own").content)
    paths = ("link.py", "dir/victim", "../outside/victim", str(world.victim))
    said = [world.tool("symbols", query=path).content + world.tool("map", focus=[path]).content for path in paths]
    said += [world.tool("git", action=action, path=path).content for path in paths for action in ("diff", "blame", "show")]
    return any("untouched" in each for each in said) or not world.intact


def looks(path: str, world: World) -> list[tuple[str, dict[str, str]]]:
    return [("read", {"path": path}), ("grep", {"path": path, "pattern": world.canary})]


AGENT_FILES = (".kimi/settings.json", ".kimicode/x", ".mcp.json", ".envrc", ".vscode/tasks.json", "sub/.claude/settings.json", ".idea/x")


@add(20, "write: missing configuration of agents and editors")
def tools_agent_files(world: World) -> bool:
    controls(world, CHANGING)
    done = [write(world, name) for name in AGENT_FILES]
    return any(done)


@add(
    20, "write: configuration that tools of the project run", bwrap="allowed", landlock="allowed", why="legitimate work, marked when asked"
)
def tools_executable_config(world: World) -> bool:
    names = (".pre-commit-config.yaml", ".gitattributes", "conftest.py", "package.json", "Makefile")
    world.control(all(executable_config((name,)) for name in names))
    done = [write(world, name) for name in names]
    return all(done)


@add(18, "write, edit: hooks, configuration and attributes of git")
def tools_git(world: World) -> bool:
    world.git("init", "-q")
    controls(world, CHANGING)
    done = [write(world, f".git/{name}") for name in ("hooks/pre-commit", "config", "info/attributes", "config.worktree")]
    return any(done)


@add(21, "write: a worktree's pointer")
def tools_pointer(world: World) -> bool:
    (world.workspace / ".git").write_text("gitdir: ../outside\n")
    write(world, ".git")
    return (world.workspace / ".git").read_text() != "gitdir: ../outside\n"
