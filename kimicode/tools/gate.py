"""The gate: every call is judged before it runs, and a person is asked where the rules say so and somebody is there.

A call that may not run is a `RefusedError` with the reason; one that a person allowed for a path outside the workspace gets a policy
that opens that path, for this call. What was allowed for the session lives here, not in the transcript: nothing that happens to the
conversation changes it. What this module does not do: contain what runs (`sandbox.run`), or draw the question (an `Approver` does).
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kimicode.errors import RefusedError
from kimicode.sandbox.approval import Answer, Approver, Choice, Question
from kimicode.sandbox.commands.analysis import analyse
from kimicode.sandbox.executable import executable_config
from kimicode.sandbox.grants import Grants
from kimicode.sandbox.policy import Policy
from kimicode.sandbox.rules import Decision, Rules, Where
from kimicode.sandbox.verdict import Situation, Verdict, judge_command, judge_commit, judge_host, judge_path, judge_tool, unattended
from kimicode.tools.base import Touches

_SHOWN: Final = 300
_COMMITS: Final = "git"
"""The one tool whose commands are not the sandbox's to hold: kimicode makes the commit itself."""


class Gate:
    """Judges the calls of one session by `rules` and what the permission of `policy` says by itself.

    `situation` and `where` are what verdicts need to know of the surroundings. `approver` is None where nobody is there.
    """

    def __init__(
        self,
        policy: Policy,
        rules: Rules,
        situation: Situation,
        where: Where,
        *,
        approver: Approver | None = None,
        grants: Grants | None = None,
    ) -> None:
        self.grants = grants or Grants()
        self._policy = policy
        self._rules = rules
        self._situation = situation
        self._where = where
        self._approver = approver
        # One question at a time: two at once would make a person answer the wrong one.
        self._asking = asyncio.Lock()

    async def admit(self, tool: str, touches: Touches, policy: Policy) -> Policy:
        """The policy for a call that may run: `policy`, with what was allowed beyond it opened. Raises `RefusedError`, `ToolError`."""
        await self._require(judge_tool(tool, self._rules, self.grants), tool, tool, lambda: self.grants.with_tool(tool))
        if touches.command is not None:
            await self._admit_command(tool, touches.command)
        opened = policy
        for names, write in ((touches.reads, False), (touches.writes, True)):
            for name in names:
                # Judged by the policy as it was: what one path opened must not let its neighbour pass.
                if await self._admit_path(tool, name, policy, write=write):
                    opened = opened.opened(policy.real(name), write=write)
        return opened

    async def host(self, host: str, port: int) -> bool:
        """May a command reach this host? Asks where it must."""
        verdict = judge_host(host, port, self._rules, self.grants, permission=self._situation.permission)
        try:
            await self._require(verdict, "network", f"{host}:{port}", lambda: self.grants.with_host(host, port))
        except RefusedError:
            return False
        return True

    async def _admit_command(self, tool: str, command: str) -> None:
        analysis = analyse(command)
        judge = judge_commit if tool == _COMMITS else judge_command
        verdict = judge(analysis, self._rules, self.grants, self._situation)
        await self._require(verdict, tool, command, lambda: self.grants.with_command(analysis))

    async def _admit_path(self, tool: str, name: str, policy: Policy, *, write: bool) -> bool:
        """Whether the path has to be opened beyond `policy`. Raises `RefusedError` where it may not be touched."""
        real = policy.real(name)
        inside = _opens(policy, name, write=write)
        verdict = judge_path(
            str(real),
            self._rules,
            self.grants,
            access="write" if write else "read",
            permission=self._situation.permission,
            inside=inside is None,
            where=self._where,
        )
        if inside is not None and (verdict.decision is Decision.DENY or not policy.can_open(real, write=write)):
            # What no rule can open is refused in the policy's own words.
            raise inside
        if inside is not None and verdict.decision is Decision.ASK and self._approver is None:
            raise RefusedError(inside.message, hint=f'{inside.hint} `allow = ["{verdict.rule}"]` in the settings would allow it, too.')
        grant = self.grants.with_write if write else self.grants.with_read
        executable = (name,) if write and self._runs(real) else ()
        await self._require(verdict, tool, str(real), lambda: grant(str(real)), executable=executable)
        return inside is not None

    async def _require(
        self, verdict: Verdict, tool: str, shown: str, grant: Callable[[], Grants], *, executable: tuple[str, ...] = ()
    ) -> None:
        if verdict.decision is Decision.ASK and self._approver is not None:
            async with self._asking:
                question = Question(tool, shown, verdict.reason, verdict.shown, executable)
                await self._answered(await self._approver.ask(question), tool, grant)
            return
        verdict = unattended(verdict)
        if verdict.decision is not Decision.ALLOW:
            raise RefusedError(f"{tool}: {verdict.reason} ({_short(shown)})")

    def _runs(self, path: Path) -> bool:
        root = self._policy.workspace.resolve()
        return executable_config(path.relative_to(root).parts if path.is_relative_to(root) else path.parts[-1:])

    async def _answered(self, answer: Answer, tool: str, grant: Callable[[], Grants]) -> None:
        match answer.choice:
            case Choice.ONCE:
                return
            case Choice.SESSION | Choice.ALWAYS:
                self.grants = grant()
            case Choice.NO:
                raise RefusedError(f"{tool}: the user said no", hint=answer.feedback)


def _opens(policy: Policy, name: str, *, write: bool) -> RefusedError | None:
    """Why the policy alone does not open the path, None where it does."""
    try:
        (policy.writable if write else policy.readable)(name)
    except RefusedError as error:
        return error
    return None


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
