"""The folders of a store: the home's own, and further ones on other disks.

A further folder has a name, which begins the ids of its blobs (`disk2-<32 hex>`), and a link of that name in the home's
own folder, by which the edge, which knows one root, finds its files (`disk2/ab/<32 hex>`). It is taken into use once:
it must exist and be empty, and gets a marker that says whose it is. From then on a folder without that marker (a disk
that is not mounted, another store's) is not used, and is never made anew. One that is no longer among the settings is
read and swept, and takes nothing new.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import SystemRandom, token_hex

from storage.errors import StoreFull, StoreUnavailable

from . import files

log = logging.getLogger(__name__)

MARKER = "gatehouse-folder"
TMP = "tmp"
RESERVE = 64 << 20  # bytes of a disk that stay free: the database may lie on the same
LOOK_SECONDS = 5.0
AVOID_SECONDS = 30.0

_CHANCE = SystemRandom()
_NAME = re.compile(
    r"[a-z][a-z0-9]{2,6}", re.ASCII
)  # never that of a folder of blobs, which has two characters


def check_name(name: str) -> str:
    """`name` when a further folder may have it. Raises ValueError."""
    if not _NAME.fullmatch(name) or name == TMP:
        raise ValueError(
            f"{name!r} is no name of a folder: three to seven of a-z and 0-9, beginning with a letter"
        )
    return name


@dataclass(eq=False, slots=True)
class Folder:
    """A folder as it was last seen. `name` is empty for the home's own; `problem` says why it cannot be used."""

    name: str
    path: Path
    takes_new: bool = True
    problem: str = ""
    free: int = 0  # bytes, without those in reserve
    avoid_until: float = 0.0
    is_there: bool = True  # also where it takes nothing new, as a read-only one


