"""Commands in both tiers on this machine: what works as without a sandbox, what is held, and that nothing outlives its command.

Attacks have a suite of their own (`tests/security`); here is what a user relies on.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from kimicode.errors import RefusedError, ToolError
from kimicode.sandbox.boundary import Boundary, Limits, Network, Tier
from kimicode.sandbox.capture import Capture
from kimicode.sandbox.probe import Capabilities, probe
from kimicode.sandbox.run import Finished, Sandbox, run_command

ROOT = Path(__file__).parents[2]
GIB = 1024**3


@pytest.fixture(scope="module")
def capabilities() -> Capabilities:
    return probe()


@pytest.fixture(params=[Tier.BUBBLEWRAP, Tier.LANDLOCK], ids=lambda tier: str(tier.value))
def tier(request: pytest.FixtureRequest) -> Tier:
    assert isinstance(request.param, Tier)
    return request.param


def _shown_as_it_is() -> Path:
    """A folder to make others in that a sandbox shows as it is: below those for temporary files it has its own."""
    places = (ROOT, Path.home(), Path("/srv"), Path("/var/lib"))
    return next(
        each for each in places if os.access(each, os.W_OK) and not any(each.is_relative_to(folder) for folder in ("/tmp", "/var/tmp"))
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below /tmp, where a sandbox shows its own folder: what can't be seen there is not denied, but absent."""
    with tempfile.TemporaryDirectory(prefix=".sandbox-", dir=_shown_as_it_is()) as made:
        yield Path(made).resolve()


def sandbox_in(folder: Path, tier: Tier, capabilities: Capabilities, **changes: object) -> Sandbox:
    workspace = folder / "ws"
    workspace.mkdir(exist_ok=True)
    boundary = Boundary(
        writable=(workspace,),
        temporary=folder / "own",
        environ={"PATH": os.environ["PATH"], "HARMLESS": "yes"},
        limits=Limits(memory_bytes=2 * GIB),
        cwd=workspace,
    )
    return Sandbox(msgspec.structs.replace(boundary, **changes), tier, capabilities, folder / "registry")


@pytest.fixture
def box(folder: Path, tier: Tier, capabilities: Capabilities) -> Sandbox:
    return sandbox_in(folder, tier, capabilities)


def bounded(box: Sandbox, **changes: object) -> Sandbox:
    return msgspec.structs.replace(box, boundary=msgspec.structs.replace(box.boundary, **changes))


async def start(box: Sandbox, command: str, timeout_s: float = 60) -> Finished:
    capture = Capture(box.registry.parent / "scratch", "shell", limit=30_000, head=8_000, tail=8_000)
    return await run_command(command, cwd=Path("/"), timeout_s=timeout_s, capture=capture, environ={}, sandbox=box)


def run(box: Sandbox, command: str, timeout_s: float = 60) -> Finished:
    return asyncio.run(start(box, command, timeout_s))


def workspace(box: Sandbox) -> Path:
    return box.boundary.cwd


def lives(mark: str) -> bool:
    """Whether any process but zombies has `mark` in its command line."""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        os.sched_yield()


# What works as without a sandbox


@pytest.mark.parametrize(
    ("command", "output", "code"),
    [
        ("true", "", 0),
        ("echo out; echo err >&2; echo out2; exit 3", "out\nerr\nout2\n", 3),
        ("cat; echo end", "end\n", 0),
        ("kill -9 $$", "", 137),
        ("kill -TERM $$", "", 143),
        ("exit 126", "", 126),
        ("printf '\\xff'", "\ufffd", 0),
        ("echo ${BASH_VERSION:+bash}", "bash\n", 0),
        ("if", None, 2),
        ("echo a > >(sleep 0.05; cat)", "a\n", 0),
        ("yes | head -1", "y\n", 0),
        ("test -t 0 || echo no-terminal", "no-terminal\n", 0),
        ("cat <<< here; cat < <(echo there)", "here\nthere\n", 0),
        ("mktemp > /dev/null && echo made", "made\n", 0),
        ("echo $HARMLESS $MOONSHOT_API_KEY", "yes\n", 0),
        ("for i in 1 2 3; do (exit $i) & done; wait; echo waited", "waited\n", 0),
    ],
)
def test_output_and_exit_code(box: Sandbox, command: str, output: str | None, code: int) -> None:
    done = run(box, command)
    assert output is None or (done.output.head + done.output.tail) == output
    assert done.exit_code == code
    assert done.put_back == ()


