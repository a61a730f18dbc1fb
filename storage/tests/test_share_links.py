"""Links to share an object: made, followed by people without an account, counted, ended."""

from __future__ import annotations

import hashlib
import html
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from gateway.db.scope import tenant_scope
from gateway.errors import Forbidden, Invalid
from realtime.models import Event
from storage import tasks
from storage.models import Bucket, ShareLink
from storage.services import backends, bucket_settings, buckets, objects, share_links
from tenants.models import ApiKey, AuditEntry, Membership
from tenants.principal import Principal
from tenants.services import api_keys, users
from tests import factories

from .test_api import make_object

pytestmark = pytest.mark.django_db

KEY = "a b/ü & <i>.txt"
DAY = timedelta(days=1)


def shareable(role: str) -> Principal:
    """Somebody of that role, in a tenant with an object to share."""
    backends.ensure_default_backends()
    tenant = factories.tenant()
    admin = factories.member(tenant)
    with tenant_scope(tenant.pk):
        buckets.create_bucket("docs", object_lock=True, actor=admin)
    make_object(tenant, "docs", KEY, b"first")
    return factories.member(tenant, role)


@pytest.fixture
def maker() -> Principal:
    """A viewer: whoever may read may share."""
    return shareable("viewer")


def bucket(who: Principal) -> Bucket:
    return buckets.get_bucket("docs", actor=who)


def made(who: Principal, *, key: str = KEY, version_id: str = "", lasts: timedelta = DAY) -> str:
    """The path of a link."""
    with tenant_scope(who.tenant.pk):
        _, url = share_links.create(bucket(who), key, version_id=version_id, lasts=lasts, actor=who)
    return urlsplit(url).path


def shown(path: str) -> tuple[int, str]:
    answer = Client().get(path)
    assert answer["Cache-Control"] == "no-store, private" or "no-store" in answer["Cache-Control"]
    return answer.status_code, re.sub(r"\s+", " ", html.unescape(answer.content.decode()))


def test_the_page_says_what_it_is_and_leads_to_the_bytes(maker: Principal) -> None:
    path = made(maker)
    status, text = shown(path)
    assert status == 200 and "ü & <i>.txt" in text and "5 bytes" in text and maker.label in text
    answer = Client().post(path)
    assert answer.status_code == 302
    asked = parse_qs(urlsplit(answer["Location"]).query)
    assert "filename*=UTF-8''%C3%BC%20%26%20%3Ci%3E.txt" in asked["response-content-disposition"][0]
    assert int(asked["X-Amz-Expires"][0]) <= 300
    with tenant_scope(maker.tenant.pk):
        link = ShareLink.objects.get()
        assert link.downloads_count == 1 and link.downloaded_at is not None


def test_it_is_made_and_ended_with_entry_and_event(maker: Principal) -> None:
    path = made(maker)
    with tenant_scope(maker.tenant.pk):
        link = share_links.visible(maker).get()
        share_links.revoke(link, actor=maker)
        share_links.revoke(link, actor=maker)
        kinds = list(Event.objects.filter(type__startswith="storage.share").values_list("type", flat=True))
        actions = AuditEntry.objects.filter(action__startswith="storage.share")
        assert sorted(kinds) == ["storage.share_link.created", "storage.share_link.revoked"]
        assert sorted(actions.values_list("action", flat=True)) == [
            "storage.share_link.create",
            "storage.share_link.revoke",
        ]
        token = path.rpartition("/")[2]
        assert token not in str(list(ShareLink.objects.values())) + str(list(Event.objects.values()))
    status, text = shown(path)
    assert status == 410 and "was revoked" in text
    assert Client().post(path).status_code == 410


def test_what_is_over_or_gone_says_so(maker: Principal) -> None:
    path, other = made(maker), made(maker, lasts=2 * DAY)
    with tenant_scope(maker.tenant.pk):
        ShareLink.objects.filter(expires_at__lt=timezone.now() + 1.5 * DAY).update(expires_at=timezone.now())
    assert shown(path)[0] == 410 and "expired" in shown(path)[1]
    admin = factories.member(maker.tenant)
    with tenant_scope(maker.tenant.pk):
        objects.delete_object(bucket(admin), KEY, actor=admin)
    assert shown(other)[0] == 410 and "not there any more" in shown(other)[1]
    assert shown("/app/shared/nothing-like-it")[0] == 404


def test_a_version_stays_and_the_key_moves_on(maker: Principal) -> None:
    with tenant_scope(maker.tenant.pk):
        version = objects.get_object(bucket(maker), KEY).version_id
    of_version, of_key = made(maker, version_id=version), made(maker)
    make_object(maker.tenant, "docs", KEY, b"the second one")
    assert "5 bytes" in shown(of_version)[1]
    assert "14 bytes" in shown(of_key)[1]


def test_it_ends_with_what_its_maker_may(maker: Principal) -> None:
    path = made(maker)
    admin = factories.member(maker.tenant)
    denies = (
        '{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",'
        ' "Resource": "arn:aws:s3:::docs/*"}}'
    )
    with tenant_scope(maker.tenant.pk):
        bucket_settings.set_policy(bucket(admin), denies, actor=admin)
    assert shown(path)[0] == 410
    with tenant_scope(maker.tenant.pk):
        bucket_settings.set_policy(bucket(admin), "", actor=admin)
    assert shown(path)[0] == 200
    with tenant_scope(maker.tenant.pk):
        users.deactivate_user(Membership.objects.get(user=maker.user), actor=admin)
    assert shown(path)[0] == 410


