"""The gate: every call is judged before it runs, and a person is asked where the rules say so and somebody is there.

A call that may not run is a `RefusedError` with the reason; one that a person allowed for a path outside the workspace gets a policy
that opens that path, for this call. What was allowed for the session lives here, not in the transcript: nothing that happens to the
conversation changes it; "always" goes into the settings as well. What this module does not do: contain what runs (`sandbox.run`), draw
the question (an `Approver` does), or find out what a call would change (`foresight` does).
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeAlias, assert_never

import msgspec

from kimicode.errors import KimicodeError, RefusedError, ToolError
from kimicode.events import Decided, Event, Notice
from kimicode.sandbox.approval import Answer, Approver, Choice, FileText, Question, Turns
from kimicode.sandbox.commands.analysis import analyse
from kimicode.sandbox.executable import executable_config
from kimicode.sandbox.grants import Grants
from kimicode.sandbox.policy import Policy
from kimicode.sandbox.rules import Decision, Rules, Where, parse_rules
from kimicode.sandbox.verdict import (
    Situation,
    Verdict,
    judge_command,
    judge_commit,
    judge_host,
    judge_path,
    judge_tool,
    lasting_rule,
    unattended,
)
from kimicode.text import well_formed
from kimicode.tools.base import Touches

_SHOWN: Final = 300
_COMMITS: Final = "git"
"""The one tool whose commands are not the sandbox's to hold: kimicode makes the commit itself."""

Foresee: TypeAlias = Callable[[Policy], Awaitable[tuple[FileText, ...]]]
"""The whole change that a call would make under a policy. Raises what the call would raise."""

Files: TypeAlias = Callable[[], Awaitable[tuple[FileText, ...]]]

Remember: TypeAlias = Callable[[str], None]
"""Puts an allow rule into the user's settings. Raises `KimicodeError`."""


class _Matter(msgspec.Struct, frozen=True):
    """One thing to decide about a call: what a person would be shown of it, how it is judged, and what a yes for the session grants."""

    tool: str
    shown: str
    judge: Callable[[Rules, Grants], Verdict]
    grant: Callable[[Grants], Grants]
    files: Files
    executable: tuple[str, ...] = ()


