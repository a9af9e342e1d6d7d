"""The composition root: settings become a model client, tools, a policy and a session, and those an agent.

Every event is appended to the session log before the face that was given sees it. What this module does not do: show anything,
or decide when a run starts.
"""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from kimicode.agent.answer import Contract
from kimicode.agent.context import Context
from kimicode.agent.loop import Agent
from kimicode.agent.opening import look_around, opening_for
from kimicode.agent.run import Options
from kimicode.errors import UsageError
from kimicode.events import Event, Notice, SessionStarted
from kimicode.home import kimicode_home
from kimicode.messages import JsonObject
from kimicode.model.client import ModelClient, Thinking
from kimicode.model.factory import make_client
from kimicode.model.target import resolve
from kimicode.sandbox.policy import Permission, Policy
from kimicode.session.log import SessionLog, read_events
from kimicode.session.replay import Replayed, replay
from kimicode.session.store import SessionStore
from kimicode.settings import Settings
from kimicode.text import well_formed
from kimicode.tools.base import ToolContext
from kimicode.tools.registry import Toolbox, default_tools

Face = Callable[[Event], None]
"""Shows an event to whoever watches."""

UNCONTAINED = "Commands run without an OS sandbox: they can do what you can. File tools stay inside the workspace."


class Wish(msgspec.Struct, frozen=True):
    """Which session is wanted: a new one, an earlier one by id, or the latest of the workspace; and what its answers must follow."""

    resume: str | None = None
    latest: bool = False
    schema: JsonObject | None = None


class Session:
    """An agent with its log and its model, ready for prompts. Close it with `aclose`."""

    def __init__(self, session_id: str, agent: Agent, log: SessionLog, model: ModelClient) -> None:
        self.id = session_id
        self.agent = agent
        self._log = log
        self._model = model

    async def aclose(self) -> None:
        """Close the model's connections and the log."""
        try:
            await self._model.aclose()
        finally:
            self._log.close()


def open_session(
    settings: Settings, wish: Wish, face: Face, *, environ: Mapping[str, str], workspace: Path, model: ModelClient | None = None
) -> Session:
    """Open the wanted session in `workspace`; its first event is emitted before this returns.

    `model` replaces the client that the settings name. Raises `UsageError`, `UnavailableError`, `SessionError`.
    """
    check_workspace(workspace)
    contract = None if wish.schema is None else Contract(wish.schema)
    notices: list[Callable[[str], None]] = []
    client = model or make_client(
        resolve(settings.endpoint, settings.model, environ), environ, on_notice=lambda text: notices[0](text) if notices else None
    )
    store = SessionStore(kimicode_home(environ))
    session_id, log, past = _log(store, wish, workspace)

    def emit(event: Event) -> None:
        log.append(event)
        face(event)

    notices.append(lambda text: emit(Notice(text)))
    try:
        toolbox = _toolbox(settings, client.info.profile, workspace, store.scratch(session_id))
        emit(_started(session_id, settings, client, toolbox, workspace, resumed=past.steps > 0))
        if settings.permission != "read-only":
            emit(Notice(UNCONTAINED, "warning"))
    except BaseException:
        log.close()
        raise
    agent = Agent(
        client,
        toolbox,
        emit,
        opening=opening_for(client.info.profile, lambda: look_around(workspace, datetime.now(UTC).astimezone().date())),
        context=Context(past.conversation),
        options=Options(limits=settings.limits, thinking=Thinking(settings.thinking), session_id=session_id),
        contract=contract,
        step=past.steps,
    )
    return Session(session_id, agent, log, client)


def check_workspace(workspace: Path) -> None:
    """`UsageError` where `workspace` is no folder that can be listed and entered."""
    try:
        with os.scandir(workspace) as entries:
            next(entries, None)
    except OSError as error:
        raise UsageError(f"can't work in {workspace}: {error.strerror}", hint="Start kimicode in a folder that you can read.") from None


def _log(store: SessionStore, wish: Wish, workspace: Path) -> tuple[str, SessionLog, Replayed]:
    if wish.resume is None and not wish.latest:
        session_id, log = store.create()
        return session_id, log, Replayed()
    session_id = store.resolve(wish.resume) if wish.resume else store.latest(Path(well_formed(str(workspace))))
    log = store.open(session_id)
    try:
        return session_id, log, replay(read_events(store.path(session_id)))
    except BaseException:
        log.close()
        raise


def _toolbox(settings: Settings, profile: str, workspace: Path, scratch: Path) -> Toolbox:
    policy = Policy(Permission(settings.permission), workspace, (scratch,))
    return Toolbox(default_tools(profile), ToolContext(workspace, policy, scratch))


def _started(
    session_id: str, settings: Settings, client: ModelClient, toolbox: Toolbox, workspace: Path, *, resumed: bool
) -> SessionStarted:
    return SessionStarted(
        session_id=session_id,
        workspace=well_formed(str(workspace)),
        model=client.info.model,
        endpoint=client.info.endpoint,
        permission=settings.permission,
        tools=tuple(spec.name for spec in toolbox.specs),
        resumed=resumed,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
