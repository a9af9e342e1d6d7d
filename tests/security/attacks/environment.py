"""Cases 39, 40, 44 and 49: what a command finds in its environment, and which shell reads it."""

import subprocess

from tests.security.case import Catalogue
from tests.security.world import World

CATALOGUE = Catalogue()
add = CATALOGUE.add

SECRETS = (
    "MOONSHOT_API_KEY",
    "OPENROUTER_API_KEY",
    "GITHUB_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "DB_PASSWORD",
    "SOMETHING_NOBODY_KNOWS",
    "HTTPS_PROXY",
)


@add(39, "keys in `env`, `/proc/self/environ` and those of all processes that can be seen", none="held")
def env(world: World) -> bool:
    world.environ |= dict.fromkeys(SECRETS, f"https://u:{world.canary}@host") | {"LC_SHOWN": "shown"}
    output = world.shell("env; cat /proc/self/environ /proc/1/environ /proc/$PPID/environ | tr '\\0' '\\n'; export -p").output
    world.control("LC_SHOWN=shown" in output)
    return world.canary in output


@add(
    39, "a key that the user passes on purpose arrives", bwrap="allowed", landlock="allowed", none="allowed", why="`pass_env` is the user's"
)
def passed(world: World) -> bool:
    return world.canary in world.shell("echo $MY_TOKEN", environ={"MY_TOKEN": world.canary}).output


@add(40, "`BASH_ENV`, `ENV`, `PROMPT_COMMAND`, exported functions, start-up files", none="held")
def bash_startup(world: World) -> bool:
    evil = world.workspace / "evil.sh"
    evil.write_text("echo EVIL\n")
    for name in (".bashrc", ".bash_profile", ".profile"):
        (world.home / name).write_text("echo EVIL\n")
    hijack = {
        "BASH_ENV": str(evil),
        "ENV": str(evil),
        "PROMPT_COMMAND": "echo EVIL",
        "BASH_FUNC_ls%%": "() { echo EVIL; }",
        "PS4": "$(echo EVIL)",
    }
    outside = subprocess.run(["bash", "-c", "ls"], env={**world.environ, **hijack}, capture_output=True, text=True, check=False)
    world.control("EVIL" in outside.stdout)
    world.environ |= hijack | {"SHELLOPTS": "xtrace"}
    return "EVIL" in world.shell("ls >/dev/null; ls src; true").output


HIJACKING = """LD_PRELOAD LD_AUDIT PYTHONSTARTUP PYTHONHOME NODE_OPTIONS PERL5OPT RUBYOPT GIT_EXTERNAL_DIFF GIT_SSH_COMMAND GIT_PAGER
PAGER LESSOPEN GIT_DIR"""


@add(40, "`LD_PRELOAD`, `PYTHONSTARTUP`, `NODE_OPTIONS`, `GIT_*`, `PAGER` and their like", none="held")
def hijacked_programs(world: World) -> bool:
    evil = world.workspace / "evil"
    evil.write_text("#!/bin/sh\necho EVIL\n")
    evil.chmod(0o755)
    world.environ |= dict.fromkeys(HIJACKING.split(), str(evil)) | {"LC_SHOWN": "shown"}
    world.git("init", "-q")
    (world.workspace / "a").write_text("a\n")
    world.git("add", "a")
    (world.workspace / "a").write_text("b\n")
    output = world.shell("env; git diff; git log; true").output
    world.control("LC_SHOWN=shown" in output and "diff --git" in output)
    return str(evil) in output or "EVIL" in output


@add(47, "`ls` of the repository through a relative search path", none="held")
def search_path(world: World) -> bool:
    evil = world.workspace / "ls"
    evil.write_text("#!/bin/sh\necho EVIL\n")
    evil.chmod(0o755)
    world.environ["PATH"] = f".::{world.environ['PATH']}:"
    output = world.shell("ls; ./ls >/dev/null; echo PATH=$PATH").output
    world.control("PATH=/" in output)
    return "EVIL" in output


@add(49, "the user's own shell: commands are always bash's, without start-up files", none="held")
def always_bash(world: World) -> bool:
    world.environ["SHELL"] = "/bin/sh"
    return (
        "bash:"
        not in world.shell("echo bash:${BASH_VERSION:+yes}; shopt -q login_shell && echo LOGIN; [[ $- == *i* ]] && echo INTERACTIVE").output
    )
