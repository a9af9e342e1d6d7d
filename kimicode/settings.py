"""Settings: a TOML file, then `KIMICODE_…` variables, then flags; the later one wins.

The file is `$KIMICODE_CONFIG`, else `settings.toml` in the user's configuration folder (`kimicode doctor` prints which). Unknown keys
are errors, so a misspelt limit never goes unnoticed. msgspec checks it: pydantic-settings would do as well but costs a headless run
more time than everything else before its first event. What this module does not do: read anything from a repository.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
from platformdirs import user_config_path

from kimicode.agent.budget import DEFAULT_STEPS, Limits
from kimicode.errors import UsageError

PermissionName = Literal["read-only", "workspace", "full"]
ThinkingName = Literal["off", "on", "keep"]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user can choose. None leaves the choice to the catalogue of endpoints and models."""

    model: str | None = None
    endpoint: str | None = None
    permission: PermissionName = "workspace"
    thinking: ThinkingName = "on"
    max_steps: int | None = DEFAULT_STEPS
    max_tokens: int | None = None
    max_seconds: float | None = None
    max_cost: float | None = None

    @property
    def limits(self) -> Limits:
        """The budgets of one run."""
        return Limits(steps=self.max_steps, tokens=self.max_tokens, seconds=self.max_seconds, usd=self.max_cost)


def settings_path(environ: Mapping[str, str]) -> Path:
    """Where the settings file is, or would be."""
    chosen = environ.get("KIMICODE_CONFIG", "")
    return Path(chosen).absolute() if chosen else user_config_path("kimicode") / "settings.toml"


def load_settings(environ: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """The settings in force. `flags` holds what the command line gave; None there means not given. Raises `UsageError`."""
    path = settings_path(environ)
    merged: dict[str, object] = _file(path)
    _convert(merged, f"{path}")
    from_environment = _environment(environ)
    merged |= _known(_convert(from_environment, "the environment (KIMICODE_…)"), from_environment)
    merged |= {name: value for name, value in flags.items() if value is not None}
    settings = _convert(merged, "the command line")
    for name in ("max_steps", "max_tokens", "max_seconds", "max_cost"):
        value: float | None = getattr(settings, name)
        if value is not None and not value > 0:
            raise UsageError(f"{name} must be above zero, not {value:g}", hint="Leave it out for no limit of your own.")
    return settings


def _file(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"can't read the settings in {path}: {error}", hint="Correct the file, or move it away.") from error


def _environment(environ: Mapping[str, str]) -> dict[str, object]:
    names = Settings.__struct_fields__
    return {name: environ[variable] for name in names if environ.get(variable := f"KIMICODE_{name.upper()}")}


def _known(settings: Settings, given: Mapping[str, object]) -> dict[str, object]:
    return {name: getattr(settings, name) for name in given}


def _convert(values: Mapping[str, object], source: str) -> Settings:
    try:
        return msgspec.convert(values, Settings, strict=source.startswith(os.sep))
    except msgspec.ValidationError as error:
        known = ", ".join(Settings.__struct_fields__)
        raise UsageError(f"{source}: {error}", hint=f"The settings are: {known}.") from None
