"""Cases 18 to 23: git's own files, configuration of agents, start-up files, attacked by commands; looked at when the command is over."""

import os
from pathlib import Path

from kimicode.errors import UsageError
from tests.security.case import Catalogue
from tests.security.world import World

CATALOGUE = Catalogue()
add = CATALOGUE.add


def repository(world: World) -> dict[str, bytes]:
    """A repository in the workspace; what makes git run something, by path."""
    world.git("init", "-q")
    (world.workspace / "a").write_text("a\n")
    world.git("add", "a")
    world.git("commit", "-qm", "one")
    hook = world.workspace / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntrue\n")
    hook.chmod(0o755)
    return executable_parts(world)


def executable_parts(world: World) -> dict[str, bytes]:
    git = world.workspace / ".git"
    files = [path for path in git.rglob("*") if "objects" not in path.parts and ".set-aside-" not in str(path)]
    inert = ("logs", "refs", "index", "COMMIT_EDITMSG", "ORIG_HEAD", "description", "packed-refs")
    return {
        str(path.relative_to(git)): os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes() if path.is_file() else b"/"
        for path in sorted(files)
        if path.relative_to(git).parts[0] not in inert
    }


@add(18, "hooks: a changed one, a new one, one made executable", put_back=True)
def hooks(world: World) -> bool:
    before = repository(world)
    world.shell("echo evil > .git/hooks/pre-commit; echo evil > .git/hooks/post-checkout; chmod +x .git/hooks/*")
    return executable_parts(world) != before


@add(18, "configuration by git and by hand: fsmonitor, hooksPath, a filter", put_back=True)
def git_config(world: World) -> bool:
    before = repository(world)
    world.shell(
        "git config core.fsmonitor ./evil; git config core.hooksPath evil; git config filter.x.clean ./evil; echo '[core]' >> .git/config"
    )
    return executable_parts(world) != before


@add(18, "attributes, a worktree's configuration, the common folder", put_back=True)
def git_info(world: World) -> bool:
    before = repository(world)
    world.shell("mkdir -p .git/info; echo '* filter=x' > .git/info/attributes; echo x > .git/config.worktree; echo ../x > .git/commondir")
    return executable_parts(world) != before


@add(18, "the folder of hooks swapped for a link, and removed", put_back=True)
def hooks_swapped(world: World) -> bool:
    before = repository(world)
    world.shell("mkdir evil; mv .git/hooks .git/old; ln -s ../evil .git/hooks; echo x > evil/pre-commit; rm -rf .git/old")
    return executable_parts(world) != before


@add(18, "`.git` moved away, and another in its place", put_back=True)
def git_moved(world: World) -> bool:
    before = repository(world)
    world.shell("mv .git old; mkdir -p .git/hooks; echo evil > .git/hooks/pre-commit; git init -q; git config core.fsmonitor ./evil")
    return executable_parts(world) != before or not (world.workspace / ".git" / "objects").is_dir()


@add(18, "`.git` removed", landlock="gap", why="objects and branches are not put back: too much to copy before every command")
def git_removed(world: World) -> bool:
    repository(world)
    world.shell("rm -rf .git")
    return not any((world.workspace / ".git" / "objects").glob("*/*"))


@add(18, "a hook that is there while the command runs", landlock="gap", why="what is put back was there in between")
def hook_meanwhile(world: World) -> bool:
    repository(world)
    return world.canary in world.shell(f"echo {world.canary} > .git/hooks/post-commit; cat .git/hooks/post-commit").output


@add(18, "a nested repository's hooks", put_back=True)
def nested_hooks(world: World) -> bool:
    (world.workspace / "lib").mkdir()
    world.git("init", "-q", cwd=world.workspace / "lib")
    hook = world.workspace / "lib" / ".git" / "hooks" / "pre-commit"
    world.shell("mkdir -p lib/.git/hooks; echo evil > lib/.git/hooks/pre-commit; (cd lib; git config core.fsmonitor ./evil)")
    return hook.exists() or "evil" in (world.workspace / "lib" / ".git" / "config").read_text()


@add(18, "a nested repository moved with its folder, then changed", landlock="gap", why="what moved away is not followed")
def nested_moved(world: World) -> bool:
    (world.workspace / "lib").mkdir()
    world.git("init", "-q", cwd=world.workspace / "lib")
    world.shell("mv lib lib2; mkdir -p lib2/.git/hooks; echo evil > lib2/.git/hooks/pre-commit")
    return (world.workspace / "lib2" / ".git" / "hooks" / "pre-commit").exists() and not (world.workspace / "lib").exists()


@add(19, "`git init` and `mkdir .git` where `.git` is missing; the repository above is found as before", put_back=True)
def git_init(world: World) -> bool:
    world.git("init", "-q", cwd=world.folder)
    world.environ |= {"HOME": str(world.home)}
    ran = world.shell("git rev-parse --show-toplevel; git init -q .; mkdir .git; mkdir -p .git/hooks; echo evil > .git/hooks/pre-commit")
    world.control(str(world.folder) in ran.output)
    return (world.workspace / ".git").exists()


