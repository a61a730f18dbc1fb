"""Reads every stored body again and compares it with its row. Nothing is ever removed or changed.

A pass goes over all rows that own bytes, then over the files that no row names. Where it is stands in a file below the
store's root, so that it goes on after a stop; one runs at a time. A damaged object is logged, told by an event
`storage.object.damaged` to its tenant, and stays in the pass's report. What lies on a disk that is not there is
reported as missing, but not told as damaged.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope
from realtime import services as realtime
from storage.errors import BlobMissing, StorageRefusal
from storage.models import Bucket, Object, ObjectVersion, UploadPart
from storage.store import BlobStore

from . import sweeps
from .proofs import Claim, check_bytes, check_file

log = logging.getLogger(__name__)

Row = Object | ObjectVersion | UploadPart

TABLES: Final = (Object, ObjectVersion, UploadPart)
_BATCH = 200
_KEEP_SECONDS = 5.0
_MOST_FINDINGS = 1000
_SECONDS = 120.0  # of the ten minutes between two calls of `verify_by_and_by`


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one object, version or part, or (`orphan`) a file that is nobody's."""

    kind: str  # missing, corrupt, orphan
    where: str  # tenant/bucket/key, with the version or part
    blob: str
    detail: str


@dataclass(slots=True)
class Pass:
    """Where a pass over the store is. `table` indexes TABLES; `after` is the id of the last row that was checked."""

    began: str = ""
    ended: str = ""
    table: int = 0
    after: int = 0
    checked: int = 0
    bytes: int = 0
    wrong: int = 0
    orphans: int = 0
    findings: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def load(cls) -> Self:
        """The last pass, or one that has not begun."""
        with suppress(OSError, ValueError, TypeError):
            return cls(**json.loads(_kept().read_text(encoding="utf-8")))
        return cls()

    def save(self) -> None:
        draft = _kept().with_suffix(".new")
        draft.write_text(json.dumps(asdict(self)), encoding="utf-8")
        draft.replace(_kept())

    def add(self, finding: Finding) -> None:
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(asdict(finding))


@dataclass(slots=True)
class Pace:
    """At most `rate` bytes a second (0: as fast as it goes), and an end after `seconds` (None: none)."""

    rate: int = 0
    seconds: float | None = None
    _began: float = field(default_factory=time.monotonic)
    _read: int = 0

    def took(self, count: int) -> None:
        self._read += count
        if self.rate:
            time.sleep(max(0.0, self._began + self._read / self.rate - time.monotonic()))

    @property
    def is_over(self) -> bool:
        return self.seconds is not None and time.monotonic() - self._began > self.seconds


class Busy(Exception):
    """Another process verifies the store."""


def verify(
    pace: Pace | None = None,
    *,
    restart: bool = False,
    told: Callable[[Finding], None] = lambda finding: None,
) -> Pass:
    """Go on with the pass under way, or begin one; returns it as far as it got. Raises Busy.

    `told` hears every finding at once. A pass is over when `ended` is set.
    """
    pace = pace or Pace()
    with platform_scope("the store is verified for all tenants"), advisory_lock("verify", 0) as mine:
        if not mine:
            raise Busy
        run = Pass.load()
        if restart or not run.began or run.ended:
            run = Pass(began=timezone.now().isoformat())
        blobs, saved = sweeps.store(), time.monotonic()
        for row in _rows(run):
            _look_at(row, blobs, run, pace, told)
            if time.monotonic() - saved > _KEEP_SECONDS:
                run.save()
                saved = time.monotonic()
            if pace.is_over:
                break
        else:
            for blob in orphans(blobs):
                run.orphans += 1
                _found(run, Finding("orphan", "", blob, "no row names it"), told)
            run.ended = timezone.now().isoformat()
        run.save()
        return run


def verify_by_and_by() -> None:
    """A little of a pass, as the settings allow; begins one when the last ended STORAGE_VERIFY_DAYS ago."""
    if not settings.STORAGE_VERIFY_RATE:
        return
    last = Pass.load()
    every = timedelta(days=settings.STORAGE_VERIFY_DAYS)
    if last.ended and datetime.fromisoformat(last.ended) > timezone.now() - every:
        return
    with suppress(Busy):
        run = verify(Pace(settings.STORAGE_VERIFY_RATE, _SECONDS))
        if run.ended:
            log.info("store verified: %s bodies, %s wrong, %s orphans", run.checked, run.wrong, run.orphans)