def test_the_workspace_is_writable_in_every_way(box: Sandbox) -> None:
    command = (
        "mkdir -p a/b && echo x > a/b/f && mv a/b/f a/g && ln a/g h && ln -s a/g s && chmod +x a/g && : > a/g "
        "&& mkfifo p && rm s p && rmdir a/b && touch -d 2001-01-01 h && echo ok > $TMPDIR/t && cat $TMPDIR/t && echo x > /dev/null"
    )
    done = run(box, command)
    assert (done.output.head, done.exit_code) == ("ok\n", 0)
    assert sorted(os.listdir(workspace(box))) == ["a", "h"]
    assert (box.boundary.temporary / "t").read_text() == "ok\n"


def test_the_environment_is_the_boundarys_and_nothing_else(box: Sandbox) -> None:
    names = {line.partition("=")[0] for line in run(box, "env").output.head.splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "HARMLESS", "TMPDIR", "TMP", "TEMP"}


def test_programs_find_the_temporary_folder_by_both_names(folder: Path, capabilities: Capabilities) -> None:
    box = sandbox_in(folder, Tier.BUBBLEWRAP, capabilities)
    assert run(box, "echo kept > /tmp/f").exit_code == 0
    assert run(box, "cat $TMPDIR/f /tmp/f").output.head == "kept\nkept\n"


def test_many_at_once(box: Sandbox) -> None:
    async def scenario() -> list[Finished]:
        return await asyncio.gather(*(start(box, f"echo {n}; exit {n}") for n in range(8)))

    done = asyncio.run(scenario())
    assert [(each.output.head, each.exit_code) for each in done] == [(f"{n}\n", n) for n in range(8)]


# What is held


def test_writing_elsewhere_is_denied_and_changes_nothing(box: Sandbox, folder: Path) -> None:
    outside = folder / "outside"
    outside.write_text("as it was")
    (workspace(box) / "link").symlink_to(outside)
    for name in (str(outside), "link", f"/proc/self/root{outside}", str(folder / "new")):
        done = run(box, f"echo changed > {name}")
        assert done.exit_code == 1
        assert "Read-only file system" in done.output.head or "Permission denied" in done.output.head
    assert outside.read_text() == "as it was"
    assert not (folder / "new").exists()
    assert run(box, "echo inside > f").exit_code == 0


def test_hidden_paths_are_neither_read_nor_listed(box: Sandbox, folder: Path) -> None:
    keys, file, open_ = folder / "keys", folder / "token", folder / "open"
    for path in (keys, open_):
        path.mkdir()
        (path / "k").write_text("sk-secret")
    file.write_text("sk-secret")
    box = bounded(box, hidden=(keys, file))
    assert run(box, f"cat {open_}/k").output.head == "sk-secret"
    done = run(
        box, f"cat {file}; cat {keys}/k; ls {keys}; cd {keys} && cat k; cp -r {keys} {file} .; grep -r secret {folder}/keys {folder}/token"
    )
    assert "sk-secret" not in done.output.head
    assert done.exit_code != 0
    assert "k\n" not in done.output.head.splitlines(keepends=True)


def left_in(folder: Path) -> list[str]:
    """What is there under a name that something would run."""
    return [path.name for path in folder.iterdir() if ".set-aside-" not in path.name]


