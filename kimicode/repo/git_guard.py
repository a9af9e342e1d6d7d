"""What git is told so that it runs no program but itself: a configuration that wins over every file, and a new environment.

A repository can name programs in many places, and git starts them for as little as `git status`: file monitors, hooks, filters,
converters, pagers, helpers. The user's and the system's configuration stay, for they are not the repository's; but filters are out even
where the user set them up, since the repository says what they are fed with. So a file that a filter would change may count as changed.
Pure. What this module does not do: start anything, or keep git from reading.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from kimicode.repo.git_find import Layout

Settings: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values of git's configuration."""

SENTINEL: Final = "kimicode.guarded"
"""A name that git lists only where it takes configuration from the environment (since 2.31); an older git can't be guarded."""

_NOWHERE: Final = "/dev/null"

GUARD: Final[Settings] = (
    (SENTINEL, "true"),
    ("core.fsmonitor", "false"),
    ("core.hooksPath", _NOWHERE),
    ("core.attributesFile", _NOWHERE),
    ("core.pager", "cat"),
    ("core.editor", "false"),
    ("sequence.editor", "false"),
    ("core.askPass", "false"),
    ("core.sshCommand", "false"),
    ("core.gitProxy", ""),
    ("core.alternateRefsCommand", ""),
    ("uploadpack.packObjectsHook", ""),
    ("credential.helper", ""),
    ("gpg.program", "false"),
    ("gpg.ssh.program", "false"),
    ("gpg.x509.program", "false"),
    ("gpg.ssh.defaultKeyCommand", ""),
    ("log.showSignature", "false"),
    ("diff.external", ""),
    ("diff.submodule", "short"),
    ("diff.ignoreSubmodules", "dirty"),
    ("diff.suppressBlankEmpty", "false"),
    ("status.submoduleSummary", "false"),
    ("submodule.recurse", "false"),
    ("protocol.allow", "never"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("color.ui", "false"),
    # With this on, `git diff` writes the index, optional locks or not.
    ("diff.autoRefreshIndex", "false"),
    # Threads count as processes, and there may be none beside git itself.
    ("core.preloadIndex", "false"),
    ("index.threads", "1"),
)
"""What every call is told."""

_PROGRAMS: Final[Mapping[str, Settings]] = {
    "filter": (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false")),
    "diff": (("textconv", ""), ("command", ""), ("cachetextconv", "false")),
    "merge": (("driver", "false"),),
    "hook": (("enabled", "false"), ("command", "false")),
    "credential": (("helper", ""),),
    "gpg": (("program", "false"),),
    "remote": (("promisor", "false"), ("uploadpack", "false"), ("receivepack", "false")),
    "submodule": (("update", "none"), ("ignore", "dirty")),
    "protocol": (("allow", "never"),),
}
"""Sections whose parts name programs: for each part that is set up anywhere, these values."""

_ENVIRONMENT: Final = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C",
    "LANGUAGE": "C",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "false",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS": "false",
    "GIT_SSH_COMMAND": "false",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_ATTR_NOSYSTEM": "1",
}
_KEPT: Final = ("HOME", "XDG_CONFIG_HOME", "TMPDIR")
"""The user's variables that git gets: where the user's own configuration is. No `GIT_…`: those are a hook's, or somebody's."""

_DRIVER: Final = re.compile(r"([a-z]+\..*)\.[^.]+", re.DOTALL)
"""`section.part.variable`; a part may hold anything, dots and `=` too, which is why the environment carries it and no `-c`."""


def disarmed(names: Iterable[str]) -> Settings:
    """The settings that take the programs out of every driver, remote and helper among `names` (as `git config --name-only` lists)."""
    parts = dict.fromkeys(found[1] for name in names if (found := _DRIVER.fullmatch(name)))
    return tuple((f"{part}.{key}", value) for part in parts for key, value in _PROGRAMS.get(part.partition(".")[0], ()))


def environment(layout: Layout, environ: Mapping[str, str], settings: Settings, index: Path | None) -> dict[str, str]:
    """The whole environment of one call. `settings` win over every file, whatever includes it."""
    kept = {name: environ[name] for name in _KEPT if name in environ}
    where = {"GIT_DIR": str(layout.git_dir), "GIT_COMMON_DIR": str(layout.common_dir), "GIT_WORK_TREE": str(layout.work_tree)}
    if index is not None:
        where["GIT_INDEX_FILE"] = str(index)
    numbered = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings):
        numbered |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return _ENVIRONMENT | kept | where | numbered
