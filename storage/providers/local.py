"""Our own store: the index holds all there is to know of a bucket, so nothing is made or removed for one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from django.conf import settings

from storage.store.folders import Folders

from .base import Connection, Refused, Unreachable

LEAST_FREE = 64 << 20


class LocalProvider:
    kind: ClassVar[str] = "local"
    is_remote: ClassVar[bool] = False

    def __init__(self, connection: Connection) -> None:
        """`connection` is empty: the store's folder is a setting of the instance."""

    def check(self) -> None:
        """The home's folder is there, ours to write, and has room; the further ones are there."""
        root: Path = settings.STORAGE_ROOT
        if not (root / "tmp").is_dir():
            raise Unreachable(f"The store's folder {root} is not there.")
        if not os.access(root / "tmp", os.W_OK):
            raise Refused(f"The store's folder {root} cannot be written.")
        disk = os.statvfs(root)
        if disk.f_bavail * disk.f_frsize < LEAST_FREE:
            raise Unreachable(f"The disk of {root} is full.")
        for folder in Folders(root, settings.STORAGE_FOLDERS).all():
            if folder.problem:
                raise Unreachable(f"The store's folder {folder.name}: {folder.problem}.")

    def ensure_bucket(self, name: str) -> None:
        pass

    def remove_bucket(self, name: str) -> None:
        pass
