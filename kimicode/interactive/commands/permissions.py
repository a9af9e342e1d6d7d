"""`/permission`, `/permissions`, `/trust`: what tools may do, why, and how a command would be judged.

What this module does not do: judge (`sandbox.verdict`), or contain anything.
"""

import asyncio
from pathlib import Path
from typing import Final, get_args

import msgspec

from kimicode.errors import KimicodeError, UsageError
from kimicode.home import kimicode_home
from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.interactive.person import Code, Menu, Option, Page, Part, Rows, Words
from kimicode.interactive.switching import reopen
from kimicode.safety import Safety, secure
from kimicode.sandbox.commands.analysis import analyse
from kimicode.sandbox.grants import Grants
from kimicode.sandbox.rules import Decision
from kimicode.sandbox.trust import Absent, Trusted, TrustStore, read_repository_rules, revoke
from kimicode.sandbox.trust import trust as trust_bytes
from kimicode.sandbox.verdict import Verdict, judge_command
from kimicode.settings import PermissionName
from kimicode.text import render_exact

_EXPLAINED: Final = {
    "read-only": "It may look at files and search. It can't change anything.",
    "workspace": "It may change this folder and run commands in the sandbox. Anything else is asked about.",
    "full": "Nothing contains it: tools and commands can do whatever you can, without asking.",
}
_SAID: Final = {
    Decision.ALLOW: "It would run without asking.",
    Decision.ASK: "You would be asked.",
    Decision.DENY: "It would be refused.",
}


async def permission(desk: Desk, argument: str) -> None:
    """What tools may do."""
    names: tuple[str, ...] = get_args(PermissionName)
    if argument and argument not in names:
        raise UsageError(f"there is no permission {argument!r}", hint=f"Choose one of: {', '.join(names)}.")
    wanted = argument
    if not wanted:
        options = tuple(Option(name, words, current=name == desk.status.permission) for name, words in _EXPLAINED.items())
        chosen = await desk.person.choose(Menu("What may the agent do?", options))
        if chosen is None:
            return
        wanted = tuple(_EXPLAINED)[chosen]
    if wanted == "full" and not await desk.person.confirm("Let the agent do whatever you can do?", detail=_EXPLAINED["full"]):
        return
    await reopen(desk, msgspec.structs.replace(desk.settings, permission=wanted))
    desk.person.say(f"Permission is {wanted}. {_EXPLAINED[wanted]}")


async def permissions(desk: Desk, argument: str) -> None:
    """The rules in force; or what would happen with a command."""
    safety = await asyncio.to_thread(_safety, desk)
    page = _rules(desk, safety) if not argument else await asyncio.to_thread(_judged, argument, safety, desk.host.grants)
    await desk.person.show(page)


def _safety(desk: Desk) -> Safety:
    scratch = desk.host.store.scratch(desk.session_id or "none")
    return secure(desk.settings, desk.workspace, desk.environ, scratch=scratch)


def _rules(desk: Desk, safety: Safety) -> Page:
    parts: list[Part] = [
        Rows((("permission", f"{safety.permission.value}: {_EXPLAINED[safety.permission.value]}"), ("sandbox", safety.described))),
    ]
    rules = tuple((rule.decision.value, rule.text, rule.where) for rule in safety.rules.all)
    parts.append(Rows(rules, ("", "rule", "from")) if rules else Words("There are no rules."))
    granted = _granted(desk.host.grants)
    if granted:
        parts += [Words("Allowed for this session:"), Rows(granted)]
    parts += [Words(notice.text) for notice in safety.notices]
    parts.append(Words("A deny rule wins over all, then ask, then allow. /permissions COMMAND says how a command would be judged."))
    return Page("Permissions", tuple(parts))


