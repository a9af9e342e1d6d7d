"""The text of the Seatbelt profile: which rules, in which order, and that no path can add one. It is read here by its own small reader."""

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.errors import RefusedError
from kimicode.sandbox.boundary import Boundary, Limits, Network
from kimicode.sandbox.seatbelt import command_line, profile

PLAIN = Boundary(
    writable=(Path("/ws"), Path("/more")),
    temporary=Path("/tmp/own"),
    environ={},
    limits=Limits(1 << 30),
    cwd=Path("/ws"),
    protected=(Path("/ws/.git"), Path("/ws/a/b/.git")),
    hidden=(Path("/home/me/.ssh"), Path("/ws/.netrc")),
)

Form = str | list["Form"]


def read(text: str) -> list[Form]:
    """The forms of a profile: a list of lists of words; strings without their quotation marks but with a mark that they were."""
    tokens = re.findall(r'[()]|"(?:[^"\\]|\\.)*"|[^\s()"]+', text)
    assert "".join(tokens) == re.sub(r'("(?:[^"\\]|\\.)*")|\s+', r"\1", text), "something that is no form"
    stack: list[list[Form]] = [[]]
    for token in tokens:
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append("=" + re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL) if token[0] == '"' else token)
    [forms] = stack
    return forms


def under(path: str, place: str) -> bool:
    return place == "/" or path == place or path.startswith(f"{place}/")


def may(text: str, operation: str, path: str) -> bool:
    """Whether a profile allows an operation on a path: the last rule that fits decides."""
    verdict = False
    for form in read(text):
        assert isinstance(form, list)
        operations = [word for word in form[1:] if isinstance(word, str)]
        filters = [word for word in form[1:] if isinstance(word, list)]
        if form[0] not in ("allow", "deny"):
            continue
        fits = any(word == "default" or re.fullmatch(re.escape(word).replace(r"\*", ".*"), operation) for word in operations)
        named = not filters or any(
            (kind == "subpath" and under(path, where[1:])) or (kind == "literal" and path == where[1:])
            for kind, where in (each[:2] for each in filters)
            if isinstance(where, str)
        )
        if fits and named:
            verdict = form[0] == "allow"
    return verdict


@pytest.mark.parametrize(
    ("operation", "path", "expected"),
    [
        ("file-write-data", "/ws/a", True),
        ("file-write-create", "/ws/a/b/c", True),
        ("file-write-create", "/more/x", True),
        ("file-write-create", "/tmp/own/x", True),
        ("file-write-create", "/tmp/x", False),
        ("file-write-data", "/wsx", False),
        ("file-write-data", "/etc/passwd", False),
        ("file-write-mode", "/etc/passwd", False),
        ("file-write-data", "/ws/.git", False),
        ("file-write-create", "/ws/.git/hooks/x", False),
        ("file-write-create", "/ws/a/b/.git/config", False),
        ("file-write-unlink", "/ws/a/b", False),
        ("file-write-unlink", "/ws/a", False),
        ("file-write-unlink", "/ws", False),
        ("file-write-unlink", "/ws/a/c", True),
        ("file-write-create", "/ws/.gitignore", True),
        ("file-read-data", "/etc/passwd", True),
        ("file-read-data", "/ws/.git/config", True),
        ("file-read-data", "/home/me/.ssh/id", False),
        ("file-read-metadata", "/home/me/.ssh", False),
        ("file-write-data", "/ws/.netrc", False),
        ("file-read-data", "/ws/.netrc", False),
        ("file-write-data", "/dev/null", True),
        ("network-outbound", "/x", False),
        ("network-bind", "/x", False),
        ("mach-register", "/x", False),
        ("system-socket", "/x", False),
    ],
)
def test_what_is_allowed(operation: str, path: str, expected: bool) -> None:
    assert may(profile(PLAIN), operation, path) is expected


def test_networks() -> None:
    assert may(profile(msgspec.structs.replace(PLAIN, network=Network("all"))), "network-outbound", "/x")
    alone = profile(msgspec.structs.replace(PLAIN, network=Network("hosts", Path("/run/proxy.sock"))))
    last = read(alone)[-2:]
    assert last == [
        ["deny", "network*"],
        ["allow", "network-outbound", ["remote", "unix-socket", ["path-literal", "=/run/proxy.sock"]]],
    ]
    with pytest.raises(RefusedError, match="no filtering proxy"):
        profile(msgspec.structs.replace(PLAIN, network=Network("hosts")))


def test_unix_sockets_stay_out_of_reach_on_an_open_network() -> None:
    forms = read(profile(msgspec.structs.replace(PLAIN, network=Network("all"))))
    assert ["deny", "network*", ["remote", "unix-socket"]] in forms[-2:]


def test_to_look_and_without_lines() -> None:
    looking = profile(msgspec.structs.replace(PLAIN, writable=(), protected=()))
    assert not may(looking, "file-write-data", "/ws/a")
    assert may(looking, "file-write-data", "/tmp/own/a")
    assert may(profile(msgspec.structs.replace(PLAIN, writable=(Path("/"),), protected=(), hidden=())), "file-write-data", "/etc/x")


NAMES = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"]), min_size=1).map(lambda name: name.replace("/", "_"))


@given(NAMES.filter(lambda name: name not in {".", ".."}))
def test_no_path_can_add_a_rule(name: str) -> None:
    plain, odd = (profile(msgspec.structs.replace(PLAIN, writable=(Path("/ws") / each,))) for each in ("x", name))
    assert len(read(odd)) == len(read(plain))
    assert may(odd, "file-write-data", str(Path("/ws") / name))
    assert not may(odd, "file-write-data", "/etc/passwd")


@pytest.mark.parametrize("name", ['a") (allow default) ("', "a\\", 'a"', 'a\\")(allow file-write*)'])
def test_hostile_names(name: str) -> None:
    text = profile(msgspec.structs.replace(PLAIN, hidden=(Path("/") / name,)))
    assert not may(text, "file-read-data", f"/{name}/x")
    assert not may(text, "file-write-data", "/etc/passwd")


@pytest.mark.parametrize("name", ["a\nb", "a\0b", "\udcff", "a\x85b"])
def test_what_can_not_stand_in_a_profile_is_refused(name: str) -> None:
    with pytest.raises(RefusedError, match="can't stand"):
        profile(msgspec.structs.replace(PLAIN, protected=(Path("/ws") / name,)))


def test_the_command_line() -> None:
    line = command_line(PLAIN, ["/bin/bash", "-c", "true"])
    assert (line[:2], line[3:]) == (("/usr/bin/sandbox-exec", "-p"), ("/bin/bash", "-c", "true"))
