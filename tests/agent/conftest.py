"""Fakes shared by the agent's tests: a toolbox of plain functions, and a rig of agent, events and log."""

import asyncio
import itertools
import json
from pathlib import Path

import pytest

from kimicode.agent.budget import Limits
from kimicode.agent.context import Context
from kimicode.agent.loop import Agent
from kimicode.agent.run import Options
from kimicode.messages import Assistant, System, ToolCall, ToolResult, ToolSpec, User
from kimicode.model import ScriptedClient
from kimicode.tools.base import Accesses


class FakeTools:
    """`read` and `write` on a dictionary, `wait` which waits for an event, `stubborn` which ignores being cancelled."""

    def __init__(self):
        self.files = {"a.py": "x = 1\n"}
        self.started = []
        self.running = 0
        self.most_running = 0
        self.changed = asyncio.Condition()
        self.waiting = asyncio.Event()
        self.release = asyncio.Event()
        self.stubborn_release = asyncio.Event()

    @property
    def specs(self):
        return tuple(ToolSpec(name, name, {"type": "object", "properties": {}}) for name in ("read", "wait", "write"))

    def accesses(self, call):
        args = _args(call)
        path = (Path("/w") / str(args.get("path", "")),)
        match call.name:
            case "read":
                return Accesses(reads=path)
            case "write":
                return Accesses(writes=path)
            case "shell":
                return Accesses(everything=True)
            case _:
                return Accesses()

    async def until(self, *, running, started=0):
        """Wait until so many calls are running and at least so many have been started."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.running == running and len(self.started) >= started)

    async def run(self, call):
        self.started.append(call.id)
        await self._count(1)
        try:
            await asyncio.sleep(0)
            text, ok = await self._act(call.name, _args(call))
        finally:
            await self._count(-1)
        return ToolResult(call.id, call.name, text, ok)

    async def _count(self, change):
        self.running += change
        self.most_running = max(self.most_running, self.running)
        async with self.changed:
            self.changed.notify_all()

    async def _act(self, name, args):
        match name:
            case "read" if args.get("path") in self.files:
                return self.files[args["path"]], True
            case "write":
                self.files[args["path"]] = args.get("content", "")
                return f"Wrote {args['path']}: 1 lines.", True
            case "shell":
                return f"ran {args.get('command')}\n[exit 0]", True
            case "wait":
                self.waiting.set()
                await self.release.wait()
                return "waited", True
            case "stubborn":
                self.waiting.set()
                while not self.stubborn_release.is_set():
                    try:
                        await self.stubborn_release.wait()
                    except asyncio.CancelledError:
                        continue
                return "late", True
            case "broken":
                raise ZeroDivisionError("a fault in the tool")
            case _:
                return "Error: no such file", False


def _args(call):
    try:
        return json.loads(call.arguments)
    except ValueError:
        return {}


class Rig:
    """An agent on a script, with all its events in a list. `on_event(index, event)` may act in the middle."""

    def __init__(
        self, script, *, limits=None, contract=None, context=(), step=0, grace=3.0, on_event=None, model=None, tools=None, emit=None
    ):
        self.model = model or ScriptedClient(script)
        self.tools = tools or FakeTools()
        self.events = []
        self.on_event = on_event
        self.agent = Agent(
            self.model,
            self.tools,
            emit or self._emit,
            opening=lambda words: (System("be good"), User(words)),
            context=Context(context),
            options=Options(limits=limits or Limits(), grace=grace),
            contract=contract,
            step=step,
        )

    def _emit(self, event):
        self.events.append(event)
        if self.on_event is not None:
            self.on_event(len(self.events) - 1, event)

    @property
    def messages(self):
        return self.agent.context.messages

    def run(self, prompt="fix it"):
        return asyncio.run(self.agent.submit(prompt))


_numbers = itertools.count()


def call(name, call_id=None, **args):
    return ToolCall(call_id or f"functions.{name}:{next(_numbers)}", name, json.dumps(args))


def calls(*several, text="", reasoning="hm"):
    return Assistant(text, reasoning, several)


@pytest.fixture(scope="session")
def rig():
    return Rig


@pytest.fixture(scope="session")
def make_call():
    return call


@pytest.fixture(scope="session")
def make_calls():
    return calls
