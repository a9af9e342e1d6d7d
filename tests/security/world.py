"""One attack's own small world: a home, a workspace with a repository, an outside with things to harm, and the ways in.

Commands go through `run_command` with the boundary that the policy draws, files through the toolbox, as in the product. In the tier
"none" the permission is full: there an attack shows that it would do harm, where nothing holds it.
"""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from kimicode.messages import ToolCall, ToolResult, ToolSpec
from kimicode.repo.codebase import Codebase
from kimicode.sandbox.boundary import Boundary, Limits, Network, Tier
from kimicode.sandbox.capture import Capture
from kimicode.sandbox.policy import Permission, Policy, boundary_of
from kimicode.sandbox.probe import Capabilities
from kimicode.sandbox.run import Sandbox, run_contained
from kimicode.tools import patch
from kimicode.tools.base import ToolContext
from kimicode.tools.registry import Toolbox, default_tools

LIMITS = Limits(memory_bytes=384 << 20, processes=64, file_bytes=4 << 20, open_files=256)


class Ran(msgspec.Struct, frozen=True):
    """A command's output and exit code (None: it was stopped)."""

    output: str
    exit_code: int | None


class World:
    """Everything of one attack. `canary` is a word that is nowhere else."""

    def __init__(self, folder: Path, tier: Tier, capabilities: Capabilities) -> None:
        self.tier = tier
        self.capabilities = capabilities
        self.folder = folder
        self.canary = f"canary{secrets.token_hex(6)}"
        self.home, self.workspace, self.outside = folder / "home", folder / "ws", folder / "outside"
        self.data, self.temporary, self.scratch = folder / "data", folder / "temporary", folder / "scratch"
        for each in (self.home, self.workspace / "src", self.outside, self.data, self.scratch):
            each.mkdir(parents=True)
        self.temporary.mkdir(mode=0o700)
        self.victim = self.outside / "victim"
        self.victim.write_text("untouched\n")
        self.victim.chmod(0o640)
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}
        self.controls: list[bool] = []
        self.evidence: list[str] = []

    @property
    def contained(self) -> bool:
        """True where something is to hold the attack."""
        return self.tier is not Tier.NONE

    @property
    def policy(self) -> Policy:
        """What tools and commands may touch."""
        if not self.contained:
            return Policy(Permission.FULL, self.workspace)
        boundary = self.boundary()
        return Policy(Permission.WORKSPACE, self.workspace, (self.scratch,), hidden=boundary.hidden, home=self.home)

    def boundary(self, **changes: object) -> Boundary:
        """The lines, as the product draws them."""
        permission = Permission.WORKSPACE if self.contained else Permission.FULL
        drawn = boundary_of(
            Policy(permission, self.workspace, (self.scratch,), home=self.home),
            temporary=self.temporary,
            environ=self.environ,
            home=self.home,
            kimicode_home=self.data,
            limits=LIMITS,
            network=Network() if self.contained else Network("all"),
        )
        return msgspec.structs.replace(drawn, **changes)

    def shell(
        self, command: str, *, timeout_s: float = 20, control: bool = True, environ: Mapping[str, str] | None = None, **changes: object
    ) -> Ran:
        """Run it. It can use $OUT, $HOME and $PY; that it ran and could write in the workspace is the positive control."""
        mark = f"ran-{secrets.token_hex(4)}"
        more = {} if environ is None else dict(environ)
        boundary = self.boundary(**changes)
        env = {**boundary.environ, "OUT": str(self.outside), "WS": str(self.workspace), "PY": sys.executable, **more}
        capture = Capture(self.scratch, "shell", limit=30_000, head=15_000, tail=15_000, max_spill=1 << 20)
        whole = f"echo ran > {mark}\n{command}"
        sandbox = Sandbox(msgspec.structs.replace(boundary, environ=env), self.tier, self.capabilities, self.data / "placeholders")
        done = asyncio.run(run_contained(whole, sandbox, timeout_s=timeout_s, capture=capture))
        file = self.workspace / mark
        if control:
            self.controls.append(file.exists() and file.read_text() == "ran\n")
        ran = Ran(done.output.head + done.output.tail, done.exit_code)
        self.evidence.append(f"[{ran.exit_code}] {ran.output[-300:].strip()}")
        return ran

    def python(self, code: str, *arguments: object, **options: object) -> Ran:
        """Run Python code as a command."""
        script = self.workspace / f"probe-{secrets.token_hex(4)}.py"
        script.write_text(code)
        words = " ".join(f"'{argument}'" for argument in arguments)
        return self.shell(f'"$PY" -I {script} {words}', **options)  # type: ignore[arg-type]

    def tool(self, name: str, **arguments: object) -> ToolResult:
        """Call a tool."""
        patching = patch.Patch(ToolSpec("patch", "", {"type": "object", "properties": patch.PROPERTIES, "required": ["patch"]}))
        code = Codebase(self.workspace, {"PATH": os.environ["PATH"], "HOME": str(self.home)}, cache=self.scratch / "index")
        box = Toolbox((*default_tools(), patching), ToolContext(self.workspace, self.policy, self.scratch, code=code))
        try:
            result = asyncio.run(box.run(ToolCall("1", name, json.dumps(arguments))))
        finally:
            code.close()
        self.evidence.append(f"{name}: {result.content[:200]}")
        return result

    def control(self, held: bool) -> None:
        """Something that has to be true for the attack to prove anything."""
        self.controls.append(held)

    @property
    def intact(self) -> bool:
        """True while the outside is as it was."""
        found = self.victim.lstat() if self.victim.exists() else None
        return (
            found is not None
            and found.st_mode & 0o7777 == 0o640
            and self.victim.read_text() == "untouched\n"
            and os.listdir(self.outside) == ["victim"]
        )

    def git(self, *arguments: str, cwd: Path | None = None) -> None:
        """Git, from outside, as the user."""
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1"}
        who = ("-c", "user.name=u", "-c", "user.email=u@example.org", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *who, *arguments], cwd=cwd or self.workspace, env=environ, check=True, capture_output=True)


def until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """True as soon as `condition` holds, False when it has not for that long."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        os.sched_yield()
    return True