class Gate:
    """Judges the calls of one session by `rules` and what the permission of `policy` says by itself.

    `situation` and `where` are what verdicts need to know of the surroundings. `approver` is None where nobody is there. `emit` takes
    what a person decided, before it has an effect. Without `remember` nobody can say "always".
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
        turns: Turns | None = None,
        emit: Callable[[Event], None] = lambda _: None,
        remember: Remember | None = None,
    ) -> None:
        self.grants = grants or Grants()
        self._policy = policy
        self._rules = rules
        self._situation = situation
        self._where = where
        self._approver = approver
        self._turns = turns or Turns()
        self._emit = emit
        self._remember = remember

    async def admit(self, tool: str, touches: Touches, policy: Policy, foresee: Foresee | None = None) -> Policy:
        """The policy for a call that may run: `policy`, with what was allowed beyond it opened. Raises `RefusedError`, `ToolError`.

        With `foresee` a person who is asked sees the whole change; a call that would fail anyway fails without a question.
        """
        files = self._foreseeing(touches, policy, foresee)
        await self._require(
            _Matter(tool, tool, lambda rules, grants: judge_tool(tool, rules, grants), lambda old: old.with_tool(tool), files)
        )
        if touches.command is not None:
            await self._admit_command(tool, touches.command, files)
        opened = policy
        for names, write in ((touches.reads, False), (touches.writes, True)):
            for name in names:
                # Judged by the policy as it was: what one path opened must not let its neighbour pass.
                real = await self._admit_path(tool, name, policy, files, write=write)
                if real is not None:
                    opened = opened.opened(real, write=write)
        return opened

    async def host(self, host: str, port: int) -> bool:
        """May a command reach this host? Asks where it must."""

        def judge(rules: Rules, grants: Grants) -> Verdict:
            return judge_host(host, port, rules, grants, permission=self._situation.permission)

        try:
            await self._require(_Matter("network", f"{host}:{port}", judge, lambda old: old.with_host(host, port), _no_files))
        except KimicodeError:
            return False
        return True

    async def _admit_command(self, tool: str, command: str, files: Files) -> None:
        analysis = analyse(command)
        judge = judge_commit if tool == _COMMITS else judge_command
        await self._require(
            _Matter(
                tool,
                command,
                lambda rules, grants: judge(analysis, rules, grants, self._situation),
                lambda old: old.with_command(analysis),
                files,
            )
        )

    async def _admit_path(self, tool: str, name: str, policy: Policy, files: Files, *, write: bool) -> Path | None:
        """What has to be opened beyond `policy`: what was judged and shown, wherever the name leads by now. Raises `RefusedError`."""
        real = policy.real(name)
        inside = _opens(policy, name, write=write)
        judge = self._judge_of(name, policy, write=write)
        verdict = judge(self._all_rules, self.grants)
        if inside is not None and (verdict.decision is Decision.DENY or not policy.can_open(real, write=write)):
            # What no rule can open is refused in the policy's own words.
            raise inside
        if inside is not None and verdict.decision is Decision.ASK and self._approver is None and verdict.rule:
            raise RefusedError(inside.message, hint=f'{inside.hint} `allow = ["{verdict.rule}"]` in the settings would allow it, too.')
        executable = (name,) if write and self._runs(real) else ()
        await self._require(
            _Matter(tool, str(real), judge, lambda old: (old.with_write if write else old.with_read)(str(real)), files, executable)
        )
        return None if inside is None else real

    def _judge_of(self, name: str, policy: Policy, *, write: bool) -> Callable[[Rules, Grants], Verdict]:
        real, inside = str(policy.real(name)), _opens(policy, name, write=write) is None
        permission = self._situation.permission
        return lambda rules, grants: judge_path(
            real, rules, grants, access="write" if write else "read", permission=permission, inside=inside, where=self._where
        )

    async def _require(self, matter: _Matter) -> None:
        """Raises `RefusedError` where the rules or a person say no."""
        verdict = matter.judge(self._all_rules, self.grants)
        if verdict.decision is Decision.ASK and self._approver is not None:
            async with self._turns.mine():
                # What was answered meanwhile may answer this as well.
                verdict = matter.judge(self._all_rules, self.grants)
                if verdict.decision is Decision.ASK:
                    await self._ask(self._approver, matter, verdict)
                    return
        verdict = unattended(verdict)
        if verdict.decision is not Decision.ALLOW:
            raise RefusedError(f"{matter.tool}: {verdict.reason} ({_short(matter.shown)})")

    async def _ask(self, approver: Approver, matter: _Matter, verdict: Verdict) -> None:
        # Calls that began together with this one get to where they wait, and are counted.
        await asyncio.sleep(0)
        rules = self._all_rules
        question = Question(
            matter.tool,
            matter.shown,
            verdict.reason,
            verdict.shown,
            matter.executable,
            rule="" if self._remember is None else lasting_rule(verdict, rules, lambda more: matter.judge(more, Grants())),
            files=await matter.files(),
            behind=self._turns.waiting,
        )
        answer = await approver.ask(question)
        if answer.choice is Choice.ALWAYS and not question.rule:
            answer = msgspec.structs.replace(answer, choice=Choice.SESSION)
        self._emit(Decided(matter.tool, well_formed(matter.shown), answer.choice.value, well_formed(answer.feedback)))
        self._answered(answer, matter, question.rule)

    def _answered(self, answer: Answer, matter: _Matter, rule: str) -> None:
        match answer.choice:
            case Choice.ONCE:
                return
            case Choice.SESSION:
                self.grants = matter.grant(self.grants)
            case Choice.ALWAYS:
                self.grants = matter.grant(self.grants).with_rule(rule)
                self._store(rule)
            case Choice.NO:
                why = f": {answer.feedback}" if answer.feedback else ""
                raise RefusedError(f"{matter.tool}: the user said no{why}")
            case _:
                assert_never(answer.choice)

    def _store(self, rule: str) -> None:
        assert self._remember is not None, "without it there is no rule"
        try:
            self._remember(rule)
        except KimicodeError as error:
            self._emit(Notice(well_formed(f"The rule {rule} holds for this session only: {error}"), "warning"))

    def _foreseeing(self, touches: Touches, policy: Policy, foresee: Foresee | None) -> Files:
        """Looks once, when it is first asked for: all questions about a call show the same change."""
        if foresee is None:
            return _no_files
        found: list[tuple[FileText, ...]] = []

        async def files() -> tuple[FileText, ...]:
            if not found:
                found.append(await self._foreseen(touches, policy, foresee))
            return found[0]

        return files

    async def _foreseen(self, touches: Touches, policy: Policy, foresee: Foresee) -> tuple[FileText, ...]:
        named = (*((name, False) for name in touches.reads), *((name, True) for name in touches.writes))
        reading = {self._judge_of(name, policy, write=False)(self._all_rules, self.grants).decision for name, _ in named}
        if Decision.DENY in reading:
            return ()
        opened = policy
        for name, write in named:
            if _opens(policy, name, write=write) is not None and policy.can_open(real := policy.real(name), write=write):
                opened = opened.opened(real, write=write)
        try:
            return await foresee(opened)
        except (RefusedError, ToolError):
            if reading <= {Decision.ALLOW}:
                raise
            # What is wrong may tell of a file that the model has no leave to look at.
            return ()

    @property
    def _all_rules(self) -> Rules:
        return self._rules + parse_rules({"allow": self.grants.rules}, "this session")

    def _runs(self, path: Path) -> bool:
        root = self._policy.workspace.resolve()
        return executable_config(path.relative_to(root).parts if path.is_relative_to(root) else path.parts[-1:])


async def _no_files() -> tuple[FileText, ...]:
    return ()


def _opens(policy: Policy, name: str, *, write: bool) -> RefusedError | None:
    """Why the policy alone does not open the path, None where it does."""
    try:
        (policy.writable if write else policy.readable)(name)
    except RefusedError as error:
        return error
    return None


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
