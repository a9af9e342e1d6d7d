"""What tools may do in one workspace, from the user's settings and what this machine can enforce.

Here the parts of `kimicode.sandbox` come together: a policy for file tools, a boundary for commands, rules for both, and the tier that
holds it all. Without a tier that works, and without the user's word to do without, the permission is to look, and no command runs. A
repository adds rules only when its user has trusted exactly what they are (`sandbox.trust`).
What this module does not do: judge a call (`tools.gate`), or keep what one changes (`kimicode.keeping`).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, assert_never

import msgspec

from kimicode.errors import RefusedError, UsageError
from kimicode.events import Notice
from kimicode.home import kimicode_home
from kimicode.sandbox.boundary import Limits, Network, Tier, limits_for
from kimicode.sandbox.hidden import hidden_paths
from kimicode.sandbox.policy import Permission, Policy, boundary_of
from kimicode.sandbox.probe import Capabilities, best_tier, probe, why_not, why_not_better
from kimicode.sandbox.protected import protected_paths
from kimicode.sandbox.rules import Decision, Rules, Where, parse_rules
from kimicode.sandbox.run import Sandbox
from kimicode.sandbox.trust import REPOSITORY_FILE, Absent, Trusted, TrustStore, Untrusted, read_repository_rules
from kimicode.sandbox.verdict import Situation
from kimicode.settings import PermissionRules, SandboxSettings, Settings, settings_path

_GIB: Final = 1024**3


class Safety(msgspec.Struct, frozen=True):
    """What holds in one session. `tier` holds commands; None: nothing works here and the user did not say to do without, so that none runs.

    `notices` are what the user should know of it.
    """

    permission: Permission
    policy: Policy
    rules: Rules
    tier: Tier | None
    situation: Situation
    where: Where
    capabilities: Capabilities
    settings: SandboxSettings
    home: Path
    kimicode_home: Path
    notices: tuple[Notice, ...] = ()

    @property
    def described(self) -> str:
        """The tier in a word, for people: `bubblewrap`, `landlock`, `none`, `no commands`."""
        return "no commands" if self.tier is None else self.tier.value

    @property
    def asks_hosts(self) -> bool:
        """True where commands reach the network through the filtering proxy."""
        return self.settings.network == "rules" and bool(self.rules.of("host", Decision.ALLOW))

    def sandbox(self, temporary: Path, environ: Mapping[str, str], proxy: Path | None = None) -> Sandbox | None:
        """The sandbox for a command, its lines drawn as things are on the disk now; None where commands are not contained.

        Raises `RefusedError` where none may run, or where something protected is a link.
        """
        if self.tier is None:
            reason = why_not_better(self.capabilities)
            raise RefusedError(f"shell: no OS sandbox works here, so no command runs. {reason}", hint=_WITHOUT)
        if self.tier is Tier.NONE:
            return None
        try:
            boundary = boundary_of(
                self.policy,
                temporary=temporary,
                environ=environ,
                home=self.home,
                kimicode_home=self.kimicode_home,
                limits=limits(self.settings),
                network=_network(self.settings, proxy),
                pass_env=frozenset(self.settings.pass_env),
            )
        except UsageError as error:
            raise RefusedError(error.message, hint=error.hint) from error
        return Sandbox(boundary, self.tier, self.capabilities, self.kimicode_home / "sandbox")


_WITHOUT: Final = "`kimicode doctor` says what is missing; --sandbox none runs commands without containment."


def secure(settings: Settings, workspace: Path, environ: Mapping[str, str], *, scratch: Path) -> Safety:
    """What tools may do in `workspace`. `scratch` is the session's own folder. Raises `UsageError`."""
    capabilities = probe()
    tier = _tier(settings.sandbox.tier, capabilities)
    permission = Permission(settings.permission or ("read-only" if tier is None else "workspace"))
    if permission is Permission.FULL:
        tier = Tier.NONE
    home, own_home = Path(environ.get("HOME") or Path.home()), kimicode_home(environ)
    real = workspace.resolve()
    policy = _policy(settings, permission, real, environ, scratch=scratch, home=home, own_home=own_home)
    rules, notices = _rules(settings.permissions, real, environ, own_home)
    where = Where(str(real), str(home.resolve()))
    situation = Situation(
        permission,
        contained=tier is not None and tier is not Tier.NONE,
        known_only=settings.permissions.commands == "known",
        workspace=where.workspace,
        home=where.home,
        writable=lambda name: _can_write(policy, name),
    )
    notices += _about_tier(permission, tier, capabilities, asked=settings.permission)
    return Safety(permission, policy, rules, tier, situation, where, capabilities, settings.sandbox, home, own_home, notices)


