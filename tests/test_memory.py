"""Objects of 1 GiB pass in and out, and no process grows by more than 64 MiB meanwhile."""

from __future__ import annotations

import hashlib
import http.client
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.supervisor import probes
from tests.instance import Instance, Member, running, until
from tests.ports import free_port

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not Path("/proc/self/clear_refs").exists(), reason="peaks are read from Linux's /proc"
    ),
]

MIB = 1 << 20
GIB = 1 << 30
PART = 128 * MIB
PIECE = bytes(range(256)) * (MIB // 256)
ALLOWED = 64 * MIB
PROCESSES = (
    *("web", "live", "decision", "worker", "beat", "broker", "runner", "front", "caddy"),
    *("postgres", "valkey"),
)


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with running() as instance:
        yield instance


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server that keeps objects on disk."""
    port = free_port()
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("rclone")), "serve", "s3", "--addr", f"127.0.0.1:{port}"]
        + ["--auth-key", "any,secret", "--config", "/dev/null", str(tmp_path_factory.mktemp("remote"))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: probes.answers(port, "/")[0], 30, "rclone answers")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_is_flat(instance: Instance, provider: str, kind: str) -> None:
    member = instance.member()
    backend = None if kind == "local" else instance.remote(provider, "any", "secret")
    bucket = member.bucket("large", backend)
    _pass_through(member, bucket, 32 * MIB)  # pools, buffers and code are in memory then
    pids = {pid: name for name in PROCESSES for pid in instance.pids(name)}
    before = _of_the_living(pids, _settled_size)

    _pass_through(member, bucket, GIB)
    _pass_through_in_parts(member, bucket)

    peaks = _of_the_living(before, _peak)
    ended = {name for name in PROCESSES if instance.main_pid(name) not in peaks}
    assert not ended, f"{ended} did not last"
    grown = {f"{pids[pid]} {pid}": (peak - before[pid]) // MIB for pid, peak in peaks.items()}
    print(grown)
    assert max(grown.values()) <= ALLOWED // MIB, grown


def _pass_through(member: Member, bucket: str, size: int) -> None:
    digest = _put(member, bucket, "whole", size)
    assert _get(member, bucket, "whole") == (size, digest)


def _pass_through_in_parts(member: Member, bucket: str) -> None:
    s3 = member.s3(read_timeout=300)
    target = {"Bucket": bucket, "Key": "parts"}
    upload = s3.create_multipart_upload(**target)["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(**target, UploadId=upload, PartNumber=number, Body=PIECE * (PART // MIB))[
                "ETag"
            ],
        }
        for number in range(1, GIB // PART + 1)
    ]
    s3.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": parts})
    size, _ = _get(member, bucket, "parts")
    assert size == GIB


def _put(member: Member, bucket: str, key: str, size: int) -> str:
    """Send a body piece by piece; its MD5."""
    wire, path = _presigned(member, "put_object", bucket, key)
    digest = hashlib.md5()
    wire.putrequest("PUT", path)
    wire.putheader("Content-Length", str(size))
    wire.endheaders()
    for _ in range(size // MIB):
        digest.update(PIECE)
        wire.send(PIECE)
    answer = wire.getresponse()
    assert answer.status == 200, answer.read()
    wire.close()
    return digest.hexdigest()


def _get(member: Member, bucket: str, key: str) -> tuple[int, str]:
    """Size and MD5 of a body, read piece by piece."""
    wire, path = _presigned(member, "get_object", bucket, key)
    wire.request("GET", path)
    answer = wire.getresponse()
    assert answer.status == 200, answer.read()
    digest, size = hashlib.md5(), 0
    while piece := answer.read(MIB):
        digest.update(piece)
        size += len(piece)
    wire.close()
    return size, digest.hexdigest()


def _presigned(member: Member, verb: str, bucket: str, key: str) -> tuple[http.client.HTTPConnection, str]:
    s3 = member.s3(signature_version="s3v4")
    url: str = s3.generate_presigned_url(verb, Params={"Bucket": bucket, "Key": key}, ExpiresIn=3600)
    wire = http.client.HTTPConnection(member.url.removeprefix("http://"), timeout=300)
    return wire, url.removeprefix(member.url)


def _of_the_living(pids: Iterable[int], measure: Callable[[int], int]) -> dict[int, int]:
    """What `measure` says of each process, without those that ended: PostgreSQL's own come and go."""
    sizes = {}
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError, StopIteration):
            sizes[pid] = measure(pid)
    return sizes


def _settled_size(pid: int) -> int:
    """Resident bytes now; the peak is counted anew from here."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _status(pid, "VmRSS")


def _peak(pid: int) -> int:
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
