"""Opening files strictly beneath one folder: the kernel resolves each name, so nothing is checked first and used later.

openat2(2) with RESOLVE_BENEATH where the kernel has it; else each component is opened by hand from the one before
it. Both follow symbolic links that stay beneath the folder and refuse absolute ones and ways out.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import stat
from collections import deque

OPENAT2 = 437
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_BENEATH = 0x08
RETRIES = 64
MAX_LINKS = 40
RENAME_NOREPLACE = 1

_libc = ctypes.CDLL(None, use_errno=True)
_unavailable = platform.system() != "Linux"


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def open_beneath(root: int, path: str, flags: int, mode: int = 0) -> int:
    """A descriptor of `path`, resolved beneath the folder `root` and never outside.

    Raises OSError: EXDEV for a way out of the folder, ELOOP for a symbolic link where `flags` has O_NOFOLLOW or
    the links never end, else what open(2) says.
    """
    global _unavailable
    flags |= os.O_CLOEXEC
    if not _unavailable:
        try:
            return _openat2(root, path, flags, mode)
        except OSError as error:
            # Old kernels do not know it; old seccomp profiles of container engines answer EPERM for it.
            if error.errno not in (errno.ENOSYS, errno.EPERM) or _knows_openat2():
                raise
            _unavailable = True
    return walk_beneath(root, path, flags, mode)


def _openat2(root: int, path: str, flags: int, mode: int) -> int:
    how = _OpenHow(flags, mode if flags & os.O_CREAT else 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    code = errno.EAGAIN
    for _ in range(RETRIES):  # EAGAIN: something was renamed while `..` was resolved
        found: int = _libc.syscall(OPENAT2, root, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
        if found >= 0:
            return found
        code = ctypes.get_errno()
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code), path)


def _knows_openat2() -> bool:
    here = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        os.close(_openat2(here, ".", os.O_PATH | os.O_CLOEXEC, 0))
    except OSError:
        return False
    finally:
        os.close(here)
    return True


def walk_beneath(root: int, path: str, flags: int, mode: int = 0) -> int:
    """What open_beneath does on kernels without openat2."""
    if path.startswith("/"):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    parts = deque(part for part in path.split("/") if part not in ("", "."))
    folders = [os.dup(root)]  # a `..` goes back to the folder that was really entered
    links = 0
    try:
        while parts:
            name = parts.popleft()
            if name == "..":
                if len(folders) == 1:
                    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
                os.close(folders.pop())
                continue
            here = folders[-1]
            if not parts:
                try:
                    return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=here)
                except OSError as error:
                    if error.errno != errno.ELOOP or flags & (os.O_NOFOLLOW | os.O_EXCL):
                        raise
            entry = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            if not stat.S_ISLNK(os.fstat(entry).st_mode):
                folders.append(entry)
                continue
            target = os.readlink("", dir_fd=entry)
            os.close(entry)
            links += 1
            if target.startswith("/"):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            parts.extendleft(reversed([part for part in target.split("/") if part not in ("", ".")]))
        return os.open(".", (flags & ~(os.O_CREAT | os.O_EXCL)) | os.O_CLOEXEC, dir_fd=folders[-1])
    finally:
        for folder in folders:
            os.close(folder)


def rename_exclusively(source: int, old: str, target: int, new: str) -> None:
    """Rename between two open folders; raises FileExistsError where `new` is there already."""
    if _libc.renameat2(source, os.fsencode(old), target, os.fsencode(new), RENAME_NOREPLACE) == 0:
        return
    code = ctypes.get_errno()
    raise OSError(code, os.strerror(code), new)
