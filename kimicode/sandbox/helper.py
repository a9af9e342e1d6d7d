"""Runs one command in a cage and outlives it: a process between kimicode and the command. Linux alone.

It runs inside bubblewrap's namespaces (tier 1) or without any (tier 2): `sandbox.start` hands it over as compiled code, to an
interpreter that has imported nothing, so it needs no file of kimicode and starts in some milliseconds. Therefore standard library alone,
and no module that is slow to import (`signal`, `subprocess`, `json`, `typing`, even `ctypes`: what is behind it takes a tenth of the
time, and `sandbox.probe` tries it with this very interpreter). Descriptors: 0 is a pipe that says nothing, but ends
when kimicode gives the command up or dies; 1 and 2 are the command's output; `status` says `ready`, and then only what went wrong.

The command gets its own session, limits, Landlock and seccomp. When it has ended, whatever it left running gets `linger_s` to end by
itself, SIGTERM, `settle_s`, and SIGKILL; no descendant lives when this process exits. What this module does not do: decide what is
allowed (`sandbox.task`), or make namespaces.
"""

import _ctypes
import marshal
import os
import resource
import select
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kimicode.sandbox.task import Cage, Ceilings, Task

_TERM, _KILL = 15, 9
_PIPE, _FILE_SIZE = 13, 25
_POLL_S = 0.003
_SWEEP_S = 5.0
"""How long to go on killing: what still lives then hangs in the kernel."""

_SET_DEATH_SIGNAL, _SET_SECCOMP, _DROP_BOUND, _SET_SUBREAPER, _SET_NO_NEW_PRIVILEGES = 1, 22, 24, 36, 38
_SECCOMP_FILTER = 2
_MOST_CAPABILITIES = 64
_EPERM, _EINVAL = 1, 22
_CAPABILITIES_V3 = 0x20080522
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_ABI = 1
_BENEATH, _PORT = 1, 2
_FILE_RIGHTS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2
_NETWORK_ABI, _SCOPE_ABI = 4, 6

_libc = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # None is this program itself


