"""A boundary as a profile of macOS' Seatbelt, for `sandbox-exec -p PROFILE COMMAND…`.

In a profile the last rule that fits decides, so the order here is: everything may be read and nothing written; what is writable; what
is protected in it; what is hidden. Profiles know no limits for memory and processes, `setrlimit` sets those. The language is Apple's and
hardly documented: its facts come from the profiles that macOS ships (/System/Library/Sandbox/Profiles).
This profile was never run on macOS: it was written from those facts and is tested as text only. What this module does not do: run it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, assert_never

from kimicode.errors import RefusedError
from kimicode.sandbox.boundary import Boundary, Network

_BASE: Final = """\
(version 1)
(deny default)
(allow process-exec process-fork)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))
(allow sysctl-read)
(allow mach-lookup
  (global-name "com.apple.system.opendirectoryd.libinfo")
  (global-name "com.apple.system.notification_center")
  (global-name "com.apple.logd")
  (global-name "com.apple.trustd.agent"))
(allow ipc-posix-sem ipc-posix-shm-read-data)
(allow file-read* file-test-existence)
(allow file-write-data file-ioctl
  (literal "/dev/null") (literal "/dev/zero") (literal "/dev/tty") (literal "/dev/dtracehelper")
  (literal "/dev/stdout") (literal "/dev/stderr") (subpath "/dev/fd"))
"""

_EVERYWHERE: Final = Path("/")


def profile(boundary: Boundary) -> str:
    """The profile. Pure. Raises `RefusedError` for paths that can't stand in one (control characters, no Unicode)."""
    rules = [_BASE.rstrip("\n")]
    rules += _rule("allow file-write*", (*boundary.writable, boundary.temporary))
    if _EVERYWHERE in boundary.writable:
        rules += ["(allow mach-lookup)"]
    rules += _rule("deny file-write*", boundary.protected)
    # A folder above a protected path must not be renamed or removed: another could take its place.
    rules += _rule("deny file-write-unlink", _above(boundary.protected, boundary.writable), what="literal")
    rules += _rule("deny file-read* file-write* file-test-existence process-exec", boundary.hidden)
    rules += _network(boundary.network)
    return "\n".join(rules) + "\n"


def command_line(boundary: Boundary, argv: Iterable[str]) -> tuple[str, ...]:
    """How `argv` is run in it. Pure."""
    return ("/usr/bin/sandbox-exec", "-p", profile(boundary), *argv)


def _rule(head: str, paths: Iterable[Path], *, what: str = "subpath") -> list[str]:
    found = sorted(set(paths))
    if not found:
        return []
    return [f"({head}", *(f"  ({what} {_quoted(path)})" for path in found[:-1]), f"  ({what} {_quoted(found[-1])}))"]


def _above(protected: Iterable[Path], writable: tuple[Path, ...]) -> set[Path]:
    return {parent for path in protected for parent in path.parents if any(parent.is_relative_to(root) for root in writable)}


def _network(network: Network) -> list[str]:
    match network.access:
        case "none":
            return ["(deny network*)"]
        case "hosts":
            if network.proxy is None:
                raise RefusedError(
                    "sandbox: hosts are allowed, but no filtering proxy runs", hint="This is a fault in kimicode: report it."
                )
            # The proxy's own Unix socket is the one way out.
            return ["(deny network*)", f"(allow network-outbound (remote unix-socket (path-literal {_quoted(network.proxy)})))"]
        case "all":
            return ["(allow network*)", "(allow system-socket)", "(deny network* (remote unix-socket))", _RESOLVER]
        case _:
            assert_never(network.access)


_RESOLVER: Final = '(allow network-outbound (remote unix-socket (path-literal "/private/var/run/mDNSResponder")))'
"""Names are looked up through this socket; all others (docker, ssh-agent) stay out of reach."""


def _quoted(path: Path) -> str:
    """The path as a string of the profile's language, where only quotation marks and backslashes have a meaning."""
    text = str(path)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = "\0"
    if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in text):
        raise RefusedError(f"sandbox: {str(path)!r} can't stand in a Seatbelt profile", hint="Rename it, or start kimicode elsewhere.")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
