"""`/review`, `/doctor`, `/map`, `/symbols`, `/engine`: kimicode's own command line, run beside this process and shown as a page.

Where a command has a JSON form that is read. What takes long can be stopped. What this module does not do: the work (`kimicode.commands`
and the engine do), or `/commit` (`commands.commit`).
"""

import shlex
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from kimicode.errors import KimicodeError, UsageError
from kimicode.interactive.child import Ended, run_child, run_shown
from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.interactive.person import Code, Page, Part, Rows, Words
from kimicode.interactive.wording import counted, percent
from kimicode.model.engine_state import engine_places
from kimicode.model.target import resolve

_T = TypeVar("_T")

_BLOCKED: Final = 3
_REVIEWED: Final = ("staged", "uncommitted", "base REV", "commit REV")


class _Finding(msgspec.Struct, frozen=True):
    path: str
    line: int
    severity: str
    confidence: float
    title: str
    scenario: str = ""
    suggestion: str = ""
    quote: str = ""
    blocks: bool = False


class _Left(msgspec.Struct, frozen=True):
    why: str
    paths: tuple[str, ...] = ()
    detail: str = ""


class _Report(msgspec.Struct, frozen=True):
    reviewed: str
    verdict: str
    model: str = ""
    findings: tuple[_Finding, ...] = ()
    omissions: tuple[_Left, ...] = ()
    refuted: int = 0


class _Check(msgspec.Struct, frozen=True):
    name: str
    state: str
    found: str
    advice: str = ""


class _Checks(msgspec.Struct, frozen=True):
    ok: bool
    checks: tuple[_Check, ...]


async def review(desk: Desk, argument: str) -> None:
    """A review of a change."""
    ended = await _shown(desk, "Reviewing", ("review", "--format", "json", *_target(argument), *_model_flags(desk)))
    if ended is None:
        return
    if ended.code not in (0, _BLOCKED) or not ended.out.strip():
        raise KimicodeError(ended.complaint)
    await desk.person.show(_report_page(_decoded(ended.out, _Report)))


def _target(argument: str) -> tuple[str, ...]:
    match argument.split():
        case []:
            return ("--uncommitted",)
        case ["staged" | "uncommitted" as what]:
            return (f"--{what}",)
        case ["base" | "commit" as what, revision] if not revision.startswith("-"):
            return (f"--{what}", revision)
        case _:
            raise UsageError(f"/review can't be {argument!r}", hint=f"Write one of: {', '.join(_REVIEWED)}.")


def _model_flags(desk: Desk) -> tuple[str, ...]:
    """The session's own model, unless the settings name one for reviews."""
    chosen = desk.settings.review
    model, endpoint = chosen.model or desk.settings.model, chosen.endpoint or desk.settings.endpoint
    return (*(("--model", model) if model else ()), *(("--endpoint", endpoint) if endpoint else ()))


def _report_page(report: _Report) -> Page:
    said = {"pass": "Nothing blocks.", "block": "Something blocks.", "incomplete": "Nothing blocks, but not everything was reviewed."}
    words = f"{report.reviewed}: {counted(len(report.findings), 'finding')}. {said.get(report.verdict, report.verdict)}"
    parts: list[Part] = [Words(words + (f" {report.refuted} did not hold." if report.refuted else ""))]
    for found in report.findings:
        mark = "blocks · " if found.blocks else ""
        parts.append(Words(f"{found.path}:{found.line}  {mark}{found.severity} ({percent(found.confidence)})\n{found.title}"))
        parts += [Words(text) for text in (found.scenario, found.suggestion) if text]
        if found.quote:
            parts.append(Code(found.quote))
    parts += [
        Words(f"Not reviewed ({left.why}): {', '.join(left.paths) or 'everything'}. {left.detail}".strip()) for left in report.omissions
    ]
    return Page("Review", tuple(parts))


async def doctor(desk: Desk, _argument: str) -> None:
    """What works here, and what to do about the rest."""
    ended = await _shown(desk, "Looking at everything", ("doctor", "--json"))
    if ended is None:
        return
    if not ended.out.strip():
        raise KimicodeError(ended.complaint)
    found = _decoded(ended.out, _Checks)
    rows: list[tuple[str, ...]] = []
    for check in found.checks:
        rows.append((check.state, check.name, check.found))
        if check.advice:
            rows.append(("", "", check.advice))
    words = Words("kimicode can work here." if found.ok else "Something is missing.")
    await desk.person.show(Page("Doctor", (words, Rows(tuple(rows)))))


