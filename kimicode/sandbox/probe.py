"""What this machine can enforce, found out by doing it once: some 30 ms, and the answer is a value to keep.

Versions say little: user namespaces may be forbidden by the distribution, a container or a policy while everything is installed. So
`bwrap` is run with the options that commands get, and the helper cages itself. `bwrap` and the helper's interpreter come from folders
that only the system's owner writes, never from the search path. What this module does not do: decide what a command may do.
"""

import contextlib
import importlib.util
import marshal
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.abc import InspectLoader
from pathlib import Path
from types import CodeType
from typing import Final

import msgspec

from kimicode.errors import RefusedError
from kimicode.sandbox import bubblewrap, landlock, seccomp
from kimicode.sandbox.boundary import Tier

_TRUSTED: Final = ("/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin")
_SEATBELT: Final = Path("/usr/bin/sandbox-exec")
_TIMEOUT_S: Final = 10.0
_ANSWER: Final = re.compile(r"abi=(\d+) seccomp=([01])")
_PROGRAM: Final = 'import marshal;s={"__name__":"helper"};f=open(0,"rb");exec(marshal.load(f),s);print(s["probe"](marshal.load(f)))'
_USERNS_HINT: Final = "user namespaces may be off here (a container, or kernel.apparmor_restrict_unprivileged_userns)"


class Helper(msgspec.Struct, frozen=True):
    """The process that cages a command: an interpreter, and programs that were read once, so that no command can change them later.

    `program` and `bridge` are marshalled code, `needs` the folders that the interpreter must be able to read.
    """

    python: Path
    program: bytes
    bridge: bytes
    needs: tuple[Path, ...]

    @property
    def argv(self) -> tuple[str, ...]:
        """How to start it: it imports nothing that the environment, the user or the current folder could change."""
        return (str(self.python), "-I", "-S", "-E", "-B", "-c")


class Capabilities(msgspec.Struct, frozen=True):
    """What works here. `system` and `machine` are as `os.uname` names them.

    `bubblewrap` is None where it is not there or does not run, and `problem` says why. `modern` is a bubblewrap of 0.8 or later;
    `landlock_abi` is 0 without Landlock.
    """

    system: str
    machine: str
    helper: Helper
    bubblewrap: Path | None = None
    modern: bool = False
    problem: str = ""
    landlock_abi: int = 0
    seccomp: bool = False
    seatbelt: Path | None = None


def probe(trusted: Sequence[str] = _TRUSTED) -> Capabilities:
    """Find out. `trusted` are the folders where `bwrap` may be. Raises `RefusedError` where Python itself can't be found."""
    name = os.uname()
    helper = load_helper()
    found = Capabilities(name.sysname, name.machine, helper, seatbelt=_SEATBELT if _SEATBELT.exists() else None)
    if name.sysname != "Linux" or not seccomp.is_known(name.machine):
        here = f"{name.sysname} on {name.machine}"
        return msgspec.structs.replace(found, problem=f"bubblewrap needs Linux on x86_64 or aarch64; this is {here}")
    abi, filters, _ = _run(helper, name.machine, ())
    path, modern, problem = _probe_bubblewrap(helper, name.machine, trusted)
    return msgspec.structs.replace(found, bubblewrap=path, modern=modern, problem=problem, landlock_abi=abi, seccomp=filters)


def best_tier(capabilities: Capabilities) -> Tier:
    """The strongest that works. Pure."""
    for tier in (Tier.BUBBLEWRAP, Tier.LANDLOCK, Tier.SEATBELT):
        if not why_not(tier, capabilities):
            return tier
    return Tier.NONE


