"""From a boundary to options, rules and limits: tables, no process."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from kimicode.errors import RefusedError
from kimicode.sandbox.boundary import Boundary, Limits, Network, Tier
from kimicode.sandbox.bubblewrap import between, missing_protected
from kimicode.sandbox.plan import Plan, plan
from kimicode.sandbox.probe import Capabilities, Helper
from kimicode.sandbox.seccomp import Sockets, program
from kimicode.sandbox.survey import Kind, Survey

GIB = 1024**3
WS, TEMPORARY = Path("/home/u/ws"), Path("/home/u/.local/share/kimicode/s1/tmp")
HELPER = Helper(Path("/usr/bin/python3"), b"program", b"bridge", (Path("/usr"), Path("/opt/venv")))
ALL = Capabilities("Linux", "x86_64", HELPER, bubblewrap=Path("/usr/bin/bwrap"), modern=True, landlock_abi=7, seccomp=True)
PROXY = Network("hosts", Path("/home/u/proxy.sock"))
CagedTier = Literal[Tier.BUBBLEWRAP, Tier.LANDLOCK]
BOTH: list[CagedTier] = [Tier.BUBBLEWRAP, Tier.LANDLOCK]


def boundary(**changes: object) -> Boundary:
    base = Boundary(writable=(WS,), temporary=TEMPORARY, environ={"PATH": "/bin"}, limits=Limits(memory_bytes=2 * GIB), cwd=WS)
    return msgspec.structs.replace(base, **changes)


def seen(line: Boundary, kinds: Mapping[Path, Kind] | None = None, missing: Mapping[Path, Path] | None = None) -> Survey:
    """A disk on which every path of `line` is a folder, except for what is said."""
    folders: Iterable[Path] = (*line.writable, *line.protected, *line.hidden)
    gone = missing or {}
    known = dict.fromkeys(folders, Kind.FOLDER) | dict(kinds or {}) | dict.fromkeys((*gone, *gone.values()), Kind.MISSING)
    return Survey(known, gone, {}, Path("/run/systemd/resolve/stub-resolv.conf"))


def planned(
    line: Boundary, tier: CagedTier = Tier.BUBBLEWRAP, disk: Survey | None = None, can: Capabilities = ALL, **more: tuple[Path, ...]
) -> Plan:
    return plan(line, tier, can, disk or seen(line), ["/bin/bash", "-c", "true"], **more)


def mounts(made: Plan) -> list[tuple[str, str]]:
    """The mounts in their order: what is done, and where."""
    found, words = [], list(made.launcher)
    for at, word in enumerate(words):
        match word:
            case "--bind" | "--ro-bind" | "--ro-bind-try":
                found.append((word, words[at + 2]))
            case "--tmpfs" | "--remount-ro":
                found.append((word, words[at + 1]))
    return found


def place(made: Plan, what: str, where: Path | str) -> int:
    return mounts(made).index((what, str(where)))


def test_everything_is_unshared_and_dies_with_its_parent() -> None:
    options = planned(boundary()).launcher
    assert options[0] == "/usr/bin/bwrap"
    for option in "--unshare-all --unshare-user --disable-userns --die-with-parent --new-session --cap-drop".split():
        assert option in options
    assert "--share-net" not in options
    assert options[-2:] == ("--chdir", str(WS))


def test_fresh_folders_come_first_then_the_deeper_the_later() -> None:
    line = boundary(protected=(WS / ".git",), hidden=(Path("/home/u/.ssh"), WS / "keys"))
    made = planned(line, disk=seen(line, {WS / "keys": Kind.FILE}))
    order = [
        place(made, "--ro-bind", "/"),
        place(made, "--bind", "/tmp"),
        place(made, "--tmpfs", "/run"),
        place(made, "--tmpfs", "/home/u/.ssh"),
        place(made, "--ro-bind", WS / ".git"),
        place(made, "--remount-ro", "/home/u/.ssh"),
    ]
    assert order == sorted(order)
    assert place(made, "--bind", WS) < place(made, "--ro-bind", WS / "keys")
    words = made.launcher
    assert words[words.index(str(WS / "keys")) - 1] == "/dev/null", "a file is hidden by a device that can't be opened"


def test_a_workspace_and_a_python_below_tmp_are_there_again() -> None:
    ws, python = Path("/tmp/ws"), Path("/tmp/venv")
    helper = msgspec.structs.replace(HELPER, needs=(Path("/usr"), python, ws / ".venv"))
    made = planned(boundary(writable=(ws,), cwd=ws), can=msgspec.structs.replace(ALL, helper=helper))
    assert place(made, "--bind", "/tmp") < place(made, "--ro-bind", python)
    assert place(made, "--bind", "/tmp") < place(made, "--bind", ws)
    assert ("--ro-bind", str(ws / ".venv")) not in mounts(made), "in the workspace it is the workspace's"
    assert ("--ro-bind", "/usr") not in mounts(made), "nothing covers it"


def test_a_python_in_a_hidden_folder_stays_readable() -> None:
    line = boundary(hidden=(Path("/opt"),))
    made = planned(line)
    assert place(made, "--tmpfs", "/opt") < place(made, "--ro-bind", "/opt/venv") < place(made, "--remount-ro", "/opt")


def test_what_is_hidden_by_a_fresh_folder_needs_no_mount() -> None:
    made = planned(boundary(hidden=(Path("/tmp/keys"), Path("/run/user/1000/bus"))))
    assert not any(where in ("/tmp/keys", "/run/user/1000/bus") for _, where in mounts(made))
    ws = Path("/tmp/ws")
    inside = planned(boundary(writable=(ws,), cwd=ws, hidden=(ws / "keys",)))
    assert ("--tmpfs", str(ws / "keys")) in mounts(inside)


def test_a_folder_above_a_protected_path_can_not_be_renamed() -> None:
    """`mv a b; mkdir -p a/.vscode` made an unprotected one: a mount point stays where it is, its parent did not."""
    line = boundary(protected=(WS / "a/b/.vscode",))
    made = planned(line)
    order = [place(made, "--bind", WS), place(made, "--bind", WS / "a"), place(made, "--bind", WS / "a/b")]
    assert [*order, place(made, "--ro-bind", WS / "a/b/.vscode")] == sorted([*order, place(made, "--ro-bind", WS / "a/b/.vscode")])


@pytest.mark.parametrize(
    ("protected", "expected"),
    [
        (["ws/.git"], []),
        (["ws/a/.git"], ["ws/a"]),
        (["ws/a/b/.git", "ws/a/.vscode"], ["ws/a/b", "ws/a"]),
        (["ws/.git", "ws/.git/modules/x"], []),  # within something protected nothing may become writable
        (["ws/a/.git", "ws/a/.git/modules/x"], ["ws/a"]),
    ],
)
def test_between(protected: list[str], expected: list[str]) -> None:
    root = Path("/home/u")
    assert set(between([root / path for path in protected], [root / "ws"])) == {root / path for path in expected}


def test_what_is_missing_stands_for_all_below_it() -> None:
    paths = (WS / ".vscode/tasks.json", WS / ".vscode/settings.json", WS / ".git", Path("/elsewhere/.git"))
    line = boundary(protected=paths)
    disk = seen(line, missing={paths[0]: WS / ".vscode", paths[1]: WS / ".vscode", paths[3]: Path("/elsewhere")})
    assert missing_protected(line, disk) == (WS / ".vscode",)
    held = planned(line, disk=disk, placeholders=(WS / ".vscode",))
    assert mounts(held).count(("--ro-bind", str(WS / ".vscode"))) == 1
    not_made = planned(line, disk=disk)
    assert ("--ro-bind", str(WS / ".vscode")) not in mounts(not_made)
    assert ("--ro-bind", str(WS / ".git")) in mounts(not_made)


def test_a_writable_folder_that_is_missing_is_left_out() -> None:
    line = boundary(writable=(WS, Path("/home/u/.cache/uv")))
    disk = seen(line, missing={Path("/home/u/.cache/uv"): Path("/home/u/.cache")})
    assert not any("uv" in where for _, where in mounts(planned(line, disk=disk)))
    rules = planned(line, Tier.LANDLOCK, disk).task["cage"]["rules"]
    assert not any(b"uv" in rule["path"] for rule in rules)


@pytest.mark.parametrize("tier", BOTH)
@pytest.mark.parametrize("which", ["writable", "protected", "hidden"])
def test_a_link_fails_closed(tier: CagedTier, which: str) -> None:
    path = WS / ".kimicode"
    line = boundary(**{which: (path,)})
    with pytest.raises(RefusedError, match=r"\.kimicode is or lies behind a symbolic link"):
        planned(line, tier, seen(line, {path: Kind.LINK}))


def test_with_the_network_its_resolver_comes_along() -> None:
    assert not any("resolv" in where for _, where in mounts(planned(boundary())))
    made = planned(boundary(network=Network("all")))
    assert "--share-net" in made.launcher
    assert place(made, "--tmpfs", "/run") < place(made, "--ro-bind-try", "/run/systemd/resolve/stub-resolv.conf")


def test_single_hosts_by_a_bridge() -> None:
    inside, alone = (planned(boundary(network=PROXY), tier) for tier in BOTH)
    assert "--share-net" not in inside.launcher
    assert ("--ro-bind", "/run/kimicode-proxy") in mounts(inside)
    assert (inside.task["proxy"], inside.task["bridge"]) == (b"/run/kimicode-proxy", b"bridge")
    assert (alone.task["proxy"], alone.task["bridge"]) == (b"/home/u/proxy.sock", b"bridge")
    assert alone.task["cage"]["only_proxy"]
    assert not inside.task["cage"]["only_proxy"]
    with pytest.raises(RefusedError, match="no filtering proxy runs"):
        planned(boundary(network=Network("hosts")))
    with pytest.raises(RefusedError, match=r"Linux 6\.7"):
        planned(boundary(network=PROXY), Tier.LANDLOCK, can=msgspec.structs.replace(ALL, landlock_abi=3))


@pytest.mark.parametrize(
    ("tier", "network", "sockets"),
    [
        (Tier.BUBBLEWRAP, Network(), Sockets.INTERNET),  # of a network of its own
        (Tier.BUBBLEWRAP, PROXY, Sockets.INTERNET),
        (Tier.BUBBLEWRAP, Network("all"), Sockets.INTERNET),
        (Tier.LANDLOCK, Network(), Sockets.NONE),
        (Tier.LANDLOCK, PROXY, Sockets.TCP),
        (Tier.LANDLOCK, Network("all"), Sockets.INTERNET),
    ],
)
def test_sockets(tier: CagedTier, network: Network, sockets: Sockets) -> None:
    assert planned(boundary(network=network), tier).task["cage"]["filter"] == program("x86_64", sockets)


def test_the_reduced_tier() -> None:
    line = boundary(protected=(WS / ".git",), hidden=(Path("/home/u/.ssh"),))
    made = planned(line, Tier.LANDLOCK)
    assert (made.launcher, made.guarded) == ((), (WS / ".git",))
    assert made.task["cage"]["drop"], "root without a namespace keeps no capabilities"
    assert made.task["ceilings"]["own_count"]
    assert not made.task["namespace"]
    with pytest.raises(RefusedError, match="keys can't be hidden within a writable folder"):
        planned(boundary(hidden=(WS / "keys",)), Tier.LANDLOCK)


@pytest.mark.parametrize("tier", BOTH)
def test_the_task(tier: CagedTier) -> None:
    task = planned(boundary(limits=Limits(1, 2, 3, 4)), tier).task
    assert task["argv"] == [b"/bin/bash", b"-c", b"true"]
    assert task["environ"][b"PATH"] == b"/bin"
    assert {task["environ"][name] for name in (b"TMPDIR", b"TMP", b"TEMP")} == {bytes(TEMPORARY)}
    assert task["cwd"] == bytes(WS)
    ceilings = {**task["ceilings"]}
    del ceilings["own_count"]
    assert ceilings == {"memory_bytes": 1, "processes": 2, "file_bytes": 3, "open_files": 4}


@pytest.mark.parametrize("word", ["a\0b", "\ud800"])
def test_what_no_program_can_get_is_an_error(word: str) -> None:
    with pytest.raises(ValueError, match=r"null byte|surrogates"):
        plan(boundary(), Tier.BUBBLEWRAP, ALL, seen(boundary()), ["sh", "-c", word])


def test_an_old_bubblewrap_and_an_old_landlock() -> None:
    made = planned(boundary(), can=msgspec.structs.replace(ALL, modern=False, landlock_abi=2))
    assert not {"--disable-userns", "--size"} & set(made.launcher)
    assert made.task["cage"]["abi"] == 0


def test_everything_writable() -> None:
    made = planned(boundary(writable=(Path("/"),), hidden=(Path("/home/u/.ssh"),)))
    assert mounts(made)[0] == ("--bind", "/")
    assert mounts(made).count(("--bind", "/")) == 1
    assert place(made, "--bind", "/") < place(made, "--tmpfs", "/home/u/.ssh")


@pytest.mark.parametrize("tier", BOTH)
def test_a_tier_that_is_not_there_is_refused(tier: CagedTier) -> None:
    nothing = Capabilities("Linux", "x86_64", HELPER, problem="bubblewrap is not installed", seccomp=True)
    with pytest.raises(RefusedError, match=f"{tier.value} can't be used here"):
        planned(boundary(), tier, can=nothing)
