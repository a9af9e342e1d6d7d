"""Cases 31 to 38: other processes, privileges, and what a command uses up or leaves behind."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.security.case import Catalogue
from tests.security.world import LIMITS, World, until

CATALOGUE = Catalogue()
add = CATALOGUE.add

VICTIM = """
import ctypes, sys, time
word = ctypes.create_string_buffer(sys.argv[1].encode())
print(ctypes.addressof(word), flush=True)
time.sleep(60)
"""


@contextlib.contextmanager
def victim(world: World) -> Iterator[tuple[int, int]]:
    """Another process of the user, with the canary in its environment and at an address; its pid and that address."""
    command = [sys.executable, "-I", "-c", VICTIM, f"in-memory-{world.canary}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "KEY": f"in-environ-{world.canary}"})
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def alive(pid: int) -> bool:
    """True while the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def survivors(word: str) -> list[int]:
    """The processes with `word` in their command line, this one apart."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                if word.encode() in Path(f"/proc/{name}/cmdline").read_bytes() and alive(int(name)):
                    found.append(int(name))
    return found


def end(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@add(31, "the environment of another process of the user")
def environ_of_another(world: World) -> bool:
    with victim(world) as (pid, _):
        return (
            f"in-environ-{world.canary}"
            in world.shell(f"cat /proc/{pid}/environ | tr '\\0' '\\n'; cat /proc/[0-9]*/environ | tr '\\0' '\\n'").output
        )


@add(31, "the memory of another process of the user: /proc/PID/mem, process_vm_readv, ptrace")
def memory_of_another(world: World) -> bool:
    code = """
import ctypes, sys
pid, address = int(sys.argv[1]), int(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
out = ctypes.create_string_buffer(64)
local, remote = Vector(ctypes.addressof(out), 40), Vector(address, 40)
if libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) > 0:
    print("READV", out.value)
try:
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        memory.seek(address)
        print("MEM", memory.read(40))
except OSError as error:
    print(error)
if libc.ptrace(0x4206, pid, 0, 0) == 0:
    print("TRACED")
"""
    with victim(world) as (pid, address):
        output = world.python(code, pid, address).output
    return f"in-memory-{world.canary}" in output or "TRACED" in output


@add(31, "the numbers of other processes", landlock="gap", why="needs a namespace of processes; what they hold stays out of reach")
def see_processes(world: World) -> bool:
    with victim(world) as (pid, _):
        return f"/{pid}\n" in world.shell("ls -d /proc/[0-9]*").output


@add(32, "signals to the agent and to other processes of the user")
def signals(world: World) -> bool:
    with victim(world) as (pid, _):
        world.shell(f"kill -STOP {pid}; kill -9 {pid}")
        return until(lambda: not alive(pid), 0.5)


NAMESPACES = """
import ctypes, errno, os, signal
libc = ctypes.CDLL(None, use_errno=True)
def tried(name, got):
    print("GOT" if got >= 0 else errno.errorcode[ctypes.get_errno()], name, flush=True)
if (pid := os.fork()) == 0:
    tried("unshare", libc.unshare(0x10000000))
    os._exit(0)
os.waitpid(pid, 0)
got = libc.syscall(56, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
if got == 0:
    os._exit(0)
tried("clone", got)
class Args(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint64) for n in "flags pidfd child parent exit stack size tls settid setsize cgroup".split()]
args = Args(flags=0x10000000, exit=signal.SIGCHLD)
got = libc.syscall(435, ctypes.byref(args), ctypes.sizeof(args))
if got == 0:
    os._exit(0)
tried("clone3", got)
"""


@add(33, "a user namespace by unshare, clone and clone3")
def user_namespaces(world: World) -> bool:
    output = world.python(NAMESPACES).output
    world.control(all(name in output for name in ("unshare", "clone", "clone3")))
    return "GOT" in output


MOUNTS = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def tried(name, got):
    print("GOT" if got >= 0 else errno.errorcode[ctypes.get_errno()], name, flush=True)
tried("mount", libc.mount(b"none", b"src", b"tmpfs", 0, None))
tried("umount", libc.umount2(b"/proc", 2))
tried("chroot", libc.chroot(b"src"))
tried("pivot_root", libc.syscall(155, b"src", b"src"))
tried("setns", libc.setns(os.open("/proc/self/ns/mnt", os.O_RDONLY), 0))
tried("open_tree", libc.syscall(428, -100, b"src", 1))
tried("fsopen", libc.syscall(430, b"tmpfs", 0))
tried("bpf", libc.syscall(321, 0, 0, 0) - (ctypes.get_errno() != 1))
tried("keyctl", libc.syscall(250, 0, -3, 1))
"""


@add(33, "mount, umount, chroot, pivot_root, setns, open_tree, fsopen, bpf", none="held", why="an unprivileged user may not either")
def mounts(world: World) -> bool:
    output = world.python(MOUNTS).output
    world.control("setns" in output)
    return any(line.startswith("GOT") and "keyctl" not in line for line in output.splitlines())


