"""Clients that write, overwrite, delete and read without pause, and remember what they were promised."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

LONGEST_REQUEST = 30.0
SIZES = (0, 700, 4 << 10, 40 << 10, 300 << 10)
PART = 5 << 20
KEYS_EACH = 12

Content = str | None
"""The ETag of what a key holds; None: nothing."""


@dataclass
class Key:
    """What one key may hold: what was acknowledged last, or whatever was tried since and not answered."""

    name: str
    acknowledged: Content = None
    unanswered: list[Content] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    """The ETags of all acknowledged writes."""
    tried: set[str] = field(default_factory=set)
    """The ETags of all writes, however they ended."""

    @property
    def possible(self) -> set[Content]:
        return {self.acknowledged, *self.unanswered}


@dataclass
class Ledger:
    """What happened in one bucket. Each key belongs to one client, so nothing here needs a lock."""

    bucket: str
    keys: dict[str, Key] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    longest: float = 0.0


class Client(threading.Thread):
    """One after another, without retries by its library; what failed is tried again with another content."""

    def __init__(self, number: int, s3: Any, ledger: Ledger, over: threading.Event) -> None:
        super().__init__(name=f"{ledger.bucket}-{number}", daemon=True)
        self._s3, self._ledger, self._over = s3, ledger, over
        self._random = random.Random(number)
        # Prefixes of one another and odd characters: the names that naive stores mix up.
        self._keys = [
            ledger.keys.setdefault(name, Key(name))
            for name in (f"{number}/k{'/k' * (n % 3)} ü+{n}" for n in range(KEYS_EACH))
        ]

    def run(self) -> None:
        operations: list[Callable[[Key], None]] = [
            self._write_whole,
            self._write_whole,
            self._read,
            self._read,
            self._remove,
        ]
        while not self._over.is_set():
            key = self._random.choice(self._keys)
            if self._random.random() < 0.04:
                self._write_in_parts(key)
            else:
                self._random.choice(operations)(key)

    def _write_whole(self, key: Key) -> None:
        body = self._body(self._random.choice(SIZES))
        etag = hashlib.md5(body).hexdigest()
        self._write(key, etag, lambda: self._s3.put_object(**self._at(key), Body=body))

    def _write_in_parts(self, key: Key) -> None:
        bodies = [self._body(PART), self._body(1000)]
        digests = [hashlib.md5(body) for body in bodies]
        etag = hashlib.md5(b"".join(digest.digest() for digest in digests)).hexdigest() + "-2"
        made = self._ask("create upload", lambda: self._s3.create_multipart_upload(**self._at(key)))
        if made is None:
            return
        upload = {**self._at(key), "UploadId": made["UploadId"]}
        for number, body in enumerate(bodies, 1):
            part = {**upload, "PartNumber": number, "Body": body}
            if self._ask("part", lambda part=part: self._s3.upload_part(**part)) is None:  # type: ignore[misc]
                return
        parts = [{"PartNumber": n, "ETag": f'"{d.hexdigest()}"'} for n, d in enumerate(digests, 1)]
        self._write(
            key,
            etag,
            lambda: self._s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}),
        )

    def _remove(self, key: Key) -> None:
        if self._ask("delete", lambda: self._s3.delete_object(**self._at(key))) is None:
            key.unanswered.append(None)
        else:
            key.acknowledged, key.unanswered = None, []

    def _read(self, key: Key) -> None:
        try:
            found = self._timed("get", lambda: read(self._s3, self._ledger.bucket, key.name))
        except (ClientError, BotoCoreError):
            return
        if found not in key.possible:
            self._ledger.wrong.append(f"{key.name} holds {found}, not {key.possible}")

    def _write(self, key: Key, etag: str, send: Callable[[], Any]) -> None:
        key.tried.add(etag)
        answer = self._ask("write", send)
        if answer is None:
            key.unanswered.append(etag)
            return
        key.acknowledged, key.unanswered = etag, []
        key.written.append(etag)
        if answer["ETag"] != f'"{etag}"':
            self._ledger.wrong.append(f"{key.name} was written with ETag {answer['ETag']}, not {etag}")

    def _ask(self, what: str, send: Callable[[], Any]) -> Any:
        """The answer, or None for a failure: whether it was done is then unknown."""
        try:
            return self._timed(what, send)
        except (ClientError, BotoCoreError):
            time.sleep(0.1)
            return None

    def _timed(self, what: str, send: Callable[[], Any]) -> Any:
        began = time.monotonic()
        try:
            answer = send()
        except ClientError as error:
            self._ledger.answers[f"{what}: {error.response['Error'].get('Code')}"] += 1
            raise
        except BotoCoreError as error:
            self._ledger.answers[f"{what}: {type(error).__name__}"] += 1
            raise
        else:
            self._ledger.answers[f"{what}: ok"] += 1
            return answer
        finally:
            self._ledger.longest = max(self._ledger.longest, time.monotonic() - began)

    def _at(self, key: Key) -> dict[str, str]:
        return {"Bucket": self._ledger.bucket, "Key": key.name}

    def _body(self, size: int) -> bytes:
        """No two alike, so that an ETag tells which write it was."""
        return os.urandom(16) + self._random.randbytes(size)


def read(s3: Any, bucket: str, key: str) -> Content:
    """The ETag of what is read, None for nothing. AssertionError when the bytes are not what it says."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"].get("Code") == "NoSuchKey":
            return None
        raise
    body, etag = answer["Body"].read(), answer["ETag"].strip('"')
    digest = hashlib.md5(body).hexdigest()
    if etag.endswith("-2"):
        parts = hashlib.md5(body[:PART_WRITTEN]).digest() + hashlib.md5(body[PART_WRITTEN:]).digest()
        digest = hashlib.md5(parts).hexdigest() + "-2"
    assert digest == etag, f"{bucket}/{key}: the body's digest is {digest}, its ETag {etag}"
    return str(etag)


PART_WRITTEN = PART + 16


def listed(s3: Any, bucket: str) -> dict[str, str]:
    """Every key that a list shows, with its ETag."""
    return dict(_listed(s3, bucket))


def _listed(s3: Any, bucket: str) -> Iterator[tuple[str, str]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", []):
            yield found["Key"], found["ETag"].strip('"')
