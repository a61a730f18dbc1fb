"""The store under faults: processes killed in the middle of writes, a full disk, a disk that goes away.

What was acknowledged is there and whole; what was not leaves no file behind once the sweeps have run.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from gateway.supervisor import account
from tests.faults.load import LONGEST_REQUEST, Client, Ledger, listed, read
from tests.instance import Instance, running, until

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

KILLS = 5  # each restart waits twice as long as the one before
CLIENTS = 2  # of each bucket
AFTER_SECONDS = 6.0
DISK = 160 << 20  # of which 64 MiB stay free
BODY = 20 << 20
QUIET = {"STORAGE_VERIFY_RATE": "0"}  # the tests verify

# All garbage is due, and whatever is old enough is swept.
_SWEEP = """
from django.db.models.functions import Now
from gateway.db.scope import platform_scope
from storage.models import BlobGarbage
from storage.services import sweeps
with platform_scope("tests"):
    BlobGarbage.objects.update(due_at=Now())
sweeps.remove_garbage()
sweeps.remove_strays()
"""


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with running(STORAGE_INLINE_LIMIT="0", **QUIET) as instance:
        yield instance


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and len(path.name) == 32]


def sweep(instance: Instance, root: Path) -> None:
    """What the sweeps do in two days."""
    then = time.time() - 2 * 24 * 3600
    for path in files(root):
        os.utime(path, (then, then))
    swept = instance.manage("shell", "-c", _SWEEP)
    assert swept.returncode == 0, swept.stderr


def nothing_is_wrong(instance: Instance, roots: list[Path]) -> None:
    """After a sweep every row has its file, whole, and every file its row."""
    for root in roots:
        sweep(instance, root)
    verified = instance.manage("verify_store", "--restart")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert " 0 wrong, 0 orphans (all)" in verified.stdout
    assert [path for root in roots for path in files(root / "tmp")] == []


def test_the_decision_is_killed_again_and_again(instance: Instance) -> None:
    member = instance.member()
    s3 = member.s3(connect_timeout=5, read_timeout=LONGEST_REQUEST, max_pool_connections=8 * CLIENTS)
    ledgers = [Ledger(member.bucket(name)) for name in ("plain", "versioned", "sealed")]
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket="sealed", ServerSideEncryptionConfiguration={"Rules": [rule]})
    over = threading.Event()
    clients = [Client(number, s3, ledger, over) for ledger in ledgers for number in range(CLIENTS)]
    for client in clients:
        client.start()
    chance = random.Random(4)
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.5, 2))
        before = until(lambda: instance.main_pid("decision"), 30, "the decision runs")
        assert before is not None
        os.kill(before, signal.SIGKILL)
        until(lambda: instance.main_pid("decision") not in (None, before), 60, "it is started again")  # noqa: B023
    until(instance.healthy, 60, "the platform is healthy again")
    time.sleep(AFTER_SECONDS)
    over.set()
    for client in clients:
        client.join(2 * LONGEST_REQUEST)
    for ledger in ledgers:
        print(ledger.bucket, dict(ledger.answers))
        assert not ledger.wrong
        assert ledger.answers["write: ok"] > 0
        there = listed(s3, ledger.bucket)
        for key in ledger.keys.values():
            held = there.pop(key.name, None)
            assert held in key.possible
            assert read(s3, ledger.bucket, key.name) == held
        assert there == {}
    nothing_is_wrong(instance, [instance.home / "blobs"])


def test_the_decision_is_killed_while_large_parts_are_joined(instance: Instance) -> None:
    """Complete is asked again after each kill, until it says yes: then the object is whole."""
    member = instance.member()
    bucket = member.bucket("joins")
    s3 = member.s3(connect_timeout=5, read_timeout=LONGEST_REQUEST)
    bodies = [os.urandom(30 << 20) for _ in range(3)]
    made = s3.create_multipart_upload(Bucket=bucket, Key="large")
    upload = {"Bucket": bucket, "Key": "large", "UploadId": made["UploadId"]}
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=body)["ETag"]}
        for n, body in enumerate(bodies, 1)
    ]
    chance = random.Random(5)
    for attempt in range(4):
        until(instance.healthy, 60, "the platform is healthy")
        killer = threading.Timer(chance.uniform(0, 0.3), _kill, [instance]) if attempt < 3 else None
        if killer:
            killer.start()
        try:
            s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
            break
        except (ClientError, BotoCoreError) as error:
            print(f"attempt {attempt}: {error}")
        finally:
            if killer:
                killer.join()
    until(instance.healthy, 60, "the platform is healthy again")
    answer = s3.get_object(Bucket=bucket, Key="large")
    assert hashlib.sha256(answer["Body"].read()).digest() == hashlib.sha256(b"".join(bodies)).digest()
    nothing_is_wrong(instance, [instance.home / "blobs"])


def _kill(instance: Instance) -> None:
    pid = instance.main_pid("decision")
    if pid:
        os.kill(pid, signal.SIGKILL)


def test_clients_that_leave_in_the_middle_leave_nothing(instance: Instance) -> None:
    member = instance.member()
    bucket = member.bucket("leaves")
    s3 = member.s3(signature_version="s3v4")
    url = urlsplit(s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"}))
    wires = [http.client.HTTPConnection(url.netloc, timeout=LONGEST_REQUEST) for _ in range(5)]
    for wire in wires:
        wire.putrequest("PUT", f"{url.path}?{url.query}")
        wire.putheader("Content-Length", str(BODY))
        wire.endheaders()
    for wire in wires:
        wire.send(bytes(BODY // 2))
    until(lambda: len(files(instance.home / "blobs" / "tmp")) == 5, 30, "all are under way")
    for wire in wires:
        wire.close()
    until(lambda: not files(instance.home / "blobs" / "tmp"), 30, "nothing is left of them")
    assert listed(s3, bucket) == {}
    nothing_is_wrong(instance, [instance.home / "blobs"])


@contextmanager
def mounted(path: Path, size: int) -> Iterator[Path]:
    """A disk of that size, the platform's own. Skips where none may be mounted."""
    owner = account.choose()
    path.mkdir(parents=True)
    options = f"size={size},uid={owner.uid},gid={owner.gid},mode=750"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("may not mount")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def _folder() -> Path:
    owner = account.choose()
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-"))
    folder.chmod(0o755)
    (folder / "home").mkdir()
    if os.geteuid() == 0:
        os.chown(folder / "home", owner.uid, owner.gid)
    return folder


