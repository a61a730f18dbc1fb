"""What touches a volume's files on the platform's behalf: `python -I -S archive.py export|restore|clear`, at /volume.

It runs in a sandbox that holds nothing else, so a name or a link that leads elsewhere leads nowhere. Exit status 3:
the archive is refused, 4: the disk is full; standard error then says why, in words for the volume's owner.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tarfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

VOLUME = "/volume"
CHUNK = 256 * 1024
END = bytes(1024)
"""How a tar archive ends (POSIX.1-2017, pax, "ustar Interchange Format")."""


class Unfit(Exception):
    """An archive that no volume may be made from."""


class Whole:
    """A stream that remembers its last bytes, to tell an archive that was cut off."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.last = b""

    def read(self, size: int = -1, /) -> bytes:
        data = self.stream.read(size)
        self.last = (self.last + data)[-len(END) :]
        return data


def export(out: BinaryIO) -> None:
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for folder, folders, files in os.walk(VOLUME):
            for name in sorted([*folders, *files]):
                path = os.path.join(folder, name)
                with contextlib.suppress(FileNotFoundError):  # it was there a moment ago
                    add(tar, path)


def add(tar: tarfile.TarFile, path: str) -> None:
    """Files, folders, symbolic links. Sockets, pipes and devices mean nothing elsewhere."""
    found = os.lstat(path)
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode) or stat.S_ISLNK(found.st_mode)):
        return
    member = tarfile.TarInfo(os.path.relpath(path, VOLUME))
    member.mode, member.mtime = stat.S_IMODE(found.st_mode) & 0o777, int(found.st_mtime)
    if stat.S_ISDIR(found.st_mode):
        member.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(found.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)
    else:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            member.size = os.fstat(file.fileno()).st_size
            tar.addfile(member, Exactly(file, member.size))
        return
    tar.addfile(member)


class Exactly:
    """So many bytes of a file, with zeros for those that it lost meanwhile."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.left = size

    def read(self, size: int = -1, /) -> bytes:
        size = min(size, self.left)
        data = self.file.read(size)
        self.left -= size
        return data + bytes(size - len(data))


def restore(stream: BinaryIO) -> None:
    source = Whole(stream)
    links: set[str] = set()
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:  # type: ignore[call-overload]
            for member in tar:
                take(tar, member, links)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise Unfit("This is no archive of a volume, or a part of one.") from error
    while source.read(CHUNK):
        pass
    if source.last != END:
        raise Unfit("The archive is cut off.")


def take(tar: tarfile.TarFile, member: tarfile.TarInfo, links: set[str]) -> None:
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if member.name.startswith("/") or ".." in parts:
        raise Unfit(f"{member.name} lies outside the volume.")
    if not parts:
        return
    for end in range(1, len(parts)):
        if "/".join(parts[:end]) in links:
            raise Unfit(f"{member.name} lies below a link.")
    path = os.path.join(VOLUME, *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if member.isdir():
        os.makedirs(path, exist_ok=True)
        os.chmod(path, member.mode & 0o777 | 0o700)
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    links.discard("/".join(parts))
    if member.issym():
        os.symlink(member.linkname, path)
        links.add("/".join(parts))
    elif member.islnk():
        target = [part for part in member.linkname.split("/") if part not in ("", ".")]
        if member.linkname.startswith("/") or ".." in target or not target:
            raise Unfit(f"{member.name} links to what lies outside the volume.")
        if any("/".join(target[:end]) in links for end in range(1, len(target))):
            raise Unfit(f"{member.name} links to what lies below a link.")
        try:
            os.link(os.path.join(VOLUME, *target), path, follow_symlinks=False)
        except FileNotFoundError:
            raise Unfit(f"{member.name} links to a file that is not in the archive.") from None
    elif member.isreg():
        content = tar.extractfile(member)
        assert content is not None
        with open(path, "xb") as file:
            while data := content.read(CHUNK):
                file.write(data)
        os.chmod(path, member.mode & 0o777)
        os.utime(path, (member.mtime, member.mtime))
    else:
        raise Unfit(f"{member.name} is neither file, folder nor link.")


def clear() -> None:
    for folder, folders, files in os.walk(VOLUME, topdown=False):
        for name in files:
            os.unlink(os.path.join(folder, name))
        for name in folders:
            path = os.path.join(folder, name)
            (os.unlink if os.path.islink(path) else os.rmdir)(path)


def main() -> None:
    try:
        if sys.argv[1] == "export":
            export(sys.stdout.buffer)
            sys.stdout.buffer.flush()
        elif sys.argv[1] == "restore":
            restore(sys.stdin.buffer)
        else:
            clear()
    except Unfit as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(3)
    except OSError as error:
        sys.stderr.write(f"{error.strerror}: {error.filename or ''}\n")
        sys.exit(4 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 3 if names(error) else 1)


def names(error: OSError) -> bool:
    """Whether the archive's names are to blame: too long, a file where a folder has to be."""
    return error.errno in (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY)


if __name__ == "__main__":
    main()
