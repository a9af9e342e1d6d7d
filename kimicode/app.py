"""The composition root: settings become a model client, tools, a policy and a session, and those an agent.

Every event is appended to the session log before the face that was given sees it. What this module does not do: show anything,
or decide when a run starts.
"""

import importlib
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, cast

import msgspec

from kimicode.agent.answer import Contract
from kimicode.agent.context import Context
from kimicode.agent.loop import Agent
from kimicode.agent.opening import Surroundings, look_around, opening_for
from kimicode.agent.run import Options
from kimicode.errors import ToolError, UsageError
from kimicode.events import Event, MessageAdded, Notice, SessionStarted, ShellRan, StepStarted, Titled, is_kept
from kimicode.home import kimicode_cache, kimicode_home
from kimicode.keeping import Keeping
from kimicode.model.client import ModelClient, Thinking
from kimicode.model.factory import make_client
from kimicode.model.target import resolve
from kimicode.repo.codebase import Codebase
from kimicode.repo.filling import Filling
from kimicode.safety import Safety, secure
from kimicode.sandbox.approval import Approver, Turns
from kimicode.sandbox.grants import Grants
from kimicode.session.clean import clean_if_due
from kimicode.session.log import SessionLog, read_events
from kimicode.session.perform import finish_interrupted
from kimicode.session.replay import Replayed, replay
from kimicode.session.store import SessionStore
from kimicode.settings import Settings, settings_path
from kimicode.text import well_formed
from kimicode.tools.ask import Asker
from kimicode.tools.base import Tool, ToolContext
from kimicode.tools.gate import Gate
from kimicode.tools.paths import may_show
from kimicode.tools.registry import Toolbox, default_tools
from kimicode.wish import Wish

_MAP_S: Final = 1.0
"""A prompt waits so long for the map of a repository; one that is not ready then is left out."""

Face = Callable[[Event], None]
"""Shows an event to whoever watches."""


class Session:
    """An agent with its log and its model, ready for prompts. Close it with `aclose`."""

    def __init__(
        self, session_id: str, agent: Agent, diary: "_Diary", model: ModelClient, gate: Gate, keeping: Keeping, code: "_Code"
    ) -> None:
        self.id = session_id
        self.agent = agent
        self.model = model
        self._diary = diary
        self._gate = gate
        self._keeping = keeping
        self._code = code

    @property
    def grants(self) -> Grants:
        """What the user has allowed so far; a session that goes on in its place may be opened with it."""
        return self._gate.grants

    def emit(self, event: Event) -> None:
        """Log and show an event of the user's own: a command that they ran, a title. Raises `SessionError`."""
        self._diary.emit(event)

    async def aclose(self) -> None:
        """Close the model's connections, what the tools held, the index, and the log."""
        try:
            try:
                await self.model.aclose()
            finally:
                await self._keeping.aclose()
        finally:
            self._code.close()
            self._diary.close()


class _Diary:
    """Writes events down and then shows them. A title is said again before each step, in the log alone: lists find it at its end."""

    def __init__(self, log: SessionLog, face: Face, title: str) -> None:
        self._log = log
        self._face = face
        self._title = title

    def emit(self, event: Event) -> None:
        """Take the next event. Raises `SessionError` where it can't be written; then nobody sees it."""
        match event:
            case MessageAdded(at="") | ShellRan(at=""):
                event = msgspec.structs.replace(event, at=_now())
            case Titled(title=title):
                self._title = title
            case StepStarted() if self._title:
                self._log.append(Titled(self._title))
            case _:
                pass
        if is_kept(event):
            self._log.append(event)
        self._face(event)

    def close(self) -> None:
        """Let go of the log."""
        self._log.close()


def open_session(
    settings: Settings,
    wish: Wish,
    face: Face,
    *,
    environ: Mapping[str, str],
    workspace: Path,
    model: ModelClient | None = None,
    approver: Approver | None = None,
    asker: Asker | None = None,
    grants: Grants | None = None,
) -> Session:
    """Open the wanted session in `workspace`; its first event is emitted before this returns.

    `model` replaces the client that the settings name; `approver` asks the user, where there is one to ask, and `asker` puts the model's
    own questions. `grants` is what the user has allowed already. What an earlier process left half-done on disk is brought to its end
    first. Raises `UsageError`, `UnavailableError`, `SessionError`.
    """
    check_workspace(workspace)
    contract = None if wish.schema is None else Contract(wish.schema)
    voice = _Voice()
    client = model or make_client(
        resolve(settings.endpoint, settings.model, environ), environ, on_notice=voice.tell, on_progress=voice.emit
    )
    store = SessionStore(kimicode_home(environ))
    session_id, log, past = _log(store, wish, workspace)

    diary = _Diary(log, face, past.replayed.title)
    emit = voice.emits = diary.emit
    turns = Turns()
    try:
        scratch = store.scratch(session_id)
        safety = secure(settings, workspace, environ, scratch=scratch)
        tools = default_tools(client.info.profile, asker=asker, turns=turns)
        emit(_started(session_id, safety, client, tools, workspace, resumed=past.replayed.steps > 0))
        for notice in (*past.told, *safety.notices):
            emit(notice)
    except BaseException:
        log.close()
        raise
    gate = _gate(safety, _Asking(approver, grants, turns), emit, environ)
    keeping = Keeping(safety, gate, store, emit, scratch=scratch, environ=environ, strict=True)
    code = _Code(workspace, environ)
    context = ToolContext(workspace, safety.policy, scratch, code=code.codebase)
    agent = Agent(
        client,
        Toolbox(tools, context, gate=gate, keeper=keeping),
        emit,
        opening=opening_for(client.info.profile, lambda: _look_around(workspace, context, code.filling, voice.tell)),
        context=Context(past.replayed.conversation, starts=past.replayed.starts),
        options=Options(limits=settings.limits, thinking=Thinking(settings.thinking), session_id=session_id),
        contract=contract,
        step=past.replayed.steps,
    )
    return Session(session_id, agent, diary, client, gate, keeping, code)


