"""One conditional write of a key at a time, where the backend does not compare by itself.

The index is asked before the backend is written to, so of two writers that expect the same both would find it so. A
lock in Valkey keeps the second one out, as S3 does while a conflicting write is under way. It is held by lease: a
process that dies lets go of it within LEASE seconds. Writes without a condition do not ask for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from redis.asyncio.lock import Lock
from redis.exceptions import LockError, RedisError

from storage.index import BucketInfo, Expected
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.snapshot import BackendInfo

log = logging.getLogger(__name__)

LEASE: Final = 30.0


def compares(backend: BackendInfo) -> bool:
    """Whether the backend itself refuses a write whose condition is not met."""
    return "conditional_writes" in backend.capabilities


@asynccontextmanager
async def alone(
    expected: Expected | None, bucket: BucketInfo, key: str, front: Front, *, always: bool = False
) -> AsyncIterator[None]:
    """Around a write from before its condition is looked at until it is committed; nothing where there is none.

    `always`: whatever is known of the backend, which need not compare at Complete because it does at a PUT.
    Raises ConditionalRequestConflict while another one is under way, ServiceUnavailable without Valkey.
    """
    if expected is None or (not always and compares(await front.backend(bucket))):
        yield
        return
    name = f"gatehouse:s3-write:{bucket.id}:{hashlib.sha256(key.encode()).hexdigest()}"
    lock = Lock(front.ctx.redis, name, timeout=LEASE, blocking=False)
    try:
        taken = await lock.acquire()
    except RedisError as error:
        raise S3Error("ServiceUnavailable", "Conditions cannot be compared right now.") from error
    if not taken:
        raise S3Error("ConditionalRequestConflict")
    renewing = asyncio.create_task(_renew(lock, key))
    try:
        yield
    finally:
        renewing.cancel()
        with suppress(LockError, RedisError):  # then it ends by itself
            await lock.release()


async def _renew(lock: Lock, key: str) -> None:
    while True:
        await asyncio.sleep(LEASE / 3)
        try:
            await lock.reacquire()
        except (LockError, RedisError) as error:
            log.warning("the lock of a conditional write of %s: %s", key, error)