def _granted(grants: Grants) -> tuple[tuple[str, str], ...]:
    return (
        *(("run", render_exact(text)) for text in sorted(grants.commands)),
        *(("read", render_exact(path)) for path in sorted(grants.reads)),
        *(("write", render_exact(path)) for path in sorted(grants.writes)),
        *(("reach", render_exact(f"{host}:{port}")) for host, port in sorted(grants.hosts)),
        *(("use", render_exact(tool)) for tool in sorted(grants.tools)),
    )


def _judged(command: str, safety: Safety, grants: Grants | None) -> Page:
    analysis = analyse(command)
    verdict = judge_command(analysis, safety.rules, grants or Grants(), safety.situation)
    rows = tuple((part.kind, render_exact(part.source)) for part in analysis.parts)
    found: tuple[Part, ...] = (Words("What it is made of:"), Rows(rows)) if rows else ()
    return Page("How it would be judged", (Code(render_exact(command), "bash"), Words(_answer(verdict, safety)), *_why(verdict), *found))


def _answer(verdict: Verdict, safety: Safety) -> str:
    if safety.tier is None and verdict.decision is not Decision.DENY:
        return "It would be refused: no sandbox works here, and the settings don't say to do without."
    held = f" The sandbox ({safety.described}) would hold it." if safety.situation.contained and verdict.decision is Decision.ALLOW else ""
    return f"{_SAID[verdict.decision]}{held}"


def _why(verdict: Verdict) -> tuple[Part, ...]:
    rows = [("why", verdict.reason)] if verdict.reason else []
    rows += [("because of", render_exact(text)) for text in verdict.shown]
    rows += [("not understood", text) for text in verdict.unknown]
    if verdict.rule and verdict.decision is Decision.ASK:
        rows.append(("rule that would allow it", f'allow = ["{verdict.rule}"]'))
    return (Rows(tuple(rows)),) if rows else ()


async def trust(desk: Desk, argument: str) -> None:
    """The rules that this project brings along."""
    store = TrustStore(kimicode_home(desk.environ))
    workspace = desk.workspace.resolve()
    if argument not in ("", "revoke"):
        raise UsageError(f"/trust can't be {argument!r}", hint="Write /trust, or /trust revoke.")
    if argument:
        known = await asyncio.to_thread(revoke, workspace, store)
        desk.person.say("This project is trusted no longer." if known else "This project was not trusted.")
    elif not await _trusted(desk, workspace, store):
        return
    if desk.busy:
        desk.person.say("It counts from the next session on.")
    else:
        await reopen(desk, desk.settings)


async def _trusted(desk: Desk, workspace: Path, store: TrustStore) -> bool:
    """Show the rules and ask; true where they are trusted from now on."""
    found = await asyncio.to_thread(read_repository_rules, workspace, store)
    if isinstance(found, Absent):
        desk.person.say("This project brings no rules along: there is no .kimicode/settings.toml.")
        return False
    texts = await asyncio.to_thread(lambda: [(name, _read(workspace / name)) for name in found.files])
    parts = tuple(part for name, text in texts for part in (Words(name), Code(render_exact(text), "toml")))
    await desk.person.show(Page("Rules of this project", parts))
    if isinstance(found, Trusted):
        desk.person.say("These rules are trusted already.")
        return False
    question = "Trust these rules, as long as they stay as they are?"
    if not await desk.person.confirm(question, detail="What they allow, commands in this project may do without asking."):
        return False
    await asyncio.to_thread(trust_bytes, workspace, store, found.digest)
    desk.person.say("Trusted. /trust revoke takes it back.")
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KimicodeError(f"can't show {path}: {error}") from error


COMMANDS: Final = (
    Command(
        "permission", "What the agent may do", permission, "[read-only|workspace|full]", while_busy=False,
        complete=lambda _desk: tuple(_EXPLAINED),
    ),
    Command("permissions", "The rules in force, or how a command would be judged", permissions, "[COMMAND]"),
    Command("trust", "Let the rules of this project count, after a look at them", trust, "[revoke]", complete=lambda _desk: ("revoke",)),
)  # fmt: skip
