"""What stands around a session and changes by itself: the repository, and the engine. Looked at when asked, never by a timer.

What this module does not do: start an engine, or change anything.
"""

from collections.abc import Mapping
from pathlib import Path

from kimicode.errors import KimicodeError
from kimicode.interactive.view.status import Engine, Git
from kimicode.model.engine_state import engine_places, engine_state
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


async def look_at_engine(settings: Settings, environ: Mapping[str, str], known: Engine | None) -> Engine | None:
    """The embedded engine, where the settings name a model file. `known` is what was found last: where a model's parts are takes a
    process to find out, and is asked once for each state and model."""
    try:
        target = resolve(settings.endpoint, settings.model, environ)
    except KimicodeError:
        return None
    if not target.model_file:
        return None
    state = await engine_state(target, environ)
    if state is None:
        return None
    if known is not None and known.places and (known.state, known.model) == (state.state, state.model):
        places = known.places
    else:
        found = await engine_places(target, environ)
        places = found.places if found else ""
    return Engine(state.state, state.model, places, state.experts, state.hits)
