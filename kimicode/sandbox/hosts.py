"""Which hosts a command may reach: patterns, and the one question whether a name and a port are among them.

Everything here is pure. A pattern is a name (`pypi.org`), all names below one (`*.pypi.org`, not `pypi.org` itself), or an IP address
(`10.0.0.7`, `[::1]`), each with `:PORT` or else for ports 80 and 443. What is asked for is judged in one canonical form; what has none
(numbers in other notations, characters no host name has) is never allowed. No patterns allow nothing. What this module does not do:
look names up (`sandbox.proxy`), or look into what is sent.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

from kimicode.errors import UsageError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

WEB_PORTS: Final = frozenset({80, 443})
"""The ports of a pattern that names none."""

_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_PATTERN: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_MAX_NAME: Final = 253

_SERVICES: Final = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
"""Networks that are services of the machine's own host: Azure's, and the protocol assignments (RFC 6890) that Oracle's cloud uses."""

_EMBEDDING: Final = ((ipaddress.ip_network("64:ff9b::/96"), 0), (ipaddress.ip_network("2002::/16"), 80))
"""IPv6 networks whose addresses carry an IPv4 address, and how many bits from the right: NAT64 (RFC 6052), 6to4 (RFC 3056)."""


class Rule(msgspec.Struct, frozen=True):
    """One pattern. `host` is canonical; `below`: the names below it and not itself; `ports`: on which."""

    host: str
    below: bool = False
    ports: frozenset[int] = WEB_PORTS

    def matches(self, host: str, port: int) -> bool:
        """Is `host`, in canonical form, with `port` what this pattern means?"""
        return port in self.ports and (host.endswith(f".{self.host}") if self.below else host == self.host)


class Hosts(msgspec.Struct, frozen=True):
    """The hosts that may be reached."""

    rules: tuple[Rule, ...] = ()

    def allowed(self, host: str, port: int) -> bool:
        """May `host` be reached at `port`? `host` is as a client wrote it."""
        name = canonical(host)
        return name is not None and any(rule.matches(name, port) for rule in self.rules)


def parse_hosts(patterns: Iterable[str]) -> Hosts:
    """The hosts that any of `patterns` names. Raises `UsageError`."""
    return Hosts(tuple(map(parse_rule, patterns)))


def parse_rule(pattern: str) -> Rule:
    """One pattern. Raises `UsageError` where it is none, or would allow more than a person meant."""
    found = _PATTERN.fullmatch(pattern.strip())
    if found is None:
        raise _wrong(pattern, "a host is a name or an address, with :PORT or without; an IPv6 address stands in brackets")
    ports = WEB_PORTS if found["port"] is None else frozenset({int(found["port"])})
    if not all(1 <= port <= 65535 for port in ports):
        raise _wrong(pattern, "a port is a number from 1 to 65535")
    below = found["host"].startswith("*.")
    host = canonical(_ascii(pattern, found["host"].removeprefix("*.").removeprefix("[").removesuffix("]")))
    if host is None:
        raise _wrong(pattern, "write pypi.org, *.pypi.org, pypi.org:8443 or an IP address, and no scheme, path or user")
    if below and (address_of(host) is not None or "." not in host):
        raise _wrong(pattern, "`*.` needs a name of at least two parts after it, as in *.pypi.org")
    return Rule(host, below, ports)


def canonical(host: str) -> str | None:
    """The one form of `host` in which it is compared: lower case, without a dot at the end, an address as it is usually written.

    None for what is neither a host name nor an address in its usual notation, and therefore never allowed: another program might
    read it as another host. International names are accepted in their ASCII form (`xn--…`) only, as clients send them.
    """
    if not host.isascii() or len(host) > _MAX_NAME + 1:
        return None
    name = host.lower()
    address = address_of(name)
    if address is not None:
        return str(address)
    labels = name.removesuffix(".").split(".")
    # A last part that is a number makes an IPv4 address for many readers: 0x7f.1, 2130706433, 0177.0.0.1.
    if not all(_LABEL.fullmatch(label) for label in labels) or _NUMBER.fullmatch(labels[-1]):
        return None
    name = ".".join(labels)
    return name if len(name) <= _MAX_NAME else None


def address_of(host: str) -> Address | None:
    """The IP address that `host` is, in its usual notation and without a zone. IPv4 inside IPv6 (`::ffff:…`) is the IPv4 address."""
    if "%" in host:
        return None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def public(address: str) -> bool:
    """Is `address` out in the internet? False for this machine, private and local networks, multicast, and cloud metadata services."""
    found = address_of(address)
    if found is None or any(found in network for network in _SERVICES) or found.is_multicast or not found.is_global:
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return True
    inner = [ipaddress.IPv4Address(int(found) >> shift & 0xFFFFFFFF) for network, shift in _EMBEDDING if found in network]
    return not found.is_site_local and all(public(str(each)) for each in inner)


def _ascii(pattern: str, host: str) -> str:
    """`host` as clients will send it. A label that mixes alphabets is a look-alike of another name more often than a name."""
    if host.isascii():
        return host
    for label in host.split("."):
        alphabets = {unicodedata.name(char, "?").split()[0] for char in label if char.isalpha()}
        if len(alphabets) > 1 and alphabets & {"LATIN", "CYRILLIC", "GREEK"}:
            raise _wrong(
                pattern, f"{label!r} mixes alphabets ({', '.join(sorted(alphabets))}); write its ASCII form (xn--…) if it is meant"
            )
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise _wrong(pattern, "the name has no ASCII form") from error


def _wrong(pattern: str, hint: str) -> UsageError:
    return UsageError(f"{pattern!r} is no host that can be allowed", hint=f"{hint[0].upper()}{hint[1:]}.")