def made_with_a_key(who: Principal, **limits: Any) -> tuple[str, ApiKey]:
    """The path of a link that was made by the API with an API key."""
    with tenant_scope(who.tenant.pk):
        key, text = api_keys.issue_key("k", actor=who, **limits)
    answer = Client().post(
        "/api/v1/storage/share-links",
        {"bucket": "docs", "key": KEY},
        "application/json",
        headers={"X-API-Key": text},
    )
    assert answer.status_code == 201, answer.content
    return urlsplit(answer.json()["data"]["url"]).path, key


def test_it_ends_with_the_api_key_it_was_made_with() -> None:
    maker = shareable("member")
    (path, key), (narrowed, other) = made_with_a_key(maker), made_with_a_key(maker)
    (sooner, ending), own = made_with_a_key(maker), made(maker)
    assert [shown(one)[0] for one in (path, narrowed, sooner, own)] == [200] * 4
    with tenant_scope(maker.tenant.pk):
        assert share_links.live(maker, bucket(maker), KEY).count() == 4
        api_keys.revoke_key(key, actor=maker)
        api_keys.update_key(other, {"permissions": ["storage.bucket.read"]}, actor=maker)
        ApiKey.objects.filter(pk=ending.pk).update(expires_at=timezone.now())
    assert [shown(one)[0] for one in (path, narrowed, sooner, own)] == [410, 410, 410, 200]
    assert "was revoked" in shown(path)[1] and "expired" in shown(sooner)[1]
    assert Client().post(path).status_code == 410
    with tenant_scope(maker.tenant.pk):
        assert share_links.live(maker, bucket(maker), KEY).count() == 2
    client = Client()
    client.force_login(maker.user)  # type: ignore[arg-type]
    listed = client.get("/api/v1/storage/share-links").json()["data"]
    assert sorted(row["state"] for row in listed) == ["expired", "key_revoked", "works", "works"]
    assert "API key revoked" in client.get("/app/share-links").content.decode()


def test_a_rotated_key_has_its_links_still() -> None:
    maker = shareable("member")
    path, key = made_with_a_key(maker)
    with tenant_scope(maker.tenant.pk):
        api_keys.rotate_key(key, timedelta(), actor=maker)
    assert shown(path)[0] == 200


def test_beat_forgets_links_that_ended_a_month_ago(maker: Principal) -> None:
    ended = {name: made(maker).rpartition("/")[2] for name in ("expired", "revoked", "lately", "working")}
    long_ago, lately = timezone.now() - 31 * DAY, timezone.now() - 29 * DAY
    with tenant_scope(maker.tenant.pk):
        of = {
            name: ShareLink.objects.filter(token_digest=hashlib.sha256(token.encode()).hexdigest())
            for name, token in ended.items()
        }
        of["expired"].update(expires_at=long_ago)
        of["revoked"].update(revoked_at=long_ago)
        of["lately"].update(expires_at=lately, revoked_at=lately)
    tasks.sweep_share_links()
    with tenant_scope(maker.tenant.pk):
        assert {name for name, rows in of.items() if rows.exists()} == {"lately", "working"}


def test_others_links_are_a_bucket_writers_to_end(maker: Principal) -> None:
    made(maker)
    viewer, member = factories.member(maker.tenant, "viewer"), factories.member(maker.tenant, "member")
    with tenant_scope(maker.tenant.pk):
        link = ShareLink.objects.get()
        assert not share_links.visible(viewer).exists()
        with pytest.raises(Forbidden):
            share_links.revoke(link, actor=viewer)
        share_links.revoke(share_links.visible(member).get(), actor=member)
        assert ShareLink.objects.get().state == "revoked"


def test_what_no_browser_can_download_is_not_shared(maker: Principal) -> None:
    make_object(maker.tenant, "docs", "a/../b", b"x")
    with pytest.raises(Invalid):
        made(maker, key="a/../b")
    with pytest.raises(Invalid, match="30 days"):
        made(maker, lasts=31 * DAY)


def test_by_the_api(maker: Principal) -> None:
    client = Client()
    client.force_login(maker.user)  # type: ignore[arg-type]
    answer = client.post(
        "/api/v1/storage/share-links", {"bucket": "docs", "key": KEY, "expires_in": 60}, "application/json"
    )
    assert answer.status_code == 201, answer.content
    told = answer.json()["data"]
    assert shown(urlsplit(told["url"]).path)[0] == 200
    [listed] = client.get("/api/v1/storage/share-links?bucket=docs").json()["data"]
    assert listed["id"] == told["id"] and listed["state"] == "works" and "url" not in listed
    assert client.delete(f"/api/v1/storage/share-links/{told['id']}").status_code == 204
    assert shown(urlsplit(told["url"]).path)[0] == 410
    assert not client.get("/api/v1/storage/share-links?bucket=other").json()["data"]
