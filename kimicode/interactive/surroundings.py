"""What stands around a session and changes by itself: the repository, and the engine. Looked at when asked, never by a timer.

What this module does not do: start an engine, or change anything.
"""

from collections.abc import Mapping
from pathlib import Path

from kimicode.errors import KimicodeError
from kimicode.interactive.view.status import Engine, Git
from kimicode.model.engine_state import engine_state
from kimicode.model.target import resolve
from kimicode.repo.git import Repository
from kimicode.settings import Settings


def look_at_git(workspace: Path, environ: Mapping[str, str]) -> Git | None:
    """Branch and number of changed files; None outside a repository, or where git does not answer. Blocks as long as git takes."""
    try:
        repository = Repository.find(workspace, environ)
        if repository is None:
            return None
        return Git(repository.branch() or "", len(repository.status()))
    except KimicodeError:
        return None


async def look_at_engine(settings: Settings, environ: Mapping[str, str]) -> Engine | None:
    """The embedded engine, where the settings name a model file."""
    try:
        target = resolve(settings.endpoint, settings.model, environ)
    except KimicodeError:
        return None
    if not target.model_file:
        return None
    state = await engine_state(target, environ)
    return Engine(state.state, state.model, state.places, state.experts, state.hits) if state else None