def refused(send: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        send()
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_a_full_disk_refuses_and_the_store_goes_on() -> None:
    folder = _folder()
    try:
        with mounted(folder / "home" / "blobs", DISK) as disk:
            instance = Instance(folder / "home", QUIET)
            try:
                instance.start()
                _fill_and_free(instance, disk)
            finally:
                instance.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill_and_free(instance: Instance, disk: Path) -> None:
    member = instance.member()
    bucket = member.bucket("full")
    s3 = member.s3(read_timeout=LONGEST_REQUEST)
    body = os.urandom(BODY)
    kept = {}
    for n in range(20):
        try:
            s3.put_object(Bucket=bucket, Key=str(n), Body=body)
        except ClientError:
            break
        kept[str(n)] = hashlib.md5(body).hexdigest()
    assert 2 <= len(kept) <= (DISK - (64 << 20)) // BODY

    def put(size: int = BODY) -> Any:
        return s3.put_object(Bucket=bucket, Key="more", Body=bytes(size))

    assert refused(put) == (507, "InsufficientStorage")
    assert refused(lambda: put(BODY * 3)) == (507, "InsufficientStorage")
    assert shutil.disk_usage(disk).free > 63 << 20
    assert files(disk / "tmp") == []
    s3.put_object(Bucket=bucket, Key="small", Body=b"goes into the index")
    assert listed(s3, bucket) == kept | {"small": hashlib.md5(b"goes into the index").hexdigest()}
    for key, etag in kept.items():
        assert read(s3, bucket, key) == etag
    made = s3.create_multipart_upload(Bucket=bucket, Key="parts")
    upload = {"Bucket": bucket, "Key": "parts", "UploadId": made["UploadId"]}
    assert refused(lambda: s3.upload_part(**upload, PartNumber=1, Body=body)) == (507, "InsufficientStorage")
    s3.delete_object(Bucket=bucket, Key="0")
    s3.delete_object(Bucket=bucket, Key="1")
    sweep(instance, disk)
    assert put()["ETag"]
    nothing_is_wrong(instance, [disk])


def test_a_disk_that_goes_away_takes_its_own_objects_alone() -> None:
    """A bind mount stands for the disk: unmounted, an empty folder is in its place."""
    folder = _folder()
    real, disk = folder / "real", folder / "disk"
    for path in (real, disk):
        path.mkdir()
        if os.geteuid() == 0:
            os.chown(path, account.choose().uid, account.choose().gid)
    try:
        with bound(real, disk) as bind:
            environment = {"STORAGE_FOLDERS": f"disk2={disk}", "STORAGE_INLINE_LIMIT": "0"}
            instance = Instance(folder / "home", environment | QUIET)
            try:
                instance.start()
                _lose_and_find(instance, disk, bind)
            finally:
                instance.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def bound(real: Path, there: Path) -> Iterator[Callable[[], None]]:
    """`real` mounted at `there`; gives what mounts it again. Skips where nothing may be mounted."""

    def bind() -> None:
        subprocess.run(["mount", "--bind", real, there], check=True, capture_output=True)

    try:
        bind()
    except subprocess.CalledProcessError:
        pytest.skip("may not mount")
    try:
        yield bind
    finally:
        subprocess.run(["umount", "-l", there], check=True)


def _lose_and_find(instance: Instance, disk: Path, bind: Callable[[], None]) -> None:
    member = instance.member()
    bucket = member.bucket("disks")
    s3 = member.s3(read_timeout=LONGEST_REQUEST)
    own = instance.home / "blobs"
    bodies = {str(n): os.urandom(1000) for n in range(40)}
    for key, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    there = len(files(disk))
    assert 0 < there < 40  # by chance, in the proportion of room, which is the same
    subprocess.run(["umount", "-l", disk], check=True)
    try:
        answers = [_status(s3, bucket, key) for key in bodies]
        assert answers.count(503) == there
        assert answers.count(200) == 40 - there
        for n in range(20):
            s3.put_object(Bucket=bucket, Key=f"meanwhile {n}", Body=b"goes elsewhere")
        assert list(disk.iterdir()) == []
    finally:
        bind()
    for key, body in bodies.items():
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
    sweep(instance, disk)
    nothing_is_wrong(instance, [own])


def _status(s3: Any, bucket: str, key: str) -> int:
    try:
        s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return 200
