"""The system-call filter of a sandbox, as the kernel takes it (seccomp(2), "Filters").

What needs a privilege fails without one anyway; what is denied here has no use in a workspace and has been a way
out of containers, or looks into other processes. Everything else is allowed, so ordinary programs run unchanged.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterable

_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = (
    0x20,
    0x15,
    0x45,
    0x35,
    0x06,
)  # BPF_LD|W|ABS, JEQ, JSET, JGE, RET
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24  # of struct seccomp_data; arguments' low halves
_ALLOW = 0x7FFF0000
_DENY = 0x00050000
_KILL = 0x80000000

_NEW_NAMESPACES = 0x7E020080  # CLONE_NEW*
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # they type into a terminal that somebody reads
_FAMILIES = (38, 40)  # AF_ALG, and AF_VSOCK, which no network namespace holds

# arch → (audit number, clone, socket, ioctl, clone3, denied); numbers of the kernel's unistd headers
_TABLES: dict[str, tuple[int, int, int, int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        *(56, 41, 16),
        (
            *(101, 103, 134, 135, 136, 153, 154, 155, 156, 161, 163, 164, 165, 166, 167, 168, 169, 172, 173),
            *(175, 176, 179, 180, 212, 227, 246, 248, 249, 250, 272, 279, 298, 303, 304, 305, 308, 310, 311),
            *(312, 313, 320, 321, 323),
        ),
    ),
    "aarch64": (
        0xC00000B7,
        *(220, 198, 29),
        (
            *(18, 39, 40, 41, 42, 51, 58, 60, 89, 92, 97, 104, 105, 106, 112, 116, 117, 142, 170, 217, 218),
            *(219, 224, 225, 239, 241, 264, 265, 266, 268, 270, 271, 272, 273, 280, 282, 294),
        ),
    ),
}
# Those added since have one number everywhere: io_uring, the new mount calls, pidfd_getfd, quotactl_fd.
_SINCE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442, 443)
_CLONE3 = 435


def supported(machine: str = "") -> bool:
    """Whether there is a filter for this machine."""
    return (machine or platform.machine()) in _TABLES


def program(machine: str = "") -> bytes:
    """The filter as an array of struct sock_filter. Raises KeyError where `supported` says no."""
    audit, clone, sock, ioctl, denied = _TABLES[machine or platform.machine()]
    refuse = _DENY | errno.EPERM
    steps = [
        *_only_if(_ARCHITECTURE, audit),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, 0x40000000),  # x32: other numbers for the same calls
        (_RETURN, 0, 0, refuse),
        (_EQUAL, 0, 1, _CLONE3),  # its flags lie in memory, where no filter looks: libc then takes clone
        (_RETURN, 0, 0, _DENY | errno.ENOSYS),
    ]
    for number in (*denied, *_SINCE):
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    steps += _if_argument(clone, _FIRST, _ANY_BIT, (_NEW_NAMESPACES,), refuse)
    steps += _if_argument(sock, _FIRST, _EQUAL, _FAMILIES, refuse)
    steps += _if_argument(ioctl, _SECOND, _EQUAL, (_TIOCSTI, _TIOCLINUX), refuse)
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _only_if(offset: int, value: int) -> Iterable[tuple[int, int, int, int]]:
    """Kill what calls with another architecture's numbers."""
    return ((_LOAD, 0, 0, offset), (_EQUAL, 1, 0, value), (_RETURN, 0, 0, _KILL))


def _if_argument(
    number: int, offset: int, test: int, values: tuple[int, ...], answer: int
) -> list[tuple[int, int, int, int]]:
    """`answer` where the call `number` has an argument that passes `test` against one of `values`."""
    body: list[tuple[int, int, int, int]] = [(_LOAD, 0, 0, offset)]
    for value in values:
        body += [(test, 0, 1, value), (_RETURN, 0, 0, answer)]
    body.append((_LOAD, 0, 0, _NUMBER))
    return [(_EQUAL, 0, len(body), number), *body]