@add(
    19,
    "a new repository in a subfolder",
    bwrap="gap",
    landlock="gap",
    why="a name that is nowhere yet can't be kept; kimicode's own git asks no repository that it finds",
)
def git_init_below(world: World) -> bool:
    world.shell("mkdir sub; git init -q sub; git -C sub config core.fsmonitor ./evil")
    return (world.workspace / "sub" / ".git" / "config").exists()


MISSING = (".kimicode/x", ".kimi/settings.json", ".agents/x", ".claude/settings.json", ".codex/config.toml", ".cursor/mcp.json")
MISSING_TOO = (".gemini/settings.json", ".mcp.json", ".vscode/tasks.json", ".idea/x.xml", ".envrc")


@add(20, "missing configuration of agents and editors", put_back=True)
def agent_files(world: World) -> bool:
    world.shell(f"for name in {' '.join((*MISSING, *MISSING_TOO))}; do mkdir -p $(dirname $name); echo evil > $name; done; true")
    return any((world.workspace / name).exists() for name in (*MISSING, *MISSING_TOO))


@add(20, "nothing is left in the workspace where nothing was", none="held")
def nothing_left(world: World) -> bool:
    world.shell("ls -a >/dev/null")
    return bool({path.name for path in world.workspace.iterdir() if path.name.startswith(".")})


@add(20, "present configuration of agents and editors", put_back=True)
def present_agent_files(world: World) -> bool:
    files = [world.workspace / name for name in (*MISSING, *MISSING_TOO)]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text("mine\n")
    world.shell(
        "for f in .[a-z]*; do if [ -d $f ]; then for g in $f/*; do echo evil > $g; done; mv $f gone$f;"
        "else rm $f; echo evil > $f; fi; done; true"
    )
    return any(not file.exists() or file.read_text() != "mine\n" for file in files)


@add(20, "configuration that tools of the project run", bwrap="allowed", landlock="allowed", why="legitimate work, marked when asked")
def executable_config(world: World) -> bool:
    names = [".pre-commit-config.yaml", ".gitattributes", "conftest.py"]
    world.shell("; ".join(f"echo x > {name}" for name in names))
    return all((world.workspace / name).exists() for name in names)


@add(20, "start-up files in a home folder that is the workspace", put_back=True)
def home_files(world: World) -> bool:
    world.home = world.workspace
    (world.home / ".bashrc").write_text("mine\n")
    world.shell(
        "echo evil >> .bashrc; echo evil > .profile; mkdir -p .config/fish; echo evil > .config/fish/config.fish; git config --global a.b c"
    )
    return (world.home / ".bashrc").read_text() != "mine\n" or any(
        (world.home / name).exists() for name in (".profile", ".config", ".gitconfig")
    )


@add(21, "a worktree's pointer replaced by a repository", put_back=True)
def pointer_replaced(world: World) -> bool:
    main = world.outside / "main"
    main.mkdir()
    world.git("init", "-q", cwd=main)
    world.git("commit", "-q", "--allow-empty", "-m", "one", cwd=main)
    world.git("worktree", "add", "-q", str(world.workspace / "wt"), cwd=main)
    world.workspace = world.workspace / "wt"
    before = (world.workspace / ".git").read_text()
    config = (main / ".git" / "config").read_text()
    world.shell("rm -f .git; git init -q .; git config core.fsmonitor ./evil; echo gitdir: evil > .git")
    kept = (world.workspace / ".git").is_file() and (world.workspace / ".git").read_text() == before
    return not kept or (main / ".git" / "config").read_text() != config


@add(22, "a `.kimi` that is a link: nothing starts, and the message says why")
def linked_config(world: World) -> bool:
    (world.workspace / ".kimi").symlink_to("src")
    try:
        world.boundary()
    except UsageError as error:
        world.evidence.append(str(error))
        world.control(".kimi is a symbolic link" in error.message and bool(error.hint))
        return False
    return True


@add(23, "the temporary folder replaced by a link", none="held")
def temporary_link(world: World) -> bool:
    world.temporary.rmdir()
    world.temporary.symlink_to(world.outside)
    try:
        world.shell('echo evil > "$TMPDIR/x"; echo evil > /tmp/x', control=False)
    except UsageError as error:
        world.control("temporary" in error.message)
    return not world.intact


@add(23, "a file under the name that large output gets", none="held")
def planted_scratch(world: World) -> bool:
    (world.scratch / "shell-1.txt").symlink_to(world.victim)
    world.shell("head -c 100000 /dev/zero | tr '\\0' x")
    world.control((world.scratch / "shell-2.txt").exists())
    return not world.intact


@add(23, "`/tmp` of others: a file planted there is neither seen nor changed", landlock="held", none="open")
def shared_tmp(world: World) -> bool:
    planted = Path("/tmp") / world.canary
    planted.write_text("untouched\n")
    try:
        world.shell(f"echo evil > {planted}; echo evil > /tmp/{world.canary}-new; echo own > $TMPDIR/own && cat $TMPDIR/own")
        world.control("own" in world.evidence[-1])
        return planted.read_text() != "untouched\n" or Path(f"/tmp/{world.canary}-new").exists()
    finally:
        planted.unlink()
        Path(f"/tmp/{world.canary}-new").unlink(missing_ok=True)
