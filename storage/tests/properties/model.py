"""A bucket as S3 describes it, in plain Python: what the index is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from storage.index import Expected


class Refused(Exception):
    """Says which class of storage.errors the index must raise."""


@dataclass(eq=False)
class Version:
    id: str
    size: int = 0
    etag: str = ""
    blob: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    held: bool = False
    is_marker: bool = False


Entry = tuple[str, str]  # (key, version id), or (common prefix, "")


@dataclass
class Model:
    """`versions` has each key's newest first; a key without any has no entry. `changes` is how many were made."""

    versioning: str = ""
    versions: dict[str, list[Version]] = field(default_factory=dict)
    garbage: list[str] = field(default_factory=list)
    changes: int = 0

    def current(self, key: str) -> Version | None:
        chain = self.versions.get(key)
        return chain[0] if chain and not chain[0].is_marker else None

    def find(self, key: str, version_id: str | None) -> Version:
        found = self.current(key)
        if version_id is not None:
            found = next((v for v in self.versions.get(key, []) if v.id == version_id), None)
        if found is None:
            raise Refused("VersionGone")
        return found

    def put(self, key: str, new: Version, expected: Expected | None) -> None:
        """`new.id` is what the index made of it, where it made one."""
        current = self.current(key)
        if expected is not None:
            if current is not None and not _fits(current, expected):
                raise Refused("PreconditionFailed")
            if current is None and expected.etag is not None:
                raise Refused("ObjectGone")
        self._make_room(key)
        self.versions.setdefault(key, []).insert(0, new)
        self.changes += 1

    def delete(self, key: str, marker_id: str, expected: Expected | None) -> bool:
        """Whether anything was done."""
        current = self.current(key)
        if current is None and (expected is not None or not self.versioning):
            return False
        if current is not None and expected is not None and not _fits(current, expected):
            raise Refused("PreconditionFailed")
        self._make_room(key)
        if self.versioning:
            self.versions.setdefault(key, []).insert(0, Version(marker_id, is_marker=True))
        self.changes += 1
        return True

    def delete_version(self, key: str, version_id: str, expected: Expected | None) -> bool:
        """Whether anything was done."""
        try:
            found = self.find(key, version_id)
        except Refused:
            return False
        if expected is not None and not _fits(found, expected):
            raise Refused("PreconditionFailed")
        self._remove(key, found)
        self.changes += 1
        return True

    def amend(self, key: str, version_id: str | None, **changed: object) -> Version:
        found = self.find(key, version_id)
        if found.is_marker:
            raise Refused("IsDeleteMarker")
        for name, value in changed.items():
            setattr(found, name, value)
        self.changes += 1
        return found

    def objects(self) -> dict[str, Version]:
        return {key: found for key in self.versions if (found := self.current(key)) is not None}

    def list_objects(
        self, prefix: str, delimiter: str, after: str, most: int
    ) -> tuple[list[Entry], str | None]:
        entries: list[Entry] = []
        for key in _keys(self.objects(), prefix, delimiter, after):
            _add(entries, key, prefix, delimiter, [""])
        return entries[:most], entries[most - 1][0] if len(entries) > most else None

    def list_versions(
        self, prefix: str, delimiter: str, after: Entry | None, most: int
    ) -> tuple[list[Entry], Entry | None]:
        key_marker, version_marker = after or ("", "")
        entries: list[Entry] = []
        if version_marker and key_marker.startswith(prefix) and _level(key_marker, prefix, delimiter) is None:
            ids = [v.id for v in self.versions.get(key_marker, [])]
            rest = ids[ids.index(version_marker) + 1 :] if version_marker in ids else ids
            entries += [(key_marker, version_id) for version_id in rest]
        for key in _keys(self.versions, prefix, delimiter, key_marker):
            _add(entries, key, prefix, delimiter, [v.id for v in self.versions[key]])
        return entries[:most], entries[most - 1] if len(entries) > most else None

    def usage(self) -> tuple[int, int]:
        kept = [v for chain in self.versions.values() for v in chain if not v.is_marker]
        return sum(v.size for v in kept), len(kept)

    def _make_room(self, key: str) -> None:
        """What a new newest version replaces: unversioned all there is, suspended the null version."""
        if self.versioning == "Enabled":
            return
        for version in list(self.versions.get(key, [])):
            if version.id == "null":
                self._remove(key, version)

    def _remove(self, key: str, version: Version) -> None:
        if version.held:
            raise Refused("ObjectLocked")
        self.versions[key].remove(version)
        if not self.versions[key]:
            del self.versions[key]
        if version.blob is not None:
            self.garbage.append(version.blob)


def _fits(there: Version, expected: Expected) -> bool:
    return not (
        expected.absent
        or (expected.etag is not None and expected.etag not in ("*", there.etag))
        or (expected.not_etag is not None and expected.not_etag == there.etag)
        or (expected.size is not None and expected.size != there.size)
    )


def _level(key: str, prefix: str, delimiter: str) -> str | None:
    cut = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if cut < 0 else key[: cut + len(delimiter)]


def _keys(keys: Iterable[str], prefix: str, delimiter: str, after: str) -> list[str]:
    is_level = after.startswith(prefix) and _level(after, prefix, delimiter) == after
    return sorted(
        key
        for key in keys
        if key.startswith(prefix) and key > after and not (is_level and key.startswith(after))
    )


def _add(entries: list[Entry], key: str, prefix: str, delimiter: str, ids: list[str]) -> None:
    level = _level(key, prefix, delimiter)
    if level is None:
        entries += [(key, version_id) for version_id in ids]
    elif (level, "") not in entries:
        entries.append((level, ""))
