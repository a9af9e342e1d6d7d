"""What a session does around the calls of its tools: contents are kept before they change, changes become events, commands are held.

A change that can't be recorded is not made. The filtering proxy, where rules allow hosts, is started with the first command and lives as
long as the session. What this module does not do: judge a call (`tools.gate`), or bring anything back (`session.rewind`).
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec

from kimicode.events import Event, Notice, ToolOutput
from kimicode.safety import Safety
from kimicode.sandbox.policy import Permission, Policy
from kimicode.sandbox.proxy import Decision, Proxy
from kimicode.session.changes import Changes
from kimicode.session.store import SessionStore
from kimicode.tools.base import ToolContext, Touches
from kimicode.tools.gate import Gate
from kimicode.tools.hands import Hands


class Keeping:
    """The keeper of one session. `strict`: files must be read before they are changed. Close it with `aclose`.

    `scratch` is the session's own folder; commands have their temporary files in it, and these go with the session.
    """

    def __init__(
        self,
        safety: Safety,
        gate: Gate,
        store: SessionStore,
        emit: Callable[[Event], None],
        *,
        scratch: Path,
        environ: Mapping[str, str],
        strict: bool,
    ) -> None:
        self._safety = safety
        self._emit = emit
        self._scratch = scratch
        self._temporary: Path | None = None
        self._environ = environ
        self._exit = _Exit(gate, emit) if safety.asks_hosts else None
        self._changes = Changes(store.root, safety.policy.workspace)
        self._hands = Hands(safety.policy, locks=store.locks, journal=store.journal, keep=self._changes.keep, strict=strict)

    def keeping(self, call_id: str, touches: Touches, context: ToolContext) -> AbstractAsyncContextManager[ToolContext]:
        """See `tools.base.Keeper`."""
        return self._files(call_id, context) if touches.command is None else self._command(call_id, context)

    def looking(self, policy: Policy) -> Hands:
        """See `tools.base.Keeper`."""
        return self._hands.for_look(policy)

    async def aclose(self) -> None:
        """End the proxy, let go of what is kept, and remove the commands' temporary files."""
        if self._exit is not None:
            await self._exit.aclose()
        self._changes.close()
        if self._temporary is not None:
            await asyncio.to_thread(shutil.rmtree, self._temporary, ignore_errors=True)

    @asynccontextmanager
    async def _files(self, call_id: str, context: ToolContext) -> AsyncIterator[ToolContext]:
        hands = self._hands.for_call(context.policy, lambda states: self._emit(self._changes.edited(call_id, states)), context.promised)
        yield msgspec.structs.replace(context, hands=hands)

    @asynccontextmanager
    async def _command(self, call_id: str, context: ToolContext) -> AsyncIterator[ToolContext]:
        proxy = await self._exit.socket() if self._exit is not None else None
        if self._temporary is None:
            # The parents first: `mkdtemp` makes the last folder alone, private and under a name that nobody can guess.
            self._scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._temporary = Path(tempfile.mkdtemp(prefix="tmp-", dir=self._scratch))
        held = msgspec.structs.replace(
            context,
            sandbox=self._safety.sandbox(self._temporary, self._environ, proxy),
            tell=lambda text: self._emit(ToolOutput(call_id, text)),
        )
        if self._safety.permission is Permission.READ_ONLY:
            # It can't change anything, so there is nothing to look for.
            yield held
            return
        for notice in await asyncio.to_thread(self._changes.before_command):
            self._emit(notice)
        try:
            yield held
        finally:
            # A cancelled command has changed files all the same.
            for event in await asyncio.shield(asyncio.to_thread(self._changes.after_command, call_id)):
                self._emit(event)


class _Exit:
    """The filtering proxy, started when it is first needed, on a socket in a folder of its own: a long path would not do for a socket."""

    def __init__(self, gate: Gate, emit: Callable[[Event], None]) -> None:
        self._gate = gate
        self._emit = emit
        self._folder: Path | None = None
        self._proxy: Proxy | None = None

    async def socket(self) -> Path:
        """Where it listens."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="kimicode-"))
            self._proxy = Proxy(self._gate.host, log=self._tell)
            await self._proxy.listen_at(self._folder / "proxy")
        return self._folder / "proxy"

    def _tell(self, decision: Decision) -> None:
        """Programs show only the number of a refusal, if anything."""
        if not decision.allowed:
            self._emit(Notice(f"A command could not reach {decision.host}:{decision.port}: {decision.reason}", "warning"))

    async def aclose(self) -> None:
        if self._proxy is not None:
            await self._proxy.aclose()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
