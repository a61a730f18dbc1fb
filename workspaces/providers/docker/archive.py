"""A tar stream on its way into a volume: only what stays inside it, owned by the workspace's user."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from workspaces.providers.base import Refused

OWNER = 10001
_PIECE = 256 << 10


def sanitized(content: BinaryIO) -> Iterator[bytes]:
    """The same files as a tar stream that can do no harm. Raises Refused, in the middle of it too."""
    links: set[str] = set()
    try:
        with tarfile.open(fileobj=content, mode="r|", errorlevel=2) as tar:
            for member in tar:
                name = _inside(member.name)
                if name in ("", "."):
                    continue
                _not_below_a_link(name, links)
                made = _member(member, name, links)
                yield made.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
                if made.isreg():
                    yield from _content(tar, member)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as e:
        raise Refused(f"This is no tar archive, or a damaged one: {e}") from e
    yield bytes(2 * tarfile.BLOCKSIZE)


def owned_folder(name: str) -> bytes:
    """A tar archive that makes the folder of that name the workspace's user's."""
    made = tarfile.TarInfo(name)
    made.type, made.mode, made.uid, made.gid = tarfile.DIRTYPE, 0o755, OWNER, OWNER
    return made.tobuf() + bytes(2 * tarfile.BLOCKSIZE)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    source = tar.extractfile(member)
    assert source is not None
    left = member.size
    while left:
        piece = source.read(min(_PIECE, left))
        if not piece:
            raise Refused("The archive ends in the middle of a file.")
        left -= len(piece)
        yield piece
    yield bytes(-member.size % tarfile.BLOCKSIZE)


def _member(member: tarfile.TarInfo, name: str, links: set[str]) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.mtime, made.uid, made.gid = member.mtime, OWNER, OWNER
    made.mode = member.mode & 0o777
    links.discard(name)
    if member.issparse():
        raise Refused(f"{name}: sparse files are not taken.")
    if member.isreg():
        made.size = member.size
    elif member.isdir():
        made.type, made.mode = tarfile.DIRTYPE, made.mode | 0o700
    elif member.issym():
        made.type, made.linkname = tarfile.SYMTYPE, member.linkname
        links.add(name)
    elif member.islnk():
        target = _inside(member.linkname)
        _not_below_a_link(target, links)
        if target in links:
            raise Refused(f"{name}: a hard link to a symbolic one.")
        made.type, made.linkname = tarfile.LNKTYPE, target
    else:
        raise Refused(f"{name}: only files, folders and links are taken.")
    return made


def _inside(name: str) -> str:
    """The normal form of a relative name. Raises Refused for one that leads out."""
    if name.startswith("/") or ".." in name.split("/") or "\0" in name:
        raise Refused(f"{name[:200]}: a name that leads out of the volume.")
    return posixpath.normpath(name) if name else ""


def _not_below_a_link(name: str, links: set[str]) -> None:
    parent = posixpath.dirname(name)
    while parent:
        if parent in links:
            raise Refused(f"{name[:200]}: a name below a link.")
        parent = posixpath.dirname(parent)
