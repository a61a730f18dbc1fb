"""What the API and the pages do to versions that lie on a backend: by the platform's requests to its own S3 door."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from gateway.db.scope import tenant_scope
from storage.models import WriteIntent
from tenants.models import AuditEntry
from tests.factories import PASSWORD
from tests.stack import Account, Stack

KEY = "a b/ü+"
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def account(stack: Stack, moto: str) -> Account:
    made = stack.account()
    made.bucket("far", backend=moto, object_lock=True)
    return made


@pytest.fixture(scope="module")
def ask(stack: Stack, account: Account) -> Any:
    user = account.who.user
    assert user is not None
    with httpx.Client(base_url=f"{stack.url}/api/v1/", trust_env=False, timeout=60) as http:
        sent = {"username": user.username, "password": PASSWORD}
        token = http.post("auth/login", json=sent, headers={"X-Tenant": account.slug}).json()["data"][
            "access"
        ]
        headers = {"Authorization": f"Bearer {token}", "X-Tenant": account.slug}

        def asked(method: str, path: str = "", **values: Any) -> tuple[int, Any]:
            named = {"bucket": "far"} | ({} if "prefix" in values else {"key": KEY}) | values
            given: Any = {"params" if method in ("GET", "DELETE") else "json": named}
            answer = http.request(method, f"storage/objects{path}", headers=headers, **given)
            body = answer.json() if answer.content else {}
            return answer.status_code, body.get("data", body)

        yield asked


@pytest.fixture
def s3(account: Account) -> Any:
    return account.s3()


def put(s3: Any, *bodies: bytes, key: str = KEY) -> list[str]:
    """The ids of the versions."""
    return [s3.put_object(Bucket="far", Key=key, Body=body)["VersionId"] for body in bodies]


def test_deleted_brought_back_and_restored(account: Account, ask: Ask, s3: Any) -> None:
    first, second = put(s3, b"first", b"second")
    assert ask("DELETE")[0] == 204
    status, marker = ask("GET", "/details")
    assert (status, marker["is_delete_marker"]) == (200, True)
    status, back = ask("POST", "/undelete")
    assert (status, back["version_id"]) == (200, second)
    assert s3.get_object(Bucket="far", Key=KEY)["Body"].read() == b"second"
    status, restored = ask("POST", "/restore", version_id=first)
    assert (status, restored["size"]) == (200, 5)
    assert s3.get_object(Bucket="far", Key=KEY)["Body"].read() == b"first"
    assert ask("DELETE", version_id=restored["version_id"])[0] == 204
    assert ask("DELETE", version_id=restored["version_id"])[0] == 404
    assert s3.get_object(Bucket="far", Key=KEY)["Body"].read() == b"second"
    status, link = ask("POST", "/links", version_id=first)
    assert (status, httpx.get(link["url"], trust_env=False).content) == (201, b"first")
    with account.stack.database(), tenant_scope(account.who.tenant.pk):
        assert AuditEntry.objects.filter(action="storage.object.delete", target=f"far/{KEY}").count() == 3
        assert not WriteIntent.objects.exists()


def test_keys_that_look_like_ways_are_no_ways(account: Account, ask: Ask, s3: Any) -> None:
    """On our own store: backends take no such keys."""
    account.bucket("here", backend="local", object_lock=True)
    named = {"Bucket": "here", "Key": "a/../b//./c"}
    first, _ = [s3.put_object(**named, Body=body)["VersionId"] for body in (b"first", b"second")]
    assert ask("POST", "/restore", bucket="here", key=named["Key"], version_id=first)[0] == 200
    assert s3.get_object(**named)["Body"].read() == b"first"


def test_tags_and_locks(ask: Ask, s3: Any) -> None:
    key = "locked"
    [version] = put(s3, b"x", key=key)
    named = {"key": key, "version_id": version}
    assert ask("PUT", "/tags", **named, tags={"n": "1"})[0] == 200
    assert s3.get_object_tagging(Bucket="far", Key=key)["TagSet"] == [{"Key": "n", "Value": "1"}]
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    status, locked = ask("PUT", "/retention", **named, mode="GOVERNANCE", until=until)
    assert (status, locked["lock"]["mode"]) == (200, "GOVERNANCE")
    for refused in (ask("DELETE", **named), ask("PUT", "/retention", **named, mode=None, until=None)):
        assert (refused[0], refused[1]["code"]) == (403, "object_locked")
    [stays] = ask("POST", "/bulk-delete", prefix=key, all_versions=True)[1]["refused"]
    assert (stays["version_id"], stays["reason"]) == (version, "The version is locked: it may not go yet.")
    status, free = ask("PUT", "/retention", **named, mode=None, until=None, bypass_governance=True)
    assert (status, free["lock"]["mode"]) == (200, None)
    assert ask("PUT", "/legal-hold", **named, held=True)[1]["lock"]["held"] is True
    assert ask("DELETE", **named, bypass_governance="true")[1]["code"] == "object_locked"
    assert ask("PUT", "/legal-hold", **named, held=False)[1]["lock"]["held"] is False
    assert ask("DELETE", **named)[0] == 204


def test_many_at_once(account: Account, ask: Ask, s3: Any) -> None:
    for number in range(5):
        put(s3, b"x", b"y", key=f"many/{number}")
    status, outcome = ask("POST", "/bulk-delete", prefix="many/")
    assert (status, outcome["deleted"], outcome["refused"], outcome["next_key"]) == (200, 5, [], None)
    assert ask("GET", "/versions", prefix="many/")[1]["versions"][0]["is_delete_marker"] is True
    status, outcome = ask("POST", "/bulk-delete", prefix="many/", all_versions=True)
    assert (status, outcome["deleted"]) == (200, 15)
    assert "Versions" not in s3.list_object_versions(Bucket="far", Prefix="many/")
