"""`kimicode trust`: look at the rules that a project brings along, and let them count.

Trust is in the content: one changed byte and the rules no longer count. What this module does not do: decide what a project may bring
(`sandbox.trust`).
"""

import os
import sys
from pathlib import Path

from kimicode.commands.folder import current_folder
from kimicode.errors import RefusedError, UsageError
from kimicode.home import kimicode_home
from kimicode.sandbox.trust import Absent, Trusted, TrustStore, read_repository_rules, revoke
from kimicode.sandbox.trust import trust as trust_bytes
from kimicode.streams import complain
from kimicode.text import Untrusted, render_exact, render_safe


def trust(folder: Path | None, revoking: bool, yes: bool) -> int:
    """Show the rules of the project in `folder`, ask, and trust them, or trust them no longer. Raises `UsageError`, `RefusedError`."""
    workspace = (folder or current_folder()).resolve()
    store = TrustStore(kimicode_home(os.environ))
    if revoking:
        known = revoke(workspace, store)
        complain(f"{workspace} is trusted no longer." if known else f"{workspace} was not trusted.")
        return 0
    found = read_repository_rules(workspace, store)
    if isinstance(found, Absent):
        raise UsageError(
            f"{workspace} brings no rules along", hint="There is nothing to trust: a project's rules are in .kimicode/settings.toml."
        )
    for name in found.files:
        sys.stdout.write(f"{render_safe(Untrusted(name))}:\n{render_exact((workspace / name).read_text('utf-8'))}\n")
    sys.stdout.flush()
    if isinstance(found, Trusted):
        complain("These rules are trusted already.")
        return 0
    _confirm(yes)
    trust_bytes(workspace, store, found.digest)
    complain(f"Trusted, as long as they stay as they are. Take it back with: kimicode trust --revoke {workspace}")
    return 0


def _confirm(yes: bool) -> None:
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("there is no terminal to ask on", hint="Look at the rules above, then say --yes.")
    complain("What they allow, commands in this project may do without asking. Trust them? [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RefusedError("not trusted", hint="Nothing was changed.")
