"""The head of a request to a proxy, read strictly: what is unusual is refused, so that nobody down the line can read it differently.

Two forms exist (RFC 9112, 3.2): `CONNECT host:port` for a tunnel, and `GET http://host/path` for plain HTTP. Pure. What this module
does not do: decide whether the host may be reached, or touch a connection.
"""

import re
from typing import Final, NoReturn

import msgspec

MAX_HEAD: Final = 32 * 1024
"""The longest head that is read, in bytes."""

_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST: Final = re.compile(rf"({_TOKEN}) ([!-~]+) HTTP/1\.([01])", re.ASCII)
_FIELD: Final = re.compile(rf"({_TOKEN}):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[ \t\x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*")
_ABSOLUTE: Final = re.compile(r"(?i:http)://([^/?#]*)([/?][^#]*)?", re.ASCII)
_AUTHORITY: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?", re.ASCII)
_LENGTH: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")

_HOP: Final = frozenset(
    ["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "upgrade", "host"]
)
"""Fields between two neighbours (RFC 9110, 7.6.1), which are not passed on; `Host` is written anew from the target."""


class BadRequest(Exception):
    """The request is not one that a proxy takes. `status` is the answer's code."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Head(msgspec.Struct, frozen=True):
    """One request. `path` is "" for a tunnel. `length` is the body's in bytes; None where it comes in chunks."""

    method: str
    host: str
    port: int
    path: str = ""
    minor: str = "1"
    fields: tuple[tuple[str, str], ...] = ()
    length: int | None = 0

    @property
    def tunnel(self) -> bool:
        """True for CONNECT."""
        return not self.path


def parse_head(data: bytes) -> Head:
    """The request whose head is `data`, its empty line included. Raises `BadRequest`."""
    lines = data.removesuffix(b"\r\n\r\n").decode("latin-1").split("\r\n")
    request = _REQUEST.fullmatch(lines[0])
    if request is None:
        _bad("the first line is no request")
    fields = tuple(map(_field, lines[1:]))
    method, target, minor = request.groups()
    if method.upper() == "CONNECT":
        host, port = _authority(target, None)
        return Head("CONNECT", host, port)
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        _bad("this is a proxy: ask it for http://…, or for a tunnel with CONNECT")
    host, port = _authority(absolute[1], 80)
    path = absolute[2] or "/"
    return Head(method, host, port, path if path[0] == "/" else f"/{path}", minor, fields, _length(fields, minor))


def passed_on(head: Head, host: str) -> bytes:
    """The head of the request that goes to the server `host` (in canonical form): for one exchange, without what was meant for us."""
    named = {name.strip().lower() for key, value in head.fields if key.lower() == "connection" for name in value.split(",")}
    dropped = _HOP | (named - {"content-length", "transfer-encoding"})
    shown = f"[{host}]" if ":" in host else host
    own = [("Host", shown if head.port == 80 else f"{shown}:{head.port}"), ("Connection", "close")]
    kept = [(name, value) for name, value in head.fields if name.lower() not in dropped]
    lines = [f"{head.method} {head.path} HTTP/1.{head.minor}", *(f"{name}: {value}" for name, value in own + kept), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def chunk_size(line: bytes) -> int:
    """How many bytes follow the line before a chunk, its end included. Raises `BadRequest`."""
    found = _CHUNK.fullmatch(line.removesuffix(b"\r\n"))
    if found is None:
        _bad("a chunk has no size")
    return int(found[1], 16)


def _field(line: str) -> tuple[str, str]:
    found = _FIELD.fullmatch(line)
    if found is None:
        _bad("a header field is malformed")
    return found[1], found[2]


def _authority(text: str, default: int | None) -> tuple[str, int]:
    if "@" in text:
        _bad("an address with a user name in it is refused")
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        _bad("there is no host name in the address")
    port = default if found[3] is None else int(found[3])
    if port is None or not 1 <= port <= 65535:
        _bad("the address has no usable port")
    return found[1] or found[2], port


def _length(fields: tuple[tuple[str, str], ...], minor: str) -> int | None:
    lengths = [value for name, value in fields if name.lower() == "content-length"]
    codings = [value for name, value in fields if name.lower() == "transfer-encoding"]
    if codings:
        if lengths or minor == "0" or [coding.lower() for coding in codings] != ["chunked"]:
            _bad("the length of the body is ambiguous")
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        _bad("the length of the body is ambiguous")
    return int(lengths[0])


def _bad(reason: str) -> NoReturn:
    raise BadRequest(reason)
