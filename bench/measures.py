"""What is measured: each function yields rows as they are found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from bench import authentication as credentials
from bench import load, processor, realtime_fanout, streams
from bench.load import Load
from bench.peers import FILES, SMALL, Peers
from bench.table import Row, in_turns
from tests.instance import Instance, Member

MIB = 1 << 20
CONNECTIONS = 64
WRITTEN = 5000  # distinct keys of small PUTs
HOURS = 3600
BODY = b"0123456789abcdef" * (SMALL // 16)


class Signer:
    """Presigned requests of a member: the path and query that a load generator sends without signing itself."""

    def __init__(self, member: Member) -> None:
        self._client = member.s3(signature_version="s3v4")
        self._url = member.url

    def __call__(self, method: str, bucket: str, key: str) -> str:
        verb = {"GET": "get_object", "PUT": "put_object"}[method]
        url: str = self._client.generate_presigned_url(
            verb, Params={"Bucket": bucket, "Key": key}, ExpiresIn=HOURS
        )
        return url.removeprefix(self._url)


def remote(instance: Instance, peers: Peers) -> Iterator[Row]:
    """Buckets on an S3 backend: the edge forwards; the peer is plain Caddy in front of the same upstream."""
    member = instance.member()
    sign = Signer(member)
    reads = member.bucket("reads", instance.remote(f"http://127.0.0.1:{peers.reads}", "bench", "secret"))
    writes = member.bucket("writes", instance.remote(f"http://127.0.0.1:{peers.writes}", "bench", "secret"))

    gets = [sign("GET", reads, str(number)) for number in range(FILES)]
    rates = _rates(Load(instance.port, gets), Load(peers.proxy_reads, gets))
    yield Row("4 KiB GET, s3 backend, 64 at once", "/s", *rates, aim=0.45)
    yield Row("4 KiB GET, s3 backend, p50 of one at a time", "ms", *_times(instance.port, peers.proxy_reads, gets),
              less_is_better=True)  # fmt: skip
    puts = [sign("PUT", writes, str(number)) for number in range(WRITTEN)]
    rates = _rates(Load(instance.port, puts, "PUT", BODY), Load(peers.proxy_writes, puts, "PUT", BODY))
    yield Row("4 KiB PUT, s3 backend, 64 at once", "/s", *rates)

    big = sign("GET", reads, "big")
    rates = in_turns(lambda: streams.get(instance.port, big), lambda: streams.get(peers.proxy_reads, big))
    yield Row("1 GiB GET, s3 backend", "MiB/s", *_mib(rates), aim=0.8)
    big, body = sign("PUT", writes, "big"), peers.files / "big"
    rates = in_turns(
        lambda: streams.put(instance.port, big, body), lambda: streams.put(peers.proxy_writes, big, body)
    )
    yield Row("1 GiB PUT, s3 backend, unsigned payload", "MiB/s", *_mib(rates), aim=0.8)


def local(instance: Instance, peers: Peers) -> Iterator[Row]:
    """Buckets in our own store: the peers are a bare program that keeps bodies, and plain Caddy over files."""
    member = instance.member()
    sign = Signer(member)
    bucket = member.bucket("store")

    big, body = sign("PUT", bucket, "big"), peers.files / "big"
    rates = in_turns(
        lambda: streams.put(instance.port, big, body), lambda: streams.put(peers.bare_store, "/big", body)
    )
    yield Row("1 GiB PUT, own store", "MiB/s", *_mib(rates), aim=0.8)
    big = sign("GET", bucket, "big")
    rates = in_turns(lambda: streams.get(instance.port, big), lambda: streams.get(peers.file_server, "/big"))
    yield Row("1 GiB GET, own store", "MiB/s", *_mib(rates), aim=0.9)

    gets: list[str] = []
    plain: list[str] = []
    puts = [sign("PUT", bucket, str(number)) for number in range(WRITTEN)]
    bare = [f"/{number}" for number in range(WRITTEN)]
    rates = _rates(Load(instance.port, puts, "PUT", BODY), Load(peers.bare_store, bare, "PUT", BODY))
    yield Row("4 KiB PUT, own store, 64 at once", "/s", *rates, aim=0.8)
    yield from processor.per_request(instance, "4 KiB PUT, own store", Load(instance.port, puts, "PUT", BODY))
    for size, name in ((SMALL, "4 KiB"), (64 << 10, "64 KiB")):
        files = _same_objects(member, bucket, peers.files, size)
        gets = [sign("GET", bucket, key) for key in files]
        plain = [f"/{key}" for key in files]
        rates = _rates(Load(instance.port, gets), Load(peers.file_server, plain))
        yield Row(f"{name} GET, own store, 64 at once", "/s", *rates, aim=0.25)
        yield from processor.per_request(instance, f"{name} GET, own store", Load(instance.port, gets))
    yield Row("64 KiB GET, own store, p50 of one at a time", "ms",
              *in_turns(_time_of(instance.port, gets), _time_of(peers.file_server, plain)),
              less_is_better=True)  # fmt: skip


def api(instance: Instance, peers: Peers) -> Iterator[Row]:
    """Lists over the API, as an API key's holder."""
    member = instance.member()
    for number in range(50):
        member.bucket(f"bucket-{number}")
    targets = ["/api/v1/storage/buckets?per_page=50"]
    outcome = load.run(Load(instance.port, targets, headers=member.api.headers, connections=16))
    yield Row("list of 50 buckets over the API, 16 at once", "/s", outcome.rate)
    yield Row("list of 50 buckets over the API, p50", "ms", outcome.p50)


def authentication(instance: Instance, peers: Peers) -> Iterator[Row]:
    """What a credential adds to a request; the peer is the same view without one. In this process, with no socket."""
    for found in credentials.measure():
        name = f"request with a credential: {found.kind}, p50"
        yield Row(name, "ms", found.authenticated, found.anonymous, less_is_better=True)
        yield Row("  of it processor time", "ms", found.processor)


def fanout(instance: Instance, peers: Peers) -> Iterator[Row]:
    """Live events to many readers at once, on the services in the environment."""
    ours, bare = realtime_fanout.measure()
    name = f"event to {realtime_fanout.READERS:,} streams"
    yield Row(f"{name}, p50", "ms", ours.p50, bare.p50, less_is_better=True)
    yield Row(f"{name}, p99", "ms", ours.p99, bare.p99, less_is_better=True)
    yield Row("deliveries while events queue up", "/s", ours.burst, bare.burst)


def _same_objects(member: Member, bucket: str, files: Path, size: int) -> list[str]:
    """FILES objects in the bucket and files of the same names and sizes; the names."""
    client, names = member.s3(), [f"{size}-{number}" for number in range(FILES)]
    for name in names:
        client.put_object(Bucket=bucket, Key=name, Body=bytes(size))
        (files / name).write_bytes(bytes(size))
    return names


def _rates(ours: Load, theirs: Load) -> tuple[float, float]:
    return in_turns(lambda: load.run(ours).rate, lambda: load.run(theirs).rate)


def _times(ours: int, theirs: int, targets: list[str]) -> tuple[float, float]:
    return in_turns(_time_of(ours, targets), _time_of(theirs, targets))


def _time_of(port: int, targets: list[str]) -> Callable[[], float]:
    """Milliseconds of a request that meets no other."""
    return lambda: load.run(Load(port, targets, connections=1, seconds=3)).p50


def _mib(rates: tuple[float, float]) -> tuple[float, float]:
    return rates[0] / MIB, rates[1] / MIB
