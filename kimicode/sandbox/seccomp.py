"""The system calls that a command may not make, as a classic BPF program for x86_64 and aarch64.

Numbers are those of the kernel's tables (`asm/unistd_64.h`, `asm-generic/unistd.h`), the program's form is that of `seccomp(2)`. What is
denied answers EPERM, so that a test can tell our refusal from a failure; `clone3`, whose flags no filter can read, answers ENOSYS, and
libraries go on with `clone`. What this module does not do: load the program (`sandbox.helper`), or look at paths: no filter can.
"""

import enum
import errno
import struct
from collections.abc import Mapping, Sequence
from typing import Final, assert_never


class Sockets(enum.Enum):
    """Which sockets can be made. Unix sockets never, connected pairs of them always.

    NONE: no others. TCP: streams over IPv4 and IPv6, and no way to send before connecting. INTERNET: everything over IPv4 and IPv6.
    """

    NONE = "none"
    TCP = "tcp"
    INTERNET = "internet"


_X86_64: Final[Mapping[str, int]] = {
    "ioctl": 16, "socket": 41, "sendto": 44, "sendmsg": 46, "socketpair": 53, "clone": 56, "ptrace": 101, "mknod": 133, "pivot_root": 155,
    "chroot": 161, "acct": 163, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "iopl": 172, "ioperm": 173,
    "init_module": 175, "delete_module": 176, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "mknodat": 259,
    "unshare": 272, "perf_event_open": 298, "open_by_handle_at": 304, "sendmmsg": 307, "setns": 308, "process_vm_readv": 310,
    "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
}  # fmt: skip
_AARCH64: Final[Mapping[str, int]] = {
    "ioctl": 29, "mknodat": 33, "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "acct": 89, "unshare": 97, "kexec_load": 104,
    "init_module": 105, "delete_module": 106, "ptrace": 117, "reboot": 142, "socket": 198, "socketpair": 199, "sendto": 206,
    "sendmsg": 211, "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220, "swapon": 224, "swapoff": 225,
    "perf_event_open": 241, "open_by_handle_at": 265, "setns": 268, "sendmmsg": 269, "process_vm_readv": 270, "process_vm_writev": 271,
    "kcmp": 272, "finit_module": 273, "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294,
}  # fmt: skip
_SINCE_5_0: Final[Mapping[str, int]] = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429, "fsopen": 430,
    "fsconfig": 431, "fsmount": 432, "fspick": 433, "clone3": 435, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442,
    "open_tree_attr": 467,
}  # fmt: skip
"""New calls have one number on every architecture."""

_ARCHITECTURES: Final[Mapping[str, tuple[int, Mapping[str, int]]]] = {
    "x86_64": (0xC000003E, {**_X86_64, **_SINCE_5_0}),
    "aarch64": (0xC00000B7, {**_AARCH64, **_SINCE_5_0}),
}

_DENIED: Final = """ptrace pivot_root chroot acct mount umount2 swapon swapoff reboot iopl ioperm init_module delete_module finit_module
    kexec_load kexec_file_load add_key request_key keyctl unshare setns perf_event_open open_by_handle_at process_vm_readv
    process_vm_writev kcmp bpf userfaultfd io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig fsmount
    fspick mount_setattr open_tree_attr pidfd_getfd process_madvise""".split()

_NAMESPACES: Final = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""

_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_SOCK_STREAM, _SOCK_SEQPACKET, _TYPE_MASK = 1, 5, 0xF
_IPPROTO_ANY, _IPPROTO_TCP = 0, 6
_MSG_FASTOPEN: Final = 0x20000000
_S_IFMT, _S_IFCHR, _S_IFBLK = 0xF000, 0x2000, 0x6000

_LOAD, _AND, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_X32: Final = 0x40000000

_Instruction = tuple[int, int, int, int]
_ALLOWS: Final[_Instruction] = (_RETURN, 0, 0, _ALLOW)
_DENIES: Final[_Instruction] = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
_UNKNOWN: Final[_Instruction] = (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)


