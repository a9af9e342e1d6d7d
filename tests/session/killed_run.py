"""Scripted runs, each in a process of its own that is killed (SIGKILL) at its N-th write, for N = 1, 2, … until one survives.

Arguments: a folder for the logs `N.jsonl`, and `before` | `half` | `after`: where in the write. Prints how each process ended.
"""

import asyncio
import itertools
import json
import os
import signal
import sys
from pathlib import Path

from kimicode.agent.loop import Agent
from kimicode.agent.opening import opening_for
from kimicode.errors import ToolError
from kimicode.events import SessionStarted
from kimicode.messages import Assistant, ToolCall, ToolResult
from kimicode.model import ScriptedClient
from kimicode.session.log import SessionLog
from kimicode.tools.base import Accesses


class Killer:
    def __init__(self, at, where):
        self.at, self.where, self.count = at, where, 0

    def write(self, fd, data):
        self.count += 1
        if self.count != self.at:
            return os.write(fd, data)
        part = {"before": b"", "half": data[: len(data) // 2], "after": data}[self.where]
        os.write(fd, part)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")


class Tools:
    specs = ()

    def accesses(self, call):
        return Accesses(everything=call.name == "write")

    async def run(self, call):
        return ToolResult(call.id, call.name, f"did {json.loads(call.arguments)['n']}")


def calls(first, *names):
    return tuple(ToolCall(f"functions.{name}:{first + n}", name, json.dumps({"n": first + n})) for n, name in enumerate(names))


SCRIPT = [
    Assistant("Look\u2028first.\n", "thinking", calls(0, "read", "read")),
    Assistant("", "more", calls(2, "write", "read", "write")),
    Assistant("All\ndone."),
]


def run(path, at, where):
    killer = Killer(at, where)
    with SessionLog(path, write=killer.write) as log:
        log.append(SessionStarted("s", "/w", "scripted", "scripted", "workspace", ()))
        agent = Agent(ScriptedClient(SCRIPT), Tools(), log.append, opening=opening_for("lean", _never))
        return asyncio.run(agent.submit("fix it")).exit_code


def main(folder, where):
    for at in itertools.count(1):
        pid = os.fork()
        if pid == 0:
            os._exit(run(folder / f"{at}.jsonl", at, where))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        if not os.WIFSIGNALED(status):
            return


def _never():
    raise ToolError("the lean opening looks at nothing")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