class _Voice:
    """What a model's client has to say, once there is a session to hear it."""

    def __init__(self) -> None:
        self.emits: Callable[[Event], None] | None = None

    def tell(self, text: str) -> None:
        """A sentence for the user."""
        self.emit(Notice(text))

    def emit(self, event: Event) -> None:
        """An event."""
        if self.emits is not None:
            self.emits(event)


class _Asking(msgspec.Struct, frozen=True):
    """Who can be asked, what they allowed already, and whose turn it is."""

    approver: Approver | None
    grants: Grants | None
    turns: Turns


def _gate(safety: Safety, asking: _Asking, emit: Callable[[Event], None], environ: Mapping[str, str]) -> Gate:
    return Gate(
        safety.policy,
        safety.rules,
        safety.situation,
        safety.where,
        approver=asking.approver,
        grants=asking.grants,
        turns=asking.turns,
        emit=emit,
        remember=lambda rule: _remember(rule, environ),
    )


def check_workspace(workspace: Path) -> None:
    """`UsageError` where `workspace` is no folder that can be listed and entered."""
    try:
        with os.scandir(workspace) as entries:
            next(entries, None)
    except OSError as error:
        raise UsageError(f"can't work in {workspace}: {error.strerror}", hint="Start kimicode in a folder that you can read.") from None


class _SettingsFile(Protocol):
    def add_rule(self, path: Path, decision: str, rule: str) -> None: ...


def _remember(rule: str, environ: Mapping[str, str]) -> None:
    # Loaded when somebody says "always": no session's start pays for tomlkit.
    cast("_SettingsFile", importlib.import_module("kimicode.settings_file")).add_rule(settings_path(environ), "allow", rule)


class _Maps(Protocol):
    def map_for_opening(self, code: Codebase, *, seconds: float, show: Callable[[str], bool]) -> str | None: ...


class _Code:
    """What is known of the workspace's code, and what makes more known."""

    def __init__(self, workspace: Path, environ: Mapping[str, str]) -> None:
        cache = kimicode_cache(environ) / "index"
        self.codebase = Codebase(workspace, environ, cache=cache)
        self.filling = Filling(lambda: Codebase(workspace, environ, cache=cache))

    def close(self) -> None:
        """Let go of both."""
        self.filling.close()
        self.codebase.close()


def _look_around(workspace: Path, context: ToolContext, filling: Filling, tell: Callable[[str], None]) -> Surroundings:
    """The facts, with a map of what is a repository: other folders may hold anything, and any number of files.

    Where no map is ready the rest of the repository is read from now on, beside everything else.
    """
    facts = look_around(workspace, datetime.now(UTC).astimezone().date())
    if not facts.git or context.code is None:
        return facts
    root = workspace.resolve()
    open_to_us = may_show(root, context)
    try:
        # Loaded with the first prompt: the first event does not wait for it.
        maps = cast("_Maps", importlib.import_module("kimicode.repo.map"))
        overview = maps.map_for_opening(context.code, seconds=_MAP_S, show=lambda path: open_to_us(f"{root}/{path}"))
    except (ToolError, OSError):
        return facts
    if context.code.index.notice:
        tell(context.code.index.notice)
    if overview is None:
        filling.start()
    return msgspec.structs.replace(facts, overview=overview or "")


class _Past(msgspec.Struct, frozen=True):
    """What was there before: the session so far, and what was found half-done and brought to its end."""

    replayed: Replayed
    told: tuple[Notice, ...]


def _log(store: SessionStore, wish: Wish, workspace: Path) -> tuple[str, SessionLog, _Past]:
    if wish.resume is None and not wish.latest:
        session_id, log = store.create()
    else:
        session_id = store.resolve(wish.resume) if wish.resume else store.latest(Path(well_formed(str(workspace))))
        log = store.open(session_id)
    try:
        told = tuple(Notice(text) for text in finish_interrupted(store, session_id, log.append))
        clean_if_due(store)
        return session_id, log, _Past(replay(read_events(store.path(session_id))), told)
    except BaseException:
        log.close()
        raise


def _started(
    session_id: str, safety: Safety, client: ModelClient, tools: tuple[Tool, ...], workspace: Path, *, resumed: bool
) -> SessionStarted:
    return SessionStarted(
        session_id=session_id,
        workspace=well_formed(str(workspace)),
        model=client.info.model,
        endpoint=client.info.endpoint,
        permission=safety.permission.value,
        sandbox=safety.described,
        tools=tuple(tool.spec.name for tool in tools),
        resumed=resumed,
        started_at=_now(),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