def test_protected_paths_stay_as_they_are(box: Sandbox) -> None:
    (workspace(box) / ".git/hooks").mkdir(parents=True)
    (workspace(box) / ".git/config").write_text("[core]\n")
    (workspace(box) / ".mcp.json").write_text("{}")
    (workspace(box) / "sub/.vscode").mkdir(parents=True)
    names = (".git", ".mcp.json", "sub/.vscode", ".kimicode", "new/.vscode")
    box = bounded(box, protected=tuple(workspace(box) / name for name in names))
    command = (
        "echo x > .git/hooks/pre-commit; echo x >> .git/config; mv .git g; echo x > .mcp.json; rm -f .mcp.json; mkdir .kimicode;"
        "echo x > .kimicode/f; mv sub sub2; mkdir -p sub/.vscode; echo x > sub/.vscode/tasks.json; mkdir -p new/.vscode; echo x > allowed"
    )
    run(box, command)
    assert (workspace(box) / "allowed").read_text() == "x\n"
    assert (workspace(box) / ".git/config").read_text() == "[core]\n"
    assert left_in(workspace(box) / ".git/hooks") == []
    assert (workspace(box) / ".mcp.json").read_text() == "{}"
    assert left_in(workspace(box) / "sub/.vscode") == []
    assert not (workspace(box) / ".kimicode").exists()
    assert not (workspace(box) / "new/.vscode").exists()


def test_the_reduced_tier_says_what_it_put_back(folder: Path, capabilities: Capabilities) -> None:
    box = sandbox_in(folder, Tier.LANDLOCK, capabilities)
    path = workspace(box) / ".mcp.json"
    path.write_text("{}")
    box = bounded(box, protected=(path,))
    assert run(box, "true").put_back == ()
    assert run(box, "echo x > .mcp.json").put_back == (path,)
    # What still runs when the command ends could change it afterwards: it is dead before anything is put back.
    assert run(box, "(setsid sh -c 'while :; do echo x > .mcp.json; done') >&- 2>&- & sleep 0.1", timeout_s=30).put_back == (path,)
    assert path.read_text() == "{}"


def test_a_link_where_something_protected_should_be_fails_closed(box: Sandbox, folder: Path) -> None:
    (workspace(box) / ".kimicode").symlink_to(folder / "elsewhere")
    with pytest.raises(RefusedError, match=r"\.kimicode is or lies behind a symbolic link"):
        run(bounded(box, protected=(workspace(box) / ".kimicode",)), "touch ran")
    assert not (workspace(box) / "ran").exists()