def limits(settings: SandboxSettings) -> Limits:
    """The limits of a command: what suits the machine, where the settings say nothing."""
    found = limits_for(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return msgspec.structs.replace(
        found,
        memory_bytes=found.memory_bytes if settings.memory_gib is None else int(settings.memory_gib * _GIB),
        processes=settings.processes or found.processes,
        file_bytes=found.file_bytes if settings.file_gib is None else int(settings.file_gib * _GIB),
    )


def _tier(wanted: str, capabilities: Capabilities) -> Tier | None:
    if wanted == "auto":
        found = best_tier(capabilities)
        return None if found is Tier.NONE else found
    tier = Tier(wanted)
    if reason := why_not(tier, capabilities):
        raise UsageError(f"--sandbox {wanted} can't be had here: {reason}", hint="--sandbox auto takes the best one that works.")
    return tier


def _policy(
    settings: Settings, permission: Permission, workspace: Path, environ: Mapping[str, str], *, scratch: Path, home: Path, own_home: Path
) -> Policy:
    writable = tuple(_folder(name, home) for name in settings.sandbox.writable)
    own = (workspace, scratch.resolve(), *writable)
    protected = protected_paths(workspace, home.resolve(), within=(workspace, *writable)) if permission is Permission.WORKSPACE else ()
    return Policy(
        permission,
        workspace,
        also_readable=(scratch,),
        also_writable=writable,
        hidden=hidden_paths(home.resolve(), environ, own_home, own=own),
        home=home,
        protected=protected,
    )


def _folder(name: str, home: Path) -> Path:
    folder = home / name[2:] if name.startswith("~/") else Path(name)
    if not folder.is_absolute() or not folder.is_dir():
        hint = "Name folders that exist, absolute or with ~/."
        raise UsageError(f"[sandbox] writable: {name!r} is no such folder", hint=hint)
    return folder.resolve()


def _rules(own: PermissionRules, workspace: Path, environ: Mapping[str, str], home: Path) -> tuple[Rules, tuple[Notice, ...]]:
    mine = parse_rules({"allow": own.allow, "ask": own.ask, "deny": own.deny}, str(settings_path(environ)))
    theirs, notices = _repository(workspace, home)
    return mine + theirs, notices


def _repository(workspace: Path, home: Path) -> tuple[Rules, tuple[Notice, ...]]:
    """The rules that the project brings along, as far as they count, and what to say of the rest."""
    try:
        found = read_repository_rules(workspace, TrustStore(home))
    except UsageError as error:
        return Rules(), (Notice(f"The project's own rules don't count: {error}", "warning"),)
    match found:
        case Absent():
            return Rules(), ()
        case Trusted(rules=theirs):
            return theirs.rules + parse_rules({"allow": [f"host({host})" for host in theirs.hosts]}, "/".join(REPOSITORY_FILE)), ()
        case Untrusted(rules=theirs, files=files, problem=problem):
            text = f"The project's own rules ({', '.join(files)}) are not trusted: only what they deny counts. See `kimicode trust`."
            return theirs.rules, (Notice(f"{text} {problem}".strip(), "warning"),)
        case _:
            assert_never(found)


def _network(settings: SandboxSettings, proxy: Path | None) -> Network:
    if settings.network == "all":
        return Network("all")
    return Network() if proxy is None else Network("hosts", proxy)


def _can_write(policy: Policy, name: str) -> bool:
    try:
        policy.writable(name)
    except (RefusedError, OSError):
        return False
    return True


def _about_tier(permission: Permission, tier: Tier | None, capabilities: Capabilities, *, asked: str | None) -> tuple[Notice, ...]:
    if permission is Permission.FULL:
        return (Notice("Permission full: tools and commands can do what you can; nothing contains them.", "warning"),)
    match tier:
        case None:
            what = "Only looking is allowed" if asked is None else "Commands don't run"
            return (Notice(f"No OS sandbox works here. {what}. {why_not_better(capabilities)} {_WITHOUT}", "warning"),)
        case Tier.NONE:
            return (Notice("Commands run without an OS sandbox, as asked: what is allowed can do what you can.", "warning"),)
        case Tier.LANDLOCK:
            reason = why_not_better(capabilities)
            return (Notice(f"Reduced sandbox (Landlock): protected files are put back, not out of reach. {reason}".strip(), "warning"),)
        case Tier.BUBBLEWRAP | Tier.SEATBELT:
            return ()