def orphans(blobs: BlobStore) -> Iterator[str]:
    """Files of blobs that no row names, older than any write under way. `sweep_strays` removes them."""
    for folder in blobs.old_blobs(sweeps.STRAY_AGE):
        for ids in sweeps.batched(folder):
            yield from sorted(sweeps.strays(ids))


def _rows(run: Pass) -> Iterator[Row]:
    while run.table < len(TABLES):
        model = TABLES[run.table]
        rows = model.objects.filter(pk__gt=run.after).order_by("pk").select_related("tenant")
        if model is UploadPart:
            rows = rows.select_related("tenant", "upload")
        batch = list(rows[:_BATCH])
        for row in batch:
            run.after = row.pk
            yield row
        if len(batch) < _BATCH:
            run.table, run.after = run.table + 1, 0


def _look_at(row: Row, blobs: BlobStore, run: Pass, pace: Pace, told: Callable[[Finding], None]) -> None:
    inline = None if isinstance(row, UploadPart) else row.inline
    if inline is None and row.blob is None:
        return  # on a backend, or a delete marker
    run.checked += 1
    run.bytes += row.size
    claim = _claim(row)
    if inline is not None:
        kind, detail = "corrupt", check_bytes(claim, bytes(inline))
        pace.took(len(inline))
    else:
        kind, detail = _check_blob(claim, str(row.blob), blobs, pace)
    if detail and _is_still(row):
        run.wrong += 1
        is_away = kind == "missing" and blobs.is_away(row.blob or "")
        if is_away:
            detail = "the disk that it lies on is not there"
        _found(run, Finding(kind, _where(row), row.blob or "", detail), told)
        if not is_away:  # else it is not known to be damaged, and all objects of a disk would be told at once
            _tell(row, kind, detail)


def _check_blob(claim: Claim, blob: str, blobs: BlobStore, pace: Pace) -> tuple[str, str]:
    try:
        with blobs.open(blob) as file:
            return "corrupt", check_file(claim, file.fileno(), pace.took)
    except BlobMissing:
        return "missing", "its file is not there"
    except (StorageRefusal, OSError) as e:
        return "corrupt", f"its file cannot be read: {e}"


def _claim(row: Row) -> Claim:
    if isinstance(row, UploadPart):
        sse = {**row.upload.sse, **row.sse} if row.sse and row.upload.sse else None
        return Claim(row.tenant_id, row.size, row.etag, row.checksums, sse)
    parts = [int(part["size"]) for part in row.parts] if row.parts else None
    return Claim(row.tenant_id, row.size, row.etag, row.checksums, row.sse, parts)


def _is_still(row: Row) -> bool:
    """Whether the row still owns these bytes: it may have been replaced or removed while they were read."""
    same = type(row).objects.filter(pk=row.pk, blob=row.blob)
    return same.filter(etag=row.etag, last_modified=row.last_modified).exists()


def _where(row: Row) -> str:
    part = f" part {row.number} of upload {row.upload_id}" if isinstance(row, UploadPart) else ""
    version = "" if isinstance(row, UploadPart) or row.version_id == "null" else f" version {row.version_id}"
    return f"{row.tenant.slug}/{_bucket(row)}/{_key(row)}{version}{part}"


def _bucket(row: Row) -> str:
    bucket_id = row.upload.bucket_id if isinstance(row, UploadPart) else row.bucket_id
    return Bucket.objects.filter(pk=bucket_id).values_list("name", flat=True).first() or str(bucket_id)


def _key(row: Row) -> str:
    return row.upload.key if isinstance(row, UploadPart) else row.key


def _found(run: Pass, finding: Finding, told: Callable[[Finding], None]) -> None:
    run.add(finding)
    level = logging.WARNING if finding.kind == "orphan" else logging.ERROR
    log.log(
        level,
        "store: %s %s (blob %s): %s",
        finding.kind,
        finding.where,
        finding.blob or "inline",
        finding.detail,
    )
    told(finding)


def _tell(row: Row, kind: str, detail: str) -> None:
    """The tenant hears of what is damaged."""
    bucket, key = _bucket(row), _key(row)
    data: dict[str, object] = {"bucket": bucket, "key": key, "problem": kind, "detail": detail}
    if not isinstance(row, UploadPart):
        data["version_id"] = row.version_id
    with transaction.atomic():
        realtime.publish(row.tenant_id, "storage.object.damaged", subject=f"{bucket}/{key}", data=data)


def _kept() -> Path:
    return Path(settings.STORAGE_ROOT) / "verified.json"