def is_known(machine: str) -> bool:
    """Whether there is a program for that machine (as `os.uname` names it). Pure."""
    return machine in _ARCHITECTURES


def numbers(machine: str) -> Mapping[str, int]:
    """The numbers of the calls that the program for `machine` looks at. Pure; `KeyError` for a machine that is not known."""
    return _ARCHITECTURES[machine][1]


def program(machine: str, sockets: Sockets) -> bytes:
    """The filter: a sequence of `struct sock_filter`. Pure; `KeyError` for a machine that is not known."""
    arch, calls = _ARCHITECTURES[machine]
    code = [(_LOAD, 0, 0, _ARCH_AT), (_JUMP_EQUAL, 1, 0, arch), _DENIES, (_LOAD, 0, 0, _NUMBER_AT)]
    if machine == "x86_64":
        code += [(_JUMP_GREATER_EQUAL, 0, 1, _X32), _DENIES]
    for name, body in _bodies(sockets).items():
        if name in calls:
            code += [(_JUMP_EQUAL, 0, len(body), calls[name]), *body]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in [*code, _ALLOWS])


def _bodies(sockets: Sockets) -> dict[str, list[_Instruction]]:
    """What is done about a call, by its name; each body ends in an answer."""
    bodies = {name: [_DENIES] for name in _DENIED} | {
        "clone3": [_UNKNOWN],
        "clone": [_argument(0), (_JUMP_SET, 0, 1, _NAMESPACES), _DENIES, _ALLOWS],
        "ioctl": [_argument(1), *_one_of((_TIOCSTI, _TIOCLINUX), _DENIES), _ALLOWS],
        "mknod": [_argument(1), *_device()],
        "mknodat": [_argument(2), *_device()],
        # Only these: a pair of datagram sockets can still send to any socket that has a path.
        "socketpair": [
            *_unless(0, (_AF_UNIX,)),
            _argument(1),
            (_AND, 0, 0, _TYPE_MASK),
            *_one_of((_SOCK_STREAM, _SOCK_SEQPACKET), _ALLOWS),
            _DENIES,
        ],
        "socket": _socket(sockets),
    }
    if sockets is Sockets.TCP:
        # Data that goes out with the first packet passes by Landlock's check of connect().
        early = {"sendto": 3, "sendmsg": 2, "sendmmsg": 3}
        bodies |= {name: [_argument(at), (_JUMP_SET, 0, 1, _MSG_FASTOPEN), _DENIES, _ALLOWS] for name, at in early.items()}
    return bodies


def _socket(sockets: Sockets) -> list[_Instruction]:
    internet = _unless(0, (_AF_INET, _AF_INET6))
    match sockets:
        case Sockets.NONE:
            return [_DENIES]
        case Sockets.INTERNET:
            return [*internet, _ALLOWS]
        case Sockets.TCP:
            stream = [_argument(1), (_AND, 0, 0, _TYPE_MASK), (_JUMP_EQUAL, 1, 0, _SOCK_STREAM), _DENIES]
            # Other streams (MPTCP, SMC, SCTP) are connected where Landlock does not look.
            return [*internet, *stream, *_unless(2, (_IPPROTO_ANY, _IPPROTO_TCP)), _ALLOWS]
        case _:
            assert_never(sockets)


def _device() -> list[_Instruction]:
    return [(_AND, 0, 0, _S_IFMT), *_one_of((_S_IFCHR, _S_IFBLK), _DENIES), _ALLOWS]


def _argument(index: int) -> _Instruction:
    """Load the low half of an argument: all of these are 32 bits wide in the kernel, whatever the upper half says."""
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * index)


def _one_of(values: Sequence[int], answer: _Instruction) -> list[_Instruction]:
    return [instruction for value in values for instruction in ((_JUMP_EQUAL, 0, 1, value), answer)]


def _unless(index: int, values: Sequence[int]) -> list[_Instruction]:
    """Deny, unless the argument is one of `values`."""
    jumps = [(_JUMP_EQUAL, len(values) - n, 0, value) for n, value in enumerate(values)]
    return [_argument(index), *jumps, _DENIES]