def test_privileges_are_gone(box: Sandbox) -> None:
    status = dict(line.split(":\t") for line in run(box, "cat /proc/self/status").output.head.splitlines())
    assert {status[name].strip() for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_only_three_descriptors_are_open(box: Sandbox) -> None:
    keep = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(keep, True)
    try:
        assert run(box, "echo /proc/self/fd/*").output.head.split() == [f"/proc/self/fd/{n}" for n in (0, 1, 2, 3)]
    finally:
        os.close(keep)


def test_no_sockets_of_services(box: Sandbox, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(os.path.relpath(folder / "s"))
        service.listen()
        program = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({str(folder / 's')!r})"
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
        assert "Operation not permitted" in run(box, f'{sys.executable} -c "{program}"').output.head


@pytest.mark.parametrize("access", ["none", "all"])
def test_the_network(box: Sandbox, access: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        port = server.getsockname()[1]
        done = run(bounded(box, network=Network(access)), f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo hello >&3")  # type: ignore[arg-type]
        if access == "all":
            assert done.exit_code == 0
            with server.accept()[0] as wire:
                assert wire.recv(10) == b"hello\n"
        else:
            assert done.exit_code == 1
            assert "Connection refused" in done.output.head or "Operation not permitted" in done.output.head


def test_a_local_test_server_works_in_its_own_network(folder: Path, capabilities: Capabilities) -> None:
    box = sandbox_in(folder, Tier.BUBBLEWRAP, capabilities)
    program = "import socket as s; a = s.create_server(('127.0.0.1', 0)); b = s.create_connection(a.getsockname()); print('connected')"
    assert run(box, f'{sys.executable} -c "{program}"').output.head == "connected\n"


def test_allowed_hosts_are_reached_through_the_proxy_alone(box: Sandbox, folder: Path) -> None:
    path = folder / "proxy"
    served: list[bytes] = []

    def serve(proxy: socket.socket) -> None:
        with proxy.accept()[0] as wire:
            served.append(wire.recv(100))
            wire.sendall(b"answer\n")

    # The path of a socket may have a hundred characters: it is bound by a shorter one.
    with socket.socket(socket.AF_UNIX) as proxy, socket.create_server(("127.0.0.1", 0)) as other:
        proxy.bind(os.path.relpath(path))
        proxy.listen()
        thread = threading.Thread(target=serve, args=(proxy,))
        thread.start()
        command = (
            "test $http_proxy = $HTTPS_PROXY || exit 9; exec 3<>/dev/tcp/127.0.0.1/${HTTP_PROXY##*:} || exit 8; echo request >&3; cat <&3;"
            f"exec 4<>/dev/tcp/127.0.0.1/{other.getsockname()[1]} && echo reached"
        )
        done = run(bounded(box, network=Network("hosts", path)), command)
        thread.join(20)
    assert served == [b"request\n"]
    assert done.output.head.startswith("answer\n")
    assert "reached" not in done.output.head
    assert done.exit_code == 1


def test_limits(box: Sandbox) -> None:
    box = bounded(box, limits=Limits(memory_bytes=512 * 1024**2, processes=200, file_bytes=1024**2, open_files=64))
    assert run(box, "ulimit -c; ulimit -n; ulimit -d; ulimit -f").output.head.split() == ["0", "64", "524288", "1024"]
    big = f"{sys.executable} -c 'print(len(bytearray(GIB)) > 0)'"
    assert "MemoryError" in run(box, big.replace("GIB", "10**9")).output.head
    assert run(box, big.replace("GIB", "10**7")).output.head == "True\n"
    assert run(box, "head -c 3000000 /dev/zero > big").exit_code != 0
    assert (workspace(box) / "big").stat().st_size == 1024**2
    processes = int(run(box, "ulimit -u").output.head)
    assert 200 <= processes <= 200 + (0 if box.tier is Tier.BUBBLEWRAP else 100_000)


# How it ends


def test_detached_children_die_with_their_command(box: Sandbox) -> None:
    mark = f"1000{time.monotonic_ns()}"
    command = f"setsid sleep {mark} & (setsid setsid sleep {mark} >/dev/null 2>&1 &) ; (trap '' TERM; exec setsid sleep {mark}) & exit 4"
    started = time.monotonic()
    done = run(box, command)
    assert done.exit_code == 4
    assert not lives(mark)
    assert time.monotonic() - started < 30


def test_what_forks_while_it_is_killed_dies_too(box: Sandbox) -> None:
    mark = f"mark{time.monotonic_ns()}"
    script = workspace(box) / mark
    script.write_text("trap '' TERM\n(setsid bash $0 &)\nsleep 0.01\n")
    done = run(box, f"setsid bash {script} >&- 2>&- & setsid bash {script} >&- 2>&- & sleep 0.1")
    assert done.exit_code == 0
    wait_until(lambda: not lives(mark))


def test_the_time_limit_ends_everything_but_asks_first(box: Sandbox) -> None:
    mark = f"1000{time.monotonic_ns()}"
    done = run(box, f"trap 'echo asked; exit' TERM; setsid sleep {mark} & echo begun; wait; wait", timeout_s=1.5)
    assert done.timed_out
    assert done.output.head == "begun\nasked\n"
    assert not lives(mark)


def test_what_ignores_sigterm_or_is_stopped_is_killed(box: Sandbox) -> None:
    mark = f"1000{time.monotonic_ns()}"
    for command in (f"trap '' TERM; while :; do sleep {mark}; done", f"sleep {mark} & kill -STOP $$"):
        assert run(box, command, timeout_s=0.5).timed_out
        assert not lives(mark)


@pytest.mark.parametrize("times", [1, 2])
def test_cancelling_ends_everything(box: Sandbox, times: int) -> None:
    mark = f"1000{time.monotonic_ns()}"

    async def scenario() -> None:
        task = asyncio.create_task(start(box, f"setsid sleep {mark} & touch begun; wait"))
        while not (workspace(box) / "begun").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    wait_until(lambda: not lives(mark))


def test_cancelled_while_it_starts_nothing_is_left(box: Sandbox) -> None:
    mark = f"1000{time.monotonic_ns()}"

    async def scenario() -> None:
        task = asyncio.create_task(start(box, f"sleep {mark}"))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    wait_until(lambda: not lives(mark))


AGENT = """
import asyncio, sys
from pathlib import Path
import msgspec
from kimicode.sandbox.boundary import Tier
from kimicode.sandbox.capture import Capture
from kimicode.sandbox.run import Sandbox, run_command
box = msgspec.json.decode(sys.argv[1], type=Sandbox, dec_hook=lambda kind, text: Path(text))
capture = Capture(Path(sys.argv[2]), "shell", limit=1, head=1, tail=1)
asyncio.run(run_command(sys.argv[3], cwd=Path("/"), timeout_s=600, capture=capture, environ={}, sandbox=box))
"""


def agent(box: Sandbox, command: str) -> subprocess.Popen[bytes]:
    """Another process that runs `command` in `box`."""
    words = msgspec.json.encode(box, enc_hook=str).decode(), str(box.registry.parent / "scratch"), command
    return subprocess.Popen([sys.executable, "-c", AGENT, *words], cwd=ROOT)


def test_a_killed_agent_takes_everything_along_and_the_next_one_tidies_up(box: Sandbox) -> None:
    mark = f"1000{time.monotonic_ns()}"
    box = bounded(box, protected=(workspace(box) / ".kimicode",))
    with agent(box, f"setsid sleep {mark} & touch begun; sleep {mark}") as other:
        wait_until((workspace(box) / "begun").exists)
        assert lives(mark)
        assert (workspace(box) / ".kimicode").exists() == (box.tier is Tier.BUBBLEWRAP)
        other.send_signal(signal.SIGKILL)
    wait_until(lambda: not lives(mark))
    assert run(box, "true").exit_code == 0
    assert sorted(os.listdir(workspace(box))) == ["begun"]


# Placeholders (tier 1)


@pytest.fixture
def held_box(folder: Path, capabilities: Capabilities) -> Sandbox:
    box = sandbox_in(folder, Tier.BUBBLEWRAP, capabilities)
    return bounded(box, protected=(workspace(box) / ".kimicode", workspace(box) / ".vscode/tasks.json"))


def test_a_placeholder_goes_with_its_last_sandbox(held_box: Sandbox) -> None:
    ws = workspace(held_box)

    async def scenario() -> None:
        first, second = (asyncio.create_task(start(held_box, f"touch in{n}; until test -e out{n}; do sleep 0.01; done")) for n in (1, 2))
        while not ((ws / "in1").exists() and (ws / "in2").exists()):  # noqa: ASYNC110 - other processes make them
            await asyncio.sleep(0.01)
        (ws / "out1").touch()
        assert (await first).exit_code == 0
        assert (ws / ".kimicode").is_dir()
        assert (ws / ".vscode").is_dir()
        (ws / "out2").touch()
        assert (await second).exit_code == 0

    asyncio.run(scenario())
    assert sorted(os.listdir(ws)) == ["in1", "in2", "out1", "out2"]
    assert list(held_box.registry.iterdir()) == []


def test_a_placeholder_that_somebody_filled_meanwhile_stays(held_box: Sandbox) -> None:
    ws = workspace(held_box)

    async def scenario() -> None:
        task = asyncio.create_task(start(held_box, "touch begun; until test -e go; do sleep 0.01; done"))
        while not (ws / "begun").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        (ws / ".kimicode/settings").write_text("the user's")
        (ws / "go").touch()
        assert (await task).exit_code == 0

    asyncio.run(scenario())
    assert (ws / ".kimicode/settings").read_text() == "the user's"
    assert not (ws / ".vscode").exists()


def test_an_empty_folder_of_the_users_is_not_a_placeholder(held_box: Sandbox) -> None:
    (workspace(held_box) / ".kimicode").mkdir()
    assert "Read-only" in run(held_box, "touch .kimicode/f").output.head
    assert (workspace(held_box) / ".kimicode").is_dir()


def test_where_nothing_can_be_made_no_placeholder_is_needed(held_box: Sandbox, capabilities: Capabilities) -> None:
    box = bounded(held_box, protected=(Path("/proc/none/.kimicode"),), writable=(*held_box.boundary.writable, Path("/proc/none")))
    assert run(box, "echo ran").output.head == "ran\n"


# Below /tmp


def test_a_workspace_below_tmp(tmp_path: Path, tier: Tier, capabilities: Capabilities) -> None:
    box = sandbox_in(tmp_path.resolve(), tier, capabilities)
    box = bounded(box, protected=(workspace(box) / ".git",))
    done = run(box, "echo x > f; cat f; pwd; mkdir .git/x; ls -A")
    assert done.output.head.splitlines()[:2] == ["x", str(workspace(box))]
    assert not (workspace(box) / ".git").exists()
    assert (workspace(box) / "f").read_text() == "x\n"


def test_a_python_below_tmp(tmp_path: Path, tier: Tier, capabilities: Capabilities) -> None:
    prefix = tmp_path.resolve() / "venv"
    prefix.mkdir()
    (prefix / "lib").write_text("library")
    helper = msgspec.structs.replace(capabilities.helper, needs=(*capabilities.helper.needs, prefix))
    box = sandbox_in(tmp_path.resolve(), tier, msgspec.structs.replace(capabilities, helper=helper))
    done = run(box, f"cat {prefix}/lib; echo x > {prefix}/lib")
    assert done.output.head.startswith("library")
    assert (prefix / "lib").read_text() == "library"


# What can't be run


@pytest.mark.parametrize(
    ("command", "reason"), [("echo \0", "null byte"), ("x" * 3_000_000, "Argument list too long"), ("\ud800", "encode")]
)
def test_what_can_not_be_started_is_an_error(box: Sandbox, command: str, reason: str) -> None:
    with pytest.raises(ToolError, match=reason):
        run(box, command)


def test_a_folder_that_went_away_is_an_error(box: Sandbox, folder: Path) -> None:
    with pytest.raises(ToolError, match="No such file"):
        run(bounded(box, cwd=folder / "gone"), "true")


def test_a_cage_that_can_not_be_made_is_refused(box: Sandbox) -> None:
    """bubblewrap that fails, or a helper that does, must never end in a command that runs without."""
    helper = msgspec.structs.replace(box.capabilities.helper, program=b"nonsense")
    broken = msgspec.structs.replace(box, capabilities=msgspec.structs.replace(box.capabilities, helper=helper))
    with pytest.raises(RefusedError, match="the command was not run, for it could not be caged"):
        run(broken, "touch ran")
    assert not (workspace(box) / "ran").exists()


@pytest.mark.parametrize("tier_", [Tier.BUBBLEWRAP, Tier.LANDLOCK, Tier.SEATBELT])
def test_a_tier_that_is_not_there_is_refused(folder: Path, capabilities: Capabilities, tier_: Tier) -> None:
    nothing = msgspec.structs.replace(capabilities, bubblewrap=None, problem="bubblewrap is not installed", landlock_abi=0)
    with pytest.raises(RefusedError, match=f"{tier_.value} can't be used here"):
        run(sandbox_in(folder, tier_, nothing), "touch ran")
    assert not (folder / "ws/ran").exists()


def test_without_a_tier_the_boundary_still_says_where(folder: Path, capabilities: Capabilities) -> None:
    done = run(sandbox_in(folder, Tier.NONE, capabilities), "pwd; echo $HARMLESS")
    assert done.output.head == f"{folder / 'ws'}\nyes\n"


def test_no_descriptor_and_no_process_is_left(box: Sandbox) -> None:
    async def scenario() -> tuple[int, int]:
        counts = []
        for command in ("true", "true", "sleep 100", "setsid sleep 100 & true"):
            await start(box, command, timeout_s=1)
            counts.append(len(os.listdir("/proc/self/fd")))
        with pytest.raises(ToolError):
            await start(box, "a\0")
        return counts[0], len(os.listdir("/proc/self/fd"))

    first, last = asyncio.run(scenario())
    assert first == last