class _Int(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "i"


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "l"


class _Char(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "c"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Int


def main(task: "Task", status: int) -> int:
    """Run `task`, report to the descriptor `status`, and return the command's exit code (128 + N where signal N ended it)."""
    os.set_inheritable(status, False)
    _call("prctl", _SET_SUBREAPER, 1, 0, 0, 0)
    bridge, port = _start_bridge(task)
    _tell(status, b"ready")
    me = os.getpid()
    leader = os.fork()
    if leader == 0:
        _become(task, status, me, port)
    return _Family(leader, bridge, task["namespace"]).supervise(task["linger_s"], task["settle_s"], task["grace_s"])


def probe(filter_: bytes) -> str:
    """What works here: `abi=N seccomp=0|1`, found out by caging this process."""
    _call("prctl", _SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    try:
        abi = landlock_abi()
        if abi:
            _landlock({"abi": abi, "handled": 2, "rules": [], "only_proxy": False, "drop": False, "filter": b""}, 0)
    except OSError:
        abi = 0
    try:
        _seccomp(filter_)
    except OSError:
        return f"abi={abi} seccomp=0"
    return f"abi={abi} seccomp=1"


def landlock_abi() -> int:
    """The kernel's Landlock ABI, 0 where there is none."""
    try:
        return _call("syscall", _CREATE_RULESET, 0, 0, _ASK_ABI)
    except OSError:
        return 0


class _Family:
    """The command and everything that descends from it: all of them children of this process once their parents have gone."""

    def __init__(self, leader: int, bridge: int, namespace: bool) -> None:
        self._leader, self._bridge, self._namespace = leader, bridge, namespace
        self._code: int | None = None

    def supervise(self, linger_s: float, settle_s: float, grace_s: float) -> int:
        """Wait for the leader, or for descriptor 0 to end; then end everything."""
        given_up = self._wait()
        if self._bridge:
            os.kill(self._bridge, _KILL)
        if given_up:
            self._signal(_TERM)
            self._wait_until_empty(grace_s)
        elif not self._wait_until_empty(linger_s):
            self._signal(_TERM)
            self._wait_until_empty(settle_s)
        self._sweep()
        return 128 + _KILL if self._code is None else self._code

    def _wait(self) -> bool:
        """Until the leader has ended; True when descriptor 0 ended first."""
        watched = os.pidfd_open(self._leader)
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        poll.register(0, select.POLLIN)
        ended = {descriptor for descriptor, _ in poll.poll()}
        os.close(watched)
        return watched not in ended

    def _wait_until_empty(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._collect():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def _collect(self) -> bool:
        """Take in who has ended; True while there are others."""
        while True:
            try:
                pid, ending = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._leader:
                code = os.waitstatus_to_exitcode(ending)
                self._code = code if code >= 0 else 128 - code

    def _sweep(self) -> None:
        # Over and over: what forks while it is being killed leaves children behind, which have become ours.
        deadline = time.monotonic() + _SWEEP_S
        while self._collect() and time.monotonic() < deadline:
            self._signal(_KILL)
            time.sleep(0)

    def _signal(self, number: int) -> None:
        for pid in [-1] if self._namespace else descendants(os.getpid()):
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                continue


def descendants(pid: int) -> list[int]:
    """The processes below `pid`, parents before children."""
    found = [pid]
    for each in found:
        found += _children(each)
    return found[1:]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except OSError:
        # It ended meanwhile, or the kernel was built without these files.
        return found or _children_by_parent(pid)
    return found


def _children_by_parent(pid: int) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _parent(name) == pid]


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return -1


def _start_bridge(task: "Task") -> tuple[int, int]:
    """The bridge's process and its port; zeros where none is wanted."""
    if not task["bridge"]:
        return 0, 0
    program = type(os)("bridge")
    exec(marshal.loads(task["bridge"]), program.__dict__)
    listener = program.listen(0)
    me = os.getpid()
    process = os.fork()
    if process == 0:
        try:
            _leave_standard_descriptors()
            program.serve(listener, os.fsdecode(task["proxy"]), lives=lambda: os.getppid() == me)
        finally:
            os._exit(0)
    port: int = listener.getsockname()[1]
    listener.close()
    return process, port


def _leave_standard_descriptors() -> None:
    nothing = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)


def _become(task: "Task", status: int, parent: int, port: int) -> None:
    """Turn this process into the command. Never returns."""
    stage = "cage"
    try:
        os.setsid()
        _call("prctl", _SET_DEATH_SIGNAL, _KILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        _keep_only(status)
        os.chdir(task["cwd"])
        _limit(task["ceilings"])
        _cage(task["cage"], port)
        for number in (_PIPE, _FILE_SIZE):
            _call("signal", number, 0)  # Python ignores these, and what is ignored stays so in the command.
        stage = "exec"
        os.execve(task["argv"][0], task["argv"], task["environ"] | _proxy_variables(port))
    except Exception as error:  # noqa: BLE001 - the boundary: kimicode reports it, and the command does not run
        reason = f"{error.strerror} ({os.fsdecode(error.filename or '')})" if isinstance(error, OSError) else repr(error)
        _tell(status, f" {stage} {reason}".encode("utf-8", "replace"))
    finally:
        os._exit(126)


def _keep_only(status: int) -> None:
    os.closerange(3, status)
    os.closerange(status + 1, 1 << 20)


def _proxy_variables(port: int) -> dict[bytes, bytes]:
    if not port:
        return {}
    proxy = b"http://127.0.0.1:%d" % port
    names = (b"HTTP_PROXY", b"HTTPS_PROXY", b"ALL_PROXY")
    here = b"localhost,127.0.0.1,::1"
    return {each: proxy for name in names for each in (name, name.lower())} | {b"NO_PROXY": here, b"no_proxy": here}


def _limit(ceilings: "Ceilings") -> None:
    others = _own_processes() if ceilings["own_count"] else 0
    for what, amount in (
        (resource.RLIMIT_DATA, ceilings["memory_bytes"]),
        (resource.RLIMIT_NPROC, ceilings["processes"] + others),
        (resource.RLIMIT_FSIZE, ceilings["file_bytes"]),
        (resource.RLIMIT_NOFILE, ceilings["open_files"]),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        wanted = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(what, (wanted, wanted))


def _own_processes() -> int:
    """How many threads the user runs: the kernel's limit counts these. A folder `task` has two links and one for each thread."""
    me = os.getuid()
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found = os.stat(f"/proc/{name}/task")
            except OSError:
                continue
            count += found.st_nlink - 2 if found.st_uid == me else 0
    return count


def _cage(cage: "Cage", port: int) -> None:
    if cage["drop"]:
        _drop_capabilities()
    _call("prctl", _SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if cage["abi"]:
        _landlock(cage, port)
    _seccomp(cage["filter"])


def _drop_capabilities() -> None:
    try:
        for capability in range(_MOST_CAPABILITIES):
            _call("prctl", _DROP_BOUND, capability, 0, 0, 0)
    except OSError as error:
        # EINVAL: there are no more. EPERM: not root, so there is nothing to drop.
        if error.errno not in (_EINVAL, _EPERM):
            raise
    _call("capset", _pack(4, _CAPABILITIES_V3, 0), bytes(24))


def _landlock(cage: "Cage", port: int) -> None:
    scoped = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if cage["abi"] >= _SCOPE_ABI else 0
    network = _BIND_TCP | _CONNECT_TCP if cage["only_proxy"] else 0
    attributes = _pack(8, cage["handled"], network, scoped)
    size = 24 if cage["abi"] >= _SCOPE_ABI else 16 if cage["abi"] >= _NETWORK_ABI else 8
    ruleset = _call("syscall", _CREATE_RULESET, attributes, size, 0)
    for rule in cage["rules"]:
        _allow(ruleset, rule["path"], rule["rights"], rule["must"])
    if cage["only_proxy"]:
        _call("syscall", _ADD_RULE, ruleset, _PORT, _pack(8, _CONNECT_TCP, port), 0)
    _call("syscall", _RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: bytes, rights: int, must: bool) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        if must:
            raise
        return
    try:
        if must and os.readlink(b"/proc/self/fd/%d" % descriptor) != path:
            raise OSError(0, "a symbolic link was put here: run the command again", path)
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _FILE_RIGHTS
        _call("syscall", _ADD_RULE, ruleset, _BENEATH, _pack(8, rights) + _pack(4, descriptor), 0)
    finally:
        os.close(descriptor)


def _seccomp(filter_: bytes) -> None:
    code = (_Char * len(filter_))()
    memoryview(code).cast("B")[:] = filter_
    # struct sock_fprog: a 16-bit length, padding, a pointer.
    order = _pack(8, len(filter_) // 8, _ctypes.addressof(code))
    _call("prctl", _SET_SECCOMP, _SECCOMP_FILTER, order, 0, 0)


def _pack(size: int, *numbers: int) -> bytes:
    return b"".join(number.to_bytes(size, "little") for number in numbers)


def _call(name: str, *arguments: "int | bytes") -> int:
    """A function of the C library that reports errors by -1 and errno. Numbers go as `long`."""
    function = _Function(_ctypes.dlsym(_libc, name))
    result: int = function(*(_Long(each) if isinstance(each, int) else each for each in arguments))
    if result == -1:
        number = _ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"{name}{arguments[:1]}")
    return result


def _tell(status: int, text: bytes) -> None:
    os.write(status, text)