def why_not(tier: Tier, capabilities: Capabilities) -> str:
    """Why `tier` can't be had here, as a sentence for the user; empty where it can. Pure."""
    match tier:
        case Tier.NONE:
            return ""
        case Tier.SEATBELT:
            return "" if capabilities.seatbelt and capabilities.system == "Darwin" else "Seatbelt is there on macOS only."
        case Tier.BUBBLEWRAP | Tier.LANDLOCK if not capabilities.seccomp:
            return f"System calls can't be filtered here (seccomp; {capabilities.system} on {capabilities.machine})."
        case Tier.BUBBLEWRAP:
            return f"{capabilities.problem}." if capabilities.bubblewrap is None else ""
        case _:
            needed = f"Landlock ABI {landlock.MIN_ABI} (Linux 6.2) is needed; this kernel has "
            return "" if capabilities.landlock_abi >= landlock.MIN_ABI else f"{needed}{capabilities.landlock_abi or 'none'}."


def why_not_better(capabilities: Capabilities) -> str:
    """Why the best tier of this machine is not a better one, for `doctor`; empty where there is none better. Pure."""
    match best_tier(capabilities):
        case Tier.BUBBLEWRAP | Tier.SEATBELT:
            return ""
        case Tier.LANDLOCK:
            return why_not(Tier.BUBBLEWRAP, capabilities)
        case Tier.NONE:
            return f"{why_not(Tier.BUBBLEWRAP, capabilities)} {why_not(Tier.LANDLOCK, capabilities)}"


def load_helper() -> Helper:
    """The helper of this installation. Raises `RefusedError` where the interpreter is not known."""
    if not sys.executable:
        raise RefusedError("sandbox: the Python interpreter can't be found", hint="Start kimicode through its own command.")
    # A virtual environment only adds packages and a file to look for: the interpreter behind it starts faster.
    python = Path(sys.executable).resolve()
    needs = dict.fromkeys(Path(os.path.realpath(prefix)) for prefix in (sys.prefix, sys.base_prefix, sys.base_exec_prefix))
    package = Path(__file__).resolve().parent.parent
    return Helper(python, _code("kimicode.sandbox.helper"), _code("kimicode.sandbox.bridge"), (*needs, python.parent, package))


def _code(module: str) -> bytes:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert isinstance(spec.loader, InspectLoader)
    code = spec.loader.get_code(module)
    assert isinstance(code, CodeType)
    return marshal.dumps(code)


def _probe_bubblewrap(helper: Helper, machine: str, trusted: Sequence[str]) -> tuple[Path | None, bool, str]:
    """Where it is if it works, whether it is modern, and what is wrong if it does not."""
    path = next((found for folder in trusted if os.access(found := Path(folder, "bwrap"), os.X_OK)), None)
    if path is None:
        return None, False, f"bubblewrap is not installed (looked for bwrap in {', '.join(trusted)})"
    for modern in (True, False):
        extra = (bubblewrap.NO_MORE_NAMESPACES, "--size", "65536", "--tmpfs", "/run") if modern else ("--tmpfs", "/run")
        keep = [each for need in helper.needs for each in ("--ro-bind-try", str(need), str(need))]
        launcher = (str(path), *bubblewrap.NAMESPACES, *bubblewrap.BASE, *extra, *keep, "--")
        _, works, problem = _run(helper, machine, launcher)
        if works:
            return path, modern, ""
    return None, False, f"{path} does not run: {problem}; {_USERNS_HINT}"


def _run(helper: Helper, machine: str, launcher: Sequence[str]) -> tuple[int, bool, str]:
    """The helper's own findings behind `launcher`: Landlock's ABI, whether seccomp works, and what was said if it failed."""
    order = helper.program + marshal.dumps(seccomp.program(machine, seccomp.Sockets.NONE))
    argv = [*launcher, *helper.argv, _PROGRAM]
    done = None
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(argv, input=order, capture_output=True, timeout=_TIMEOUT_S, check=False, cwd="/", env={})
    if done is None:
        return 0, False, "it could not be started"
    if found := _ANSWER.match(done.stdout.decode("ascii", "replace")):
        return int(found[1]), found[2] == "1", ""
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return 0, False, said[-1] if said else f"exit {done.returncode}"
