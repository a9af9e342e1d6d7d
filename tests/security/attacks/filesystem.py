"""Cases 1 to 17: the boundary of the file system, attacked by commands. What is outside is looked at afterwards, from outside."""

import os
from pathlib import Path

from kimicode.errors import RefusedError
from tests.security.case import Catalogue
from tests.security.world import World

CATALOGUE = Catalogue()
add = CATALOGUE.add


@add(1, "absolute write outside: an old file and a new one")
def absolute_write(world: World) -> bool:
    world.shell('echo evil > "$OUT/victim"; echo evil > "$OUT/new"')
    return not world.intact


@add(1, "write into the home folder and the system's own folders")
def write_home(world: World) -> bool:
    world.shell('echo evil > "$HOME/.bashrc"; echo evil > "$HOME/new"')
    return bool(os.listdir(world.home))


@add(1, "deletion outside")
def delete_outside(world: World) -> bool:
    world.shell('rm -f "$OUT/victim"; rmdir "$OUT"')
    return not world.intact


@add(1, "truncation outside by truncate(2) and O_TRUNC")
def truncate_outside(world: World) -> bool:
    world.shell('truncate -s 0 "$OUT/victim"; : > "$OUT/victim"')
    return not world.intact


@add(1, "write in the workspace, where only looking is allowed")
def write_where_only_looking(world: World) -> bool:
    looking = world.boundary().writable if not world.contained else ()
    ran = world.shell("echo own > $TMPDIR/own && cat $TMPDIR/own; echo evil > src/new", control=False, writable=looking, protected=())
    world.control("own" in ran.output)
    return (world.workspace / "src" / "new").exists()


@add(2, "`../` write")
def dotdot_write(world: World) -> bool:
    world.shell("echo evil > ../outside/victim; echo evil > src/../../outside/new")
    return not world.intact


@add(3, "write through a link to a file")
def link_to_file(world: World) -> bool:
    (world.workspace / "link").symlink_to("../outside/victim")
    world.shell("echo evil > link; echo evil | tee link")
    return not world.intact


@add(3, "write through a link that the command makes itself")
def own_link(world: World) -> bool:
    world.shell('ln -s "$OUT/victim" l && echo evil > l; ln -s "$OUT/new" n && echo evil > n')
    return not world.intact


@add(4, "write through a link to a folder")
def link_to_folder(world: World) -> bool:
    (world.workspace / "dir").symlink_to("../outside")
    world.shell("echo evil > dir/victim; echo evil > dir/new; mkdir dir/sub")
    return not world.intact


@add(5, "missing folders below a link to a folder")
def missing_below_link(world: World) -> bool:
    (world.workspace / "a").symlink_to("../outside")
    world.shell("mkdir -p a/new/deep && echo evil > a/new/deep/f")
    return not world.intact


@add(6, "a link swapped between check and use, 1,000 times")
def swap_race(world: World) -> bool:
    (world.workspace / "d").mkdir()
    world.shell(
        '(while :; do ln -sfn "$OUT" s; mv -T s d 2>/dev/null; rm -rf d; mkdir d; done) 2>/dev/null & racer=$!\n'
        'for i in {1..1000}; do echo evil > d/victim; done 2>/dev/null; kill $racer; ln -sfn "$OUT" e; echo evil > e/victim',
        timeout_s=30,
    )
    return not world.intact


@add(7, "a patch with mode 120000, then a write through its link")
def patch_with_link(world: World) -> bool:
    patch = (
        "diff --git a/l b/l\nnew file mode 120000\nindex 0000000..1111111\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+../outside/victim\n"
        "\\ No newline at end of file\n"
    )
    (world.workspace / "p.patch").write_text(patch)
    ran = world.shell("git apply p.patch; readlink l; echo evil > l")
    world.control("../outside/victim" in ran.output)
    return not world.intact


@add(8, "a submodule's pointer that leads outside")
def gitlink_outside(world: World) -> bool:
    store = world.outside / "store"
    store.mkdir()
    (store / "config").write_text("[core]\n")
    (world.workspace / "sub").mkdir()
    (world.workspace / "sub" / ".git").write_text("gitdir: ../../outside/store\n")
    world.shell('cd sub; target="$(sed -n "s/gitdir: //p" .git)"; echo evil >> "$target/config"; mkdir "$target/hooks"')
    return (store / "config").read_text() != "[core]\n" or (store / "hooks").exists()


@add(
    9,
    "a hard link to an outside file that was there before",
    bwrap="gap",
    landlock="gap",
    why="one file with two names: inside is inside. File tools replace files and so break the link",
)
def old_hard_link(world: World) -> bool:
    os.link(world.victim, world.workspace / "hard")
    world.shell("echo evil > hard")
    return not world.intact


@add(9, "a hard link that the command makes")
def new_hard_link(world: World) -> bool:
    world.shell('ln "$OUT/victim" hard && echo evil > hard; ln src/../ran-* "$OUT/new"')
    return not world.intact