@add(34, "new privileges: no_new_privs is set, no capability is held, seccomp filters")
def privileges(world: World) -> bool:
    found = dict(re.findall(r"^(\w+):\s+(\S+)$", world.shell("cat /proc/self/status").output, re.MULTILINE))
    world.control("NoNewPrivs" in found)
    return (found["NoNewPrivs"], found["Seccomp"], int(found["CapEff"], 16), int(found["CapPrm"], 16)) != ("1", "2", 0, 0)


@add(35, "the terminal: no controlling terminal, none on 0 to 2, no TIOCSTI", none="held")
def terminal(world: World) -> bool:
    code = (
        "import fcntl, os\n"
        "for n in (0, 1, 2):\n    print('TTY' if os.isatty(n) else 'no', n)\n"
        "try:\n    fcntl.ioctl(os.open('/dev/tty', os.O_RDWR), 0x5412, b'x')\n    print('TTY pushed')\n"
        "except OSError as error:\n    print('refused', error)\n"
        "print('SID', os.getsid(0))\n"
    )
    output = world.python(code).output
    world.control("refused" in output)
    return "TTY" in output or f"SID {os.getsid(0)}\n" in output


@add(36, "a detached child that holds the output: the command returns, and no child survives")
def detached(world: World) -> bool:
    word = f"survivor-{world.canary}"
    started = time.monotonic()
    world.shell(
        f"setsid bash -c 'exec -a {word} sleep 50' & (setsid setsid nohup bash -c 'exec -a {word} sleep 50' &) ; sleep 0.1; echo done"
    )
    took = time.monotonic() - started
    left = [] if until(lambda: not survivors(word), 1) else survivors(word)
    end(left)
    world.control(took < 10)
    return bool(left)


LEAVING = """
import os, sys
for _ in range(3):
    if os.fork():
        os._exit(0)
    os.setsid()
os.execvp("bash", ["bash", "-c", f"exec -a {sys.argv[1]} sleep 50"])
"""


@add(36, "a child that forks out of its group for ever")
def doubly_detached(world: World) -> bool:
    word = f"survivor-{world.canary}"
    world.python(LEAVING, word)
    left = [] if until(lambda: not survivors(word), 1) else survivors(word)
    end(left)
    return bool(left)


@add(37, "more processes than allowed")
def fork_bomb(world: World) -> bool:
    code = (
        "import os, signal, sys, time\n"
        "made = []\n"
        "try:\n"
        f"    for _ in range({LIMITS.processes * 2}):\n"
        "        pid = os.fork()\n"
        "        if pid == 0:\n            time.sleep(20)\n            os._exit(0)\n"
        "        made.append(pid)\n"
        "except OSError as error:\n    print('STOPPED', error)\n"
        "print('MADE', len(made))\n"
        "for pid in made:\n    os.kill(pid, signal.SIGKILL)\n"
    )
    output = world.python(code).output
    world.control("MADE" in output)
    return f"MADE {LIMITS.processes * 2}" in output


@add(37, "more memory than allowed")
def memory(world: World) -> bool:
    code = f"data = bytearray({LIMITS.memory_bytes + (128 << 20)})\nprint('HAVE', len(data))"
    output = world.python(code).output
    return "HAVE" in output


@add(37, "a file larger than allowed, written and sparse")
def large_file(world: World) -> bool:
    world.shell(f"head -c {LIMITS.file_bytes + 4096} /dev/zero > big; truncate -s 1G sparse; true")
    sizes = [(world.workspace / name).stat().st_size for name in ("big", "sparse") if (world.workspace / name).exists()]
    world.control(bool(sizes))
    return max(sizes) > LIMITS.file_bytes


@add(37, "output and errors without end: bounded in memory and on disk", none="held")
def endless_output(world: World) -> bool:
    world.shell("yes & yes >&2 & sleep 1; kill %1 %2", timeout_s=3)
    kept = sum(file.stat().st_size for file in world.scratch.iterdir())
    world.control(kept > 0)
    return kept > 2 << 20


AGENT = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from kimicode.sandbox.boundary import Tier
from kimicode.sandbox.probe import probe
from tests.security.world import World
world = World(Path(sys.argv[1]), Tier(sys.argv[2]), probe())
world.shell(f"setsid bash -c 'exec -a {sys.argv[3]} sleep 60' & bash -c 'exec -a {sys.argv[3]} sleep 60'")
"""


@add(38, "an agent that is killed takes its commands along")
def killed_agent(world: World) -> bool:
    word = f"orphan-{world.canary}"
    command = [sys.executable, "-I", "-c", AGENT, world.folder / "agent", world.tier.value, word, *sys.path[:2]]
    agent = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE)
    sleeping = f"{word}\0sleep"
    try:
        world.control(until(lambda: len([pid for pid in survivors(word) if comm(pid) == "sleep"]) >= 2, 15))
    finally:
        agent.kill()
        _, said = agent.communicate()
    world.evidence.append(said.decode()[-300:] + sleeping[:0])
    left = [] if until(lambda: not survivors(word), 3) else survivors(word)
    end(left)
    return bool(left)


def comm(pid: int) -> str:
    """The name of a process's program."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""
