"""The filter, run by a small interpreter of classic BPF: what it answers for each call, on both machines."""

import errno
import struct
from collections.abc import Sequence

import pytest

from kimicode.sandbox.seccomp import Sockets, is_known, numbers, program

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = list(ARCH)
ALLOW = 0x7FFF0000
EPERM = 0x00050000 | errno.EPERM
ENOSYS = 0x00050000 | errno.ENOSYS

UNIX, INET, INET6, NETLINK, PACKET, VSOCK, ALG, BLUETOOTH = 1, 2, 10, 16, 17, 40, 38, 31
STREAM, DGRAM, RAW, SEQPACKET = 1, 2, 3, 5
CLOEXEC = 0o2000000


def answer(code: bytes, arch: int, number: int, arguments: Sequence[int] = ()) -> int:
    """What the program returns. An interpreter for exactly the instructions that the kernel's manual lists for such filters."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, arch, 0, *(value & 0xFFFFFFFFFFFFFFFF for value in padded))
    steps = list(struct.iter_unpack("=HBBI", code))
    at, register = 0, 0
    while True:
        operation, true, false, k = steps[at]
        at += 1
        match operation:
            case 0x20:
                assert k % 4 == 0
                (register,) = struct.unpack_from("<I", data, k)
            case 0x54:
                register &= k
            case 0x15:
                at += true if register == k else false
            case 0x35:
                at += true if register >= k else false
            case 0x45:
                at += true if register & k else false
            case 0x06:
                return int(k)
            case _:
                raise AssertionError(f"the kernel would refuse {operation:#x}")


def ask(machine: str, call: str, *arguments: int, sockets: Sockets = Sockets.INTERNET) -> int:
    return answer(program(machine, sockets), ARCH[machine], numbers(machine)[call], arguments)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    "call",
    """ptrace process_vm_readv process_vm_writev unshare setns mount umount2 pivot_root chroot bpf perf_event_open userfaultfd keyctl
    add_key request_key kexec_load kexec_file_load init_module finit_module io_uring_setup io_uring_enter io_uring_register
    open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr open_by_handle_at pidfd_getfd kcmp""".split(),
)
@pytest.mark.parametrize("sockets", Sockets)
def test_what_is_never_allowed(machine: str, call: str, sockets: Sockets) -> None:
    assert ask(machine, call, sockets=sockets) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("number", [0, 1, 3, 9, 59, 202, 257, 281, 435 - 1, 436, 1000])
def test_ordinary_calls_are_allowed(machine: str, number: int) -> None:
    assert number not in numbers(machine).values(), "a number that means something else"
    assert answer(program(machine, Sockets.NONE), ARCH[machine], number, [2**64 - 1] * 6) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("family", "kind", "protocol", "allowed"),
    [
        (UNIX, STREAM, 0, ""),
        (UNIX, DGRAM | CLOEXEC, 0, ""),
        (INET, STREAM | CLOEXEC, 0, "tcp internet"),
        (INET, STREAM, 6, "tcp internet"),
        (INET6, STREAM | 0o4000, 6, "tcp internet"),
        (INET, DGRAM, 17, "internet"),
        (INET6, DGRAM, 0, "internet"),
        (INET, RAW, 1, "internet"),
        (INET, STREAM, 262, "internet"),  # MPTCP, SMC and SCTP are connected where Landlock does not look
        (INET, STREAM, 256, "internet"),
        (INET, STREAM, 132, "internet"),
        (INET, SEQPACKET, 132, "internet"),
        (NETLINK, RAW, 0, ""),
        (PACKET, RAW, 0, ""),
        (VSOCK, STREAM, 0, ""),
        (ALG, SEQPACKET, 0, ""),
        (BLUETOOTH, RAW, 0, ""),
        (UNIX + (1 << 32), STREAM, 0, ""),  # the kernel looks at the lower half alone
        (INET + (1 << 32), STREAM, 0, "tcp internet"),
        (0, STREAM, 0, ""),
        (2**64 - 1, STREAM, 0, ""),
    ],
)
@pytest.mark.parametrize("sockets", Sockets)
def test_sockets(machine: str, family: int, kind: int, protocol: int, allowed: str, sockets: Sockets) -> None:
    expected = ALLOW if sockets.value in allowed.split() else EPERM
    assert ask(machine, "socket", family, kind, protocol, sockets=sockets) == expected


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("family", "kind", "expected"),
    [
        (UNIX, STREAM, ALLOW),
        (UNIX, STREAM | CLOEXEC, ALLOW),
        (UNIX, SEQPACKET, ALLOW),
        (UNIX, DGRAM, EPERM),  # could be pointed at the socket of any service
        (UNIX, DGRAM | CLOEXEC, EPERM),
        (UNIX, RAW, EPERM),  # is a datagram socket by another name
        (30, STREAM, EPERM),  # TIPC has pairs too
        (INET, STREAM, EPERM),
    ],
)
def test_pairs(machine: str, family: int, kind: int, expected: int) -> None:
    assert ask(machine, "socketpair", family, kind, sockets=Sockets.NONE) == expected


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (17, ALLOW),  # fork: SIGCHLD
        (0x3D0F00, ALLOW),  # a thread
        (0x4111, ALLOW),  # vfork
        (0x10000000 | 17, EPERM),
        (0x00020000 | 17, EPERM),
        (0x20000000, EPERM),
        (0x40000000, EPERM),
        (0x08000000, EPERM),
        (0x04000000, EPERM),
        (0x02000000, EPERM),
    ],
)
def test_processes_and_threads_are_made_but_no_namespaces(machine: str, flags: int, expected: int) -> None:
    assert ask(machine, "clone", flags) == expected
    assert ask(machine, "clone3", 0, 88) == ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_typing_into_a_terminal(machine: str) -> None:
    assert [ask(machine, "ioctl", 0, request) for request in (0x5412, 0x541C, 0x5412 + (1 << 32))] == [EPERM] * 3
    assert [ask(machine, "ioctl", 0, request) for request in (0x5401, 0x5413, 0x5421)] == [ALLOW] * 3


@pytest.mark.parametrize("machine", MACHINES)
def test_devices_are_not_made(machine: str) -> None:
    modes = {0o20666: EPERM, 0o60660: EPERM, 0o10644: ALLOW, 0o100644: ALLOW, 0o644: ALLOW, 0o140755: ALLOW}
    for mode, expected in modes.items():
        assert ask(machine, "mknodat", 0, 0, mode) == expected
        assert machine == "aarch64" or ask(machine, "mknod", 0, mode) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_data_with_the_first_packet_would_pass_by_landlock(machine: str) -> None:
    for call, at in (("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)):
        early = [*[0] * at, 0x20000000]
        assert ask(machine, call, *early, sockets=Sockets.TCP) == EPERM
        assert ask(machine, call, *[0] * at, 0x4000, sockets=Sockets.TCP) == ALLOW
        assert ask(machine, call, *early, sockets=Sockets.INTERNET) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_another_architecture_gets_nothing(machine: str) -> None:
    code = program(machine, Sockets.INTERNET)
    for other in (0x40000003, 0x40000028, 0, *(arch for name, arch in ARCH.items() if name != machine)):
        assert answer(code, other, 1) == EPERM


def test_x32_calls_are_another_way_to_the_same_kernel() -> None:
    code = program("x86_64", Sockets.INTERNET)
    for number in (0x40000000, 0x40000000 | 41, 0x40000000 | 512, 0xFFFFFFFF):
        assert answer(code, ARCH["x86_64"], number, [UNIX, STREAM]) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("sockets", Sockets)
def test_the_kernel_takes_it(machine: str, sockets: Sockets) -> None:
    """Its own rules: at most 4,096 instructions, jumps forward and inside, and a return at the end."""
    steps = list(struct.iter_unpack("=HBBI", program(machine, sockets)))
    assert len(steps) < 4096
    assert steps[-1] == (0x06, 0, 0, ALLOW)
    for at, (operation, true, false, _) in enumerate(steps):
        if operation in (0x15, 0x35, 0x45):
            assert at + 1 + max(true, false) < len(steps)


def test_machines() -> None:
    assert is_known("x86_64")
    assert is_known("aarch64")
    assert not is_known("riscv64")
    with pytest.raises(KeyError):
        program("riscv64", Sockets.NONE)