async def map_(desk: Desk, argument: str) -> None:
    """The map of this folder."""
    ended = await _shown(desk, "Reading the folder", ("map", "--", *_words(argument)))
    if ended is not None:
        await desk.person.show(Page("Map", (Code(_payload(ended)),)))


async def symbols(desk: Desk, argument: str) -> None:
    """Where a name is defined, and what uses it."""
    if not argument:
        raise UsageError("/symbols wants a name", hint="For example: /symbols Toolbox.run, /symbols src/a.py, /symbols src/a.py:12")
    ended = await _shown(desk, f"Looking for {argument}", ("symbols", "--", argument))
    if ended is not None:
        await desk.person.show(Page(argument, (Code(_payload(ended)),)))


async def engine(desk: Desk, argument: str) -> None:
    """The embedded engine: what it does, where the model lives; start and stop."""
    match argument or "status":
        case "status":
            await desk.person.show(await _engine_page(desk))
        case "start":
            ended = await _shown(desk, "Loading the model", ("engine", "start", "--model", _model_file(desk)))
            if ended is not None:
                desk.person.say(_payload(ended).strip())
        case "stop":
            ended = await run_child(("engine", "stop"), environ=desk.environ, folder=desk.workspace)
            desk.person.say(ended.complaint, "info" if ended.code == 0 else "error")
        case _:
            raise UsageError(f"/engine can't be {argument!r}", hint="Choose one of: status, start, stop.")
    desk.look_around()


def _model_file(desk: Desk) -> str:
    file = resolve(desk.settings.endpoint, desk.settings.model, desk.environ).model_file
    if not file:
        raise UsageError("the model of this session does not run here", hint="/model chooses one that does.")
    return file


async def _engine_page(desk: Desk) -> Page:
    ended = await run_child(("engine", "status"), environ=desk.environ, folder=desk.workspace)
    parts: list[Part] = []
    known = desk.status.engine
    if known is not None:
        hits = "" if known.hits is None else percent(known.hits)
        rows = (
            ("state", known.state),
            ("model", known.model),
            ("parts live in", known.places),
            ("experts", known.experts),
            ("found in memory", hits),
        )
        parts.append(Rows(tuple(row for row in rows if row[1])))
    parts.append(
        Code(ended.out.strip()) if ended.out.strip() else Words("No engine is running. It starts by itself with the first prompt.")
    )
    lives = await engine_places(resolve(desk.settings.endpoint, desk.settings.model, desk.environ), desk.environ) if known else None
    if lives is not None:
        experts = (("experts", lives.experts),) if lives.experts else ()
        runs = "yes" if lives.runs else "no, by the plan"
        parts += [Words("By the plan:"), Rows((("runs here", runs), ("parts live in", lives.places), *experts))]
    return Page("Engine", tuple(parts))


async def _shown(desk: Desk, title: str, arguments: tuple[str, ...]) -> Ended | None:
    return await run_shown(desk.person, title, arguments, environ=desk.environ, folder=desk.workspace)


def _payload(ended: Ended) -> str:
    """What it wrote. Raises `KimicodeError` where it failed."""
    if ended.code != 0:
        raise KimicodeError(ended.complaint)
    return ended.out


def _decoded(text: str, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise KimicodeError(
            f"kimicode's own answer can't be read: {error}", hint="This is a fault in kimicode; please report it."
        ) from None


def _words(argument: str) -> Sequence[str]:
    try:
        return shlex.split(argument)
    except ValueError:
        return argument.split()


COMMANDS: Final = (
    Command(
        "review", "Review what is not committed, or another change", review, f"[{'|'.join(_REVIEWED)}]",
        complete=lambda _desk: ("staged", "uncommitted", "base ", "commit "),
    ),
    Command("doctor", "What works here, what does not, and what to do", doctor),
    Command("map", "The most important files and definitions of this folder", map_, "[PATHS]"),
    Command("symbols", "Where a name is defined, and what uses it", symbols, "NAME"),
    Command(
        "engine", "The embedded engine: what it does, where the model lives", engine, "[status|start|stop]",
        complete=lambda _desk: ("status", "start", "stop"),
    ),
)  # fmt: skip