class Folders:
    """Which folders there are and where the next blob goes. Safe to use from threads and processes."""

    def __init__(self, root: Path, further: Mapping[str, Path], reserve: int = RESERVE) -> None:
        """Raises ValueError for a name that cannot be one, or a path that is not absolute."""
        self.root, self.reserve = root, reserve
        self._wanted = {check_name(name): Path(path) for name, path in further.items()}
        for path in self._wanted.values():
            if not path.is_absolute():
                raise ValueError(f"{path} is not an absolute path")
        self._own = Folder("", root)
        self._all: dict[str, Folder] = {}
        self._looked = 0.0
        self._looking = threading.Lock()

    def prepare(self) -> None:
        """Make the home's folder, take new folders into use, look at all (blocking; once at start)."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o750)
        _make_inside(self.root)
        if self._wanted:
            _mark(self.root, token_hex(16))
        for name, path in self._wanted.items():
            try:
                self._attach(name, path)
            except (OSError, StoreUnavailable) as e:
                log.error("storage folder %s: %s", name, e)
        self.look()

    def all(self) -> list[Folder]:
        """Every folder that blobs may be in, as it is now (blocking)."""
        self.look()
        return self.seen()

    def seen(self) -> list[Folder]:
        """Every folder as it was at the last look."""
        return [self._own, *self._all.values()]

    def usable(self) -> Iterator[Folder]:
        """The folders that are there; what is wrong with others is logged (blocking)."""
        for folder in self.all():
            if folder.problem:
                log.error("storage folder %s: %s", folder.name, folder.problem)
            else:
                yield folder

    def choose(self, size: int = 0) -> Folder:
        """Where a blob of about `size` bytes is to go: by chance, in the proportion of free space.

        A folder that is full, failed a moment ago or is not there is passed over while there is another. Raises
        StoreUnavailable.
        """
        if not self._wanted:
            return self._own
        now = time.monotonic()
        usable = [f for f in self.seen() if f.takes_new and not f.problem]
        if not usable:
            raise StoreUnavailable("no folder of the store can be used")
        best = [f for f in usable if f.avoid_until < now and f.free > size]
        if best:
            return _CHANCE.choices(best, [f.free for f in best])[0]
        return max(usable, key=lambda folder: (folder.avoid_until < now, folder.free))

    def require_room(self, folder: Folder, size: int) -> None:
        """Raise StoreFull when the folder has no room for `size` bytes beside its reserve."""
        if not self.several:
            _measure(folder, self.reserve)
        if size > folder.free:
            raise StoreFull("the disk has only its reserve left")

    @property
    def several(self) -> bool:
        """Whether there is a choice of folders."""
        return bool(self._wanted)

    def is_stale(self) -> bool:
        """Whether somebody should `look` again."""
        return self.several and time.monotonic() - self._looked > LOOK_SECONDS and not self._looking.locked()

    def failed(self, folder: Folder, error: BaseException) -> None:
        """A write into the folder failed: the next ones go elsewhere for a while, if they can."""
        if isinstance(error, StoreFull):
            folder.free = 0
        elif isinstance(error, StoreUnavailable):
            folder.avoid_until = time.monotonic() + AVOID_SECONDS
            log.error("storage folder %s failed: %s", folder.name or self.root, error)

    def look(self) -> None:
        """See which folders are there, and how much room they have (blocking, a few calls of the system)."""
        with self._looking:
            store = _read_mark(self.root)
            _measure(self._own, self.reserve)
            seen = {}
            for name in sorted({*self._wanted, *self._linked()}):
                folder = self._all.get(name) or Folder(name, self.root / name)
                folder.takes_new = name in self._wanted
                before, problem = folder.problem, _problem_of(folder.path, store, name)
                folder.problem, folder.is_there = problem, not problem
                if not problem:
                    _measure(folder, self.reserve)
                if folder.problem != before:
                    level = logging.ERROR if folder.problem else logging.INFO
                    log.log(level, "storage folder %s: %s", name, folder.problem or "ok")
                seen[name] = folder
            self._all, self._looked = seen, time.monotonic()

    def _linked(self) -> list[str]:
        with suppress(FileNotFoundError), os.scandir(self.root) as entries:
            return [e.name for e in entries if e.is_symlink() and _NAME.fullmatch(e.name)]
        return []

    def _attach(self, name: str, path: Path) -> None:
        """Link a folder that is ours, or is empty and becomes so. Raises StoreUnavailable, OSError."""
        store, link = _read_mark(self.root), self.root / name
        mark = _read_mark(path)
        if not mark:
            if link.is_symlink():
                raise StoreUnavailable(f"{path} was in use and has lost its marker; is its disk mounted?")
            if not path.is_dir():
                raise StoreUnavailable(f"{path} is not there; make it, empty, and start again")
            if {entry.name for entry in path.iterdir()} - {"lost+found"}:
                raise StoreUnavailable(f"{path} is not empty; a new folder has to be")
            _make_inside(path)
            _mark(path, f"{store} {name}")
            mark = _read_mark(path)
        if mark != f"{store} {name}":
            raise StoreUnavailable(f"{path} belongs to another store or has another name")
        if not link.is_symlink() or link.readlink() != path:
            draft = self.root / TMP / token_hex(16)
            draft.symlink_to(path)
            draft.rename(link)
            files.sync_folder(self.root)


def _make_inside(folder: Path) -> None:
    for name in (TMP, *(f"{n:02x}" for n in range(256))):
        (folder / name).mkdir(exist_ok=True, mode=0o750)
    files.sync_folder(folder)


def _mark(folder: Path, text: str) -> None:
    """Write the marker unless there is one; of several processes one wins."""
    if (folder / MARKER).exists():
        return
    draft = folder / TMP / token_hex(16)
    draft.write_text(text + "\n", encoding="ascii")
    with suppress(FileExistsError):
        (folder / MARKER).hardlink_to(draft)
    draft.unlink()
    files.sync_folder(folder)


def _read_mark(folder: Path) -> str:
    try:
        return (folder / MARKER).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _problem_of(path: Path, store: str, name: str) -> str:
    mark = _read_mark(path)
    if not mark:
        target = os.path.realpath(path)
        return f"{target} is not there or has lost its marker; is its disk mounted?"
    return "" if mark == f"{store} {name}" else "the folder belongs to another store or has another name"


def _measure(folder: Folder, reserve: int) -> None:
    try:
        found = os.statvfs(folder.path)
    except OSError as e:
        folder.problem = str(e)
        return
    folder.problem = "its file system is read-only" if found.f_flag & os.ST_RDONLY else ""
    folder.free = max(found.f_bavail * found.f_frsize - reserve, 0)
