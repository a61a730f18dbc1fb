"""What a backend answered to a PUT that the edge forwarded, made an object or a part."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.decision.types import Answer, BackendAnswer
from storage.index import Intent, PartRow
from storage.s3 import answers
from storage.s3.backend import BackendUnsure, error_of
from storage.s3.front import Front

from . import wishes
from .writing import VERSION, Written


async def commit(token: Mapping[str, Any], backend: BackendAnswer, front: Front) -> Answer:
    """The answer for the client. Raises S3Error."""
    etag = (backend.headers.get("etag") or "").strip('"')
    answered = dict(backend.headers.items())
    done = Written(etag, answered.get(VERSION) or None, wishes.answered(answered, {}))
    refused = None if backend.status < 300 else error_of(backend.status)
    if token["is"] == "put":
        intent = Intent(token["id"], token["tenant"])
        if refused is None:
            await front.index.commit_intent(intent, etag, version_id=done.version_id)
        elif not isinstance(refused, BackendUnsure):
            await front.index.abandon_intent(intent)
    elif refused is None:
        bucket = await front.bucket(token["tenant"], token["bucket"])
        now = datetime.now(UTC).replace(microsecond=0)
        part = PartRow(token["number"], token["size"], etag, now, None, token["checksums"])
        await front.index.record_part(bucket, token["upload"], part)
    if refused is not None:
        raise refused
    found = [(name, value) for name, value in answered.items() if name.startswith("x-amz-checksum-")]
    return answers.empty(200, [("ETag", f'"{etag}"'), *found, *done.headers, *token["told"].items()])