@add(10, "`/proc/self/root` and `/proc/self/cwd`")
def proc_root(world: World) -> bool:
    world.shell(
        'echo evil > "/proc/self/root$OUT/victim"; echo evil > "/proc/thread-self/root$OUT/new";'
        "echo evil > /proc/self/cwd/../outside/victim"
    )
    return not world.intact


@add(10, "a descriptor that the agent has open, by number, `/proc/self/fd` and `/dev/fd`", none="held")
def inherited_descriptor(world: World) -> bool:
    descriptor = os.open(world.victim, os.O_WRONLY)
    os.set_inheritable(descriptor, True)
    try:
        world.shell(f"echo evil >&{descriptor}; echo evil > /proc/self/fd/{descriptor}; echo evil > /dev/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return not world.intact


@add(11, "moving an outside file in")
def move_in(world: World) -> bool:
    world.shell('mv "$OUT/victim" stolen; "$PY" -c "import os,sys; os.rename(sys.argv[1], \'s2\')" "$OUT/victim"')
    return not world.intact


@add(11, "moving a file out, also over another")
def move_out(world: World) -> bool:
    world.shell('echo evil > x; mv x "$OUT/new"; echo evil > y; mv -f y "$OUT/victim"')
    return not world.intact


METADATA = "Landlock does not know metadata"


@add(12, "chmod outside", landlock="gap", why=METADATA)
def chmod_outside(world: World) -> bool:
    world.shell('chmod 777 "$OUT/victim"')
    return not world.intact


@add(12, "times outside", landlock="gap", why=METADATA)
def utimes_outside(world: World) -> bool:
    before = world.victim.stat().st_mtime_ns
    world.shell('touch -d 2001-01-01 "$OUT/victim"')
    return world.victim.stat().st_mtime_ns != before


@add(12, "extended attributes outside", landlock="gap", why=METADATA)
def setxattr_outside(world: World) -> bool:
    world.python("import os, sys\nos.setxattr(sys.argv[1], 'user.evil', b'1')", world.victim)
    return "user.evil" in os.listxattr(world.victim)


@add(13, "a FIFO, a socket and a device outside")
def special_files(world: World) -> bool:
    world.shell('mkfifo "$OUT/fifo"; mknod "$OUT/null" c 1 3')
    world.python("import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])", world.outside / "s")
    return not world.intact


@add(13, "a device in the workspace, and the kernel's own", none="held")
def devices(world: World) -> bool:
    ran = world.shell("mknod null c 1 3; echo evil > /dev/kmsg && echo reached")
    return (world.workspace / "null").exists() or "reached" in ran.output


@add(13, "shared memory in /dev/shm")
def shared_memory(world: World) -> bool:
    there = Path("/dev/shm") / world.canary
    world.shell(f"echo evil > {there}")
    found = there.exists()
    there.unlink(missing_ok=True)
    return found


@add(15, "names with newlines, dashes and bytes that are no UTF-8 don't lead out", none="held")
def odd_names(world: World) -> bool:
    ran = world.shell("echo x > $'a\\nb'; echo x > ./-rf; echo x > $'\\xff'; ls | wc -l")
    world.control(ran.exit_code == 0)
    return not world.intact


def plant(world: World) -> dict[str, Path]:
    """Secrets where users keep them, each with the canary."""
    places = {
        "ssh": world.home / ".ssh" / "id_ed25519",
        "aws": world.home / ".aws" / "credentials",
        "netrc": world.home / ".netrc",
        "key": world.home / ".config" / "kimicode" / "settings.toml",
        "session": world.data / "sessions" / "other.jsonl",
        "scratch": world.data / "scratch" / "other" / "shell-1.txt",
    }
    for place in places.values():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{world.canary}\n")
    return places


@add(17, "reading keys, the provider's key and other sessions")
def read_secrets(world: World) -> bool:
    words = " ".join(f'"{place}"' for place in plant(world).values())
    return world.canary in world.shell(f"cat {words}").output


@add(17, "listing the folders of keys and sessions")
def list_secrets(world: World) -> bool:
    plant(world)
    return any(
        name in world.shell(f'ls -Ra "{folder}"').output
        for folder, name in ((world.home / ".ssh", "id_ed25519"), (world.data / "sessions", "other.jsonl"))
    )


@add(17, "reading keys by another way: a link, a copy, a move, /proc/self/root")
def read_secrets_sideways(world: World) -> bool:
    plant(world)
    ran = world.shell(
        'ln -s "$HOME/.ssh" s; cat s/id_ed25519; cp -r "$HOME/.ssh" c; cat c/*; cat "/proc/self/root$HOME/.ssh/id_ed25519";'
        'mv "$HOME/.ssh" m; cat m/*; ln "$HOME/.ssh/id_ed25519" h; cat h; tar c "$HOME/.ssh" | cat; grep -r . "$HOME"'
    )
    return world.canary in ran.output


@add(17, "keys in a home folder that is the workspace", why="tier 2 refuses to run any command there")
def secrets_in_workspace(world: World) -> bool:
    world.home = world.workspace
    plant(world)
    try:
        return world.canary in world.shell("cat .ssh/id_ed25519; cat .netrc; mv .ssh s; cat s/*").output
    except RefusedError as error:
        world.control("can't be hidden" in error.message)
        return False
