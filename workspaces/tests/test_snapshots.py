"""Copies of volumes: made, restored, deleted, downloaded, moved to and from buckets."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope
from storage.services import backends
from storage.tests.test_api import make_object
from tenants.principal import Principal
from tests import factories
from workspaces.models import VolumeSnapshot
from workspaces.providers.base import Refused, Unavailable
from workspaces.providers.fake import FakeProvider
from workspaces.services import reconciler, snapshot_files, snapshot_jobs, snapshots, templates

from .provider_contract import bad_tar
from .test_workspaces import URL, made, row, settled

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _home(fake: FakeProvider, settings: Any, tmp_path: Path) -> None:
    settings.HOME = tmp_path
    templates.ensure_default_templates()


@pytest.fixture
def api(admin: Principal) -> APIClient:
    return factories.client(admin)


@pytest.fixture
def item(api: APIClient, fake: FakeProvider) -> dict[str, Any]:
    """A workspace that runs, with one file."""
    found = settled(api, made(api))
    fake.volumes[row(found).key]["notes"] = b"as it was"
    return found


def taken(api: APIClient, item: dict[str, Any], path: str = "", **body: str) -> dict[str, Any]:
    """A snapshot after its job."""
    answer = api.post(f"{URL}/{item['id']}/snapshots{path}", {"name": "first", **body}, "json")
    assert answer.status_code == 202, answer.content
    assert answer.json()["data"]["state"] == "pending"
    return worked(api, item, answer.json()["data"]["id"])


def worked(api: APIClient, item: dict[str, Any], snapshot_id: str) -> dict[str, Any]:
    snapshot_jobs.work(found(snapshot_id).pk)
    data: dict[str, Any] = api.get(f"{URL}/{item['id']}/snapshots/{snapshot_id}").json()["data"]
    return data


def found(snapshot_id: str) -> VolumeSnapshot:
    with platform_scope("tests"):
        one: VolumeSnapshot = VolumeSnapshot.objects.get(public_id=UUID(snapshot_id))
        return one


def test_a_copy_and_back(api: APIClient, item: dict[str, Any], fake: FakeProvider) -> None:
    snapshot = taken(api, item)
    content = snapshot_files.file_of(found(snapshot["id"])).read_bytes()
    assert (snapshot["state"], snapshot["size_bytes"]) == ("ready", len(content))
    assert snapshot["sha256"] == hashlib.sha256(content).hexdigest()
    url = f"{URL}/{item['id']}/snapshots/{snapshot['id']}"
    download = api.get(f"{url}/content")
    assert download["Content-Type"] == "application/gzip"
    assert download.getvalue() == content
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content))) as tar:
        assert tar.getnames() == ["notes"]
    key = row(item).key
    fake.volumes[key].update(notes=b"ruined", other=b"new")
    assert api.post(f"{url}/restore").status_code == 202
    assert settled(api, item)["state"] == "running"
    assert fake.volumes[key] == {"notes": b"as it was"}
    assert row(item).restoring is None
    assert api.delete(url).status_code == 204
    assert list(snapshot_files.folder().iterdir()) == []


def test_a_stopped_one_stays_stopped(api: APIClient, item: dict[str, Any], fake: FakeProvider) -> None:
    snapshot = taken(api, item)
    api.post(f"{URL}/{item['id']}/stop")
    settled(api, item)
    fake.volumes[row(item).key].clear()
    api.post(f"{URL}/{item['id']}/snapshots/{snapshot['id']}/restore")
    assert settled(api, item)["state"] == "stopped"
    assert list(fake.volumes[row(item).key]) == ["notes"]


def test_a_copy_that_cannot_be_made_now_is_tried_again(
    api: APIClient, item: dict[str, Any], fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleeps(key: str) -> Any:
        raise Unavailable("The engine sleeps.")

    export = fake.export
    monkeypatch.setattr(fake, "export", sleeps)
    snapshot = taken(api, item)
    assert (snapshot["state"], snapshot["error"]) == ("pending", "The engine sleeps.")
    monkeypatch.setattr(fake, "export", export)
    assert worked(api, item, snapshot["id"])["state"] == "ready"


def test_a_copy_that_is_too_large(api: APIClient, item: dict[str, Any], settings: Any) -> None:
    settings.WORKSPACE_SNAPSHOT_SIZE = 10
    snapshot = taken(api, item)
    assert (snapshot["state"], snapshot["error"]) == ("failed", "It has more than 10 bytes.")
    assert list(snapshot_files.folder().iterdir()) == []
    answer = api.post(f"{URL}/{item['id']}/snapshots/{snapshot['id']}/restore")
    assert answer.json()["code"] == "snapshot_not_ready"


@pytest.mark.parametrize("kind", ["parent", "rubbish"])
def test_a_copy_that_may_not_be_restored(
    api: APIClient, item: dict[str, Any], fake: FakeProvider, kind: str
) -> None:
    snapshot = taken(api, item)
    snapshot_files.file_of(found(snapshot["id"])).write_bytes(gzip.compress(bad_tar(kind)))
    api.post(f"{URL}/{item['id']}/snapshots/{snapshot['id']}/restore")
    failed = settled(api, item)
    assert failed["state"] == "failed"
    assert "first was not restored" in failed["error"]
    assert fake.volumes[row(item).key] == {"notes": b"as it was"}
    api.post(f"{URL}/{item['id']}/start")
    assert settled(api, item)["state"] == "running"


def test_a_damaged_file(api: APIClient, item: dict[str, Any], fake: FakeProvider) -> None:
    snapshot = taken(api, item)
    snapshot_files.file_of(found(snapshot["id"])).write_bytes(b"no gzip")
    api.post(f"{URL}/{item['id']}/snapshots/{snapshot['id']}/restore")
    assert "its file is damaged or gone" in settled(api, item)["error"]
    with snapshot_files.unpacked(found(snapshot["id"])) as content, pytest.raises(Refused):
        content.read(1)  # no OSError: that is a connection's, which is tried again
    snapshot_files.file_of(found(snapshot["id"])).unlink()
    assert api.get(f"{URL}/{item['id']}/snapshots/{snapshot['id']}/content").status_code == 404


def test_what_packs_to_nothing_has_a_most_too(
    api: APIClient, item: dict[str, Any], fake: FakeProvider, settings: Any
) -> None:
    snapshot = taken(api, item)
    settings.WORKSPACE_SNAPSHOT_SIZE = 20_000
    fake.volumes[row(item).key]["zeros"] = bytes(4_000_000)
    large = taken(api, item, name="second")
    assert (large["state"], large["error"]) == ("failed", "The volume holds more than 1248576 bytes.")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("zeros")
        member.size = 4_000_000
        tar.addfile(member, io.BytesIO(bytes(member.size)))
    bomb = gzip.compress(buffer.getvalue())
    for content, words in (
        (bomb, "unpacks to more than 1248576 bytes"),
        (bomb[:40] + b"\xff" * 99, "was not restored"),
    ):
        snapshot_files.file_of(found(snapshot["id"])).write_bytes(content)
        api.post(f"{URL}/{item['id']}/snapshots/{snapshot['id']}/restore")
        failed = settled(api, item)
        assert failed["state"] == "failed"
        assert words in failed["error"]
    api.post(f"{URL}/{item['id']}/start")
    assert settled(api, item)["state"] == "running"


def test_there_is_a_most(api: APIClient, item: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST", 1)
    taken(api, item)
    answer = api.post(f"{URL}/{item['id']}/snapshots", {"name": "second"}, "json")
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_snapshots")


def test_strays_are_removed(api: APIClient, item: dict[str, Any]) -> None:
    taken(api, item)
    stray = snapshot_files.folder() / f"{'0' * 32}.tar.gz"
    stray.write_bytes(b"x")
    snapshot_jobs.sweep()
    assert not stray.exists()
    assert len(list(snapshot_files.folder().iterdir())) == 1


def test_they_end_with_their_workspace(api: APIClient, item: dict[str, Any]) -> None:
    taken(api, item)
    api.delete(f"{URL}/{item['id']}")
    api.post(f"{URL}/{item['id']}/purge")
    assert reconciler.reconcile(row(item).key) is None
    assert list(snapshot_files.folder().iterdir()) == []


def test_to_and_from_a_bucket(
    api: APIClient, item: dict[str, Any], admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The links are the storage's own; what they move is looked at here, without an edge."""
    backends.ensure_default_backends()
    api.post("/api/v1/storage/buckets", {"name": "backups"}, "json")
    moved: dict[str, bytes] = {}

    class Stream:
        def __init__(self, method: str, url: str, **_: Any) -> None:
            self.status_code = 200 if url in moved else 404
            self._content = moved.get(url, b"")

        def __enter__(self) -> Stream:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def iter_raw(self, size: int) -> Any:
            yield self._content

    def put(url: str, content: Any, **_: Any) -> httpx2.Response:
        assert "/s3/backups/lab.tar.gz?" in url
        moved[url] = content.read()
        return httpx2.Response(200)

    monkeypatch.setattr(httpx2, "put", put)
    monkeypatch.setattr(httpx2, "stream", Stream)
    snapshot = taken(api, item)
    url = f"{URL}/{item['id']}/snapshots/{snapshot['id']}/export"
    body = {"bucket": "backups", "key": "lab.tar.gz"}
    assert api.post(url, {"bucket": "nothing", "key": "x"}, "json").status_code == 404
    assert api.post(url, body, "json").status_code == 202
    assert worked(api, item, snapshot["id"])["target"] == "backups/lab.tar.gz"
    assert list(moved.values()) == [snapshot_files.file_of(found(snapshot["id"])).read_bytes()]
    refused = api.post(f"{URL}/{item['id']}/snapshots/import", {"name": "second", **body}, "json")
    assert refused.status_code == 404, "there is no such object"
    make_object(admin.tenant, "backups", "lab.tar.gz")
    missing = taken(api, item, "/import", **body)
    assert (missing["state"], missing["error"]) == ("failed", "The object cannot be read: status 404.")
    for content, error in (
        (b"no archive", "its file is damaged"),
        (gzip.compress(b"no tar"), "no gzipped tar"),
    ):

        class Nonsense(Stream):
            status_code = 200
            _content = content

            def __init__(self, method: str, url: str, **_: Any) -> None:
                pass

        monkeypatch.setattr(httpx2, "stream", Nonsense)
        nonsense = taken(api, item, "/import", **body)
        assert nonsense["state"] == "failed"
        assert error in nonsense["error"]
    files = [snapshot_files.file_of(found(snapshot["id"]))]
    assert list(snapshot_files.folder().iterdir()) == files, "what cannot be restored is not kept"
