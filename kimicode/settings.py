"""Settings: a TOML file, then `KIMICODE_…` variables, then flags; the later one wins.

The file is `$KIMICODE_CONFIG`, else `settings.toml` in the user's configuration folder (`kimicode doctor` prints which). Unknown keys
are errors, so a misspelt limit never goes unnoticed. msgspec checks it: pydantic-settings would do as well but costs a headless run
more time than everything else before its first event. What this module does not do: read anything from a repository.
"""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal, get_args, get_type_hints

import msgspec
from platformdirs import user_config_path

from kimicode.agent.budget import DEFAULT_STEPS, Limits
from kimicode.errors import UsageError

PermissionName = Literal["read-only", "workspace", "full"]
ThinkingName = Literal["off", "on", "keep"]
TierName = Literal["auto", "bubblewrap", "landlock", "none"]
FailOnName = Literal["low", "medium", "high", "critical", "none"]


class PermissionRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[permissions]`: rules as text (`sandbox.rules` reads them), and whether a contained command must be known all the same."""

    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    commands: Literal["contained", "known"] = "contained"


class SandboxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[sandbox]`. `writable` are folders beside the workspace, `pass_env` names of variables that commands may see;
    limits are for each command, None for what suits the machine. Hosts are allowed by rules: `allow = ["host(pypi.org)"]`."""

    tier: TierName = "auto"
    network: Literal["rules", "all"] = "rules"
    writable: tuple[str, ...] = ()
    pass_env: tuple[str, ...] = ()
    memory_gib: float | None = None
    processes: int | None = None
    file_gib: float | None = None


class ReviewIgnore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[review.ignore]]`: findings of `rule` (a group, or one rule) in files that fit `path` (a glob) are silenced, for `reason`."""

    path: str
    rule: str
    reason: str


class ReviewSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[review]`. `fail_on` is the least severity that blocks; `confidence` binds what the model found. `deadline_s` is for a
    whole review, `max_lines` the most changed lines that a model gets to see. `model` and `endpoint`, where not None, replace the general
    ones. `rules` are words for the reviewer, beside the project's `REVIEW.md`; `disable` are instant checks that are left out,
    `exclude` files (as .gitignore names them) about which they say nothing."""

    fail_on: FailOnName = "high"
    confidence: float = 0.7
    deadline_s: float = 20.0
    strict: bool = False
    model: str | None = None
    endpoint: str | None = None
    rules: str = ""
    max_lines: int = 2_000
    max_file_kib: int = 1_024
    disable: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    ignore: tuple[ReviewIgnore, ...] = ()


class GitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[git]`. `trailer`: commits made with `kimicode commit` end in a line that says what helped to write them."""

    trailer: bool = False


class UiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `[ui]`. `mode` is what `kimicode` starts with; `auto` is the full-screen UI where the terminal can show it. `theme` `auto`
    is dark or light as the terminal is. `notify` is how to tell somebody who looks elsewhere that they are wanted. `diff` is one column or
    two; `auto` goes by the width. `thinking` shows what the model thinks, folded when it is over. `fold_lines` is how many lines of a
    call's output stay visible. `width` is the widest that text is set; 0 is as wide as the terminal."""

    mode: Literal["auto", "full-screen", "line"] = "auto"
    theme: str = "auto"
    keys: Literal["emacs", "vi"] = "emacs"
    mouse: bool = True
    notify: Literal["auto", "bell", "desktop", "off"] = "auto"
    title: bool = True
    diff: Literal["auto", "unified", "split"] = "auto"
    thinking: bool = True
    fold_lines: int = 8
    width: int = 100
    panel: Literal["auto", "on", "off"] = "auto"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user can choose. None leaves the choice to the catalogue of endpoints and models, or to what this machine can do."""

    model: str | None = None
    endpoint: str | None = None
    permission: PermissionName | None = None
    thinking: ThinkingName = "on"
    max_steps: int | None = DEFAULT_STEPS
    max_tokens: int | None = None
    max_seconds: float | None = None
    max_cost: float | None = None
    permissions: PermissionRules = PermissionRules()
    sandbox: SandboxSettings = SandboxSettings()
    review: ReviewSettings = ReviewSettings()
    git: GitSettings = GitSettings()
    ui: UiSettings = UiSettings()

    @property
    def limits(self) -> Limits:
        """The budgets of one run."""
        return Limits(steps=self.max_steps, tokens=self.max_tokens, seconds=self.max_seconds, usd=self.max_cost)


_TABLES: Final = frozenset({"permissions", "sandbox", "review", "git", "ui"})


def settings_path(environ: Mapping[str, str]) -> Path:
    """Where the settings file is, or would be."""
    chosen = environ.get("KIMICODE_CONFIG", "")
    return Path(chosen).absolute() if chosen else user_config_path("kimicode") / "settings.toml"


def load_settings(environ: Mapping[str, str], flags: Mapping[str, object], *, sandbox: str | None = None) -> Settings:
    """The settings in force. `flags` holds what the command line gave; None there means not given. `sandbox` is a tier's name.

    Raises `UsageError`.
    """
    path = settings_path(environ)
    given = {name: value for name, value in flags.items() if value is not None}
    merged = _checked(_file(path), lambda name: f"{path}: {name}", strict=True)
    merged |= _checked(_environment(environ), _variable, strict=False)
    merged |= _checked(given, lambda name: f"--{name.replace('_', '-')}", strict=True)
    settings = msgspec.convert(merged, Settings)
    tier = sandbox or environ.get("KIMICODE_SANDBOX") or None
    if tier is None:
        return settings
    spelled = "--sandbox" if sandbox else "KIMICODE_SANDBOX"
    chosen = msgspec.structs.replace(settings.sandbox, tier=_value(spelled, TierName, tier, strict=True))
    return msgspec.structs.replace(settings, sandbox=chosen)


def _file(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"can't read the settings in {path}: {error}", hint="Correct the file, or move it away.") from error


def _environment(environ: Mapping[str, str]) -> dict[str, object]:
    return {name: environ[_variable(name)] for name in Settings.__struct_fields__ if name not in _TABLES and environ.get(_variable(name))}


def _variable(name: str) -> str:
    return f"KIMICODE_{name.upper()}"


def _checked(values: Mapping[str, object], spell: Callable[[str], str], *, strict: bool) -> dict[str, object]:
    """The values, converted. `spell` is how the user wrote a name there; not `strict`: everything is text."""
    kinds = get_type_hints(Settings)
    return {name: _value(spell(name), kinds.get(name), value, strict=strict) for name, value in values.items()}


def _value(spelled: str, kind: object, value: object, *, strict: bool) -> object:
    if kind is None:
        raise UsageError(f"{spelled}: there is no such setting", hint=f"The settings are: {', '.join(Settings.__struct_fields__)}.")
    try:
        converted: object = msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        choices = [choice for part in (kind, *get_args(kind)) for choice in get_args(part) if isinstance(choice, str)]
        hint = f"Choose one of: {', '.join(choices)}." if choices else "`kimicode run --help` says what it can be."
        raise UsageError(f"{spelled} can't be {value!r}: {error}", hint=hint) from None
    if isinstance(converted, int | float) and not converted > 0:
        raise UsageError(f"{spelled} must be above zero, not {converted:g}", hint="Leave it out for no limit of your own.")
    return converted
