"""What a backend answered to a PUT that the edge forwarded, made an object or a part."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.decision.types import Answer, BackendAnswer
from storage.index import Intent, PartRow
from storage.index.commits import GIVEN_UP
from storage.s3 import answers
from storage.s3.backend import BackendUnsure, error_of
from storage.s3.doubts import is_of_our_key
from storage.s3.errors import S3Error
from storage.s3.front import Front

from . import wishes
from .writing import VERSION, Written


async def released(token: Mapping[str, Any], front: Front) -> None:
    """The edge is done with the request. An object that was not committed by then never will be by an answer."""
    if token["is"] == "put" and token["id"] in front.open_writes:
        front.open_writes.discard(token["id"])
        await front.index.end_intent(Intent(token["id"], token["tenant"]))


async def commit(token: Mapping[str, Any], backend: BackendAnswer, front: Front) -> Answer:
    """The answer for the client. Raises S3Error."""
    etag = (backend.headers.get("etag") or "").strip('"')
    answered = dict(backend.headers.items())
    done = Written(etag, answered.get(VERSION) or None, wishes.answered(answered, {}))
    refused = None if backend.status < 300 else error_of(backend.status)
    if backend.status == 400 and token.get("digest"):
        refused = S3Error("BadDigest")  # most likely: what the answer's document says stayed at the edge
    if is_of_our_key(backend.status, ""):
        front.doubts.note(token["backend"])
    if token["is"] == "put":
        intent = Intent(token["id"], token["tenant"])
        if refused is None:
            committed = await front.index.commit_intent(intent, etag, version_id=done.version_id)
            if not committed and time.time() - token["began"] > GIVEN_UP.total_seconds():
                raise BackendUnsure  # what the sweeper gave up is not in the index
        elif not isinstance(refused, BackendUnsure):
            await front.index.abandon_intent(intent)
        if not isinstance(refused, BackendUnsure):
            front.open_writes.discard(intent.id)
    elif refused is None:
        bucket = await front.bucket(token["tenant"], token["bucket"])
        now = datetime.now(UTC).replace(microsecond=0)
        part = PartRow(token["number"], token["size"], etag, now, None, token["checksums"])
        await front.index.record_part(bucket, token["upload"], part)
    if refused is not None:
        raise refused
    found = [(name, value) for name, value in answered.items() if name.startswith("x-amz-checksum-")]
    return answers.empty(200, [("ETag", f'"{etag}"'), *found, *done.headers, *token["told"].items()])
