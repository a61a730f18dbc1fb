"""Every link that a storage page shows leads somewhere, whatever of the permissions its reader holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from gateway.db.scope import tenant_scope
from storage.models import Backend
from storage.services import access_keys, backends, buckets, share_links
from tenants.models import Membership
from tenants.permissions import GROUPS
from tenants.principal import Principal
from tenants.services import roles
from tests import factories

from .test_api import make_object

pytestmark = pytest.mark.django_db

HELD = sorted(GROUPS["Storage"])
ABOUT = ("overview", "buckets", "backends", "access-keys", "share-links")
KEY = "folder/a b.txt"


class Links(HTMLParser):
    """What a page leads to by links and by what HTMX loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found |= {
            value
            for value in (given.get("href") if tag == "a" else None, given.get("hx-get"))
            if value is not None
        }


@pytest.fixture
def admin() -> Principal:
    """Whose tenant has one of everything, and a backend that fails."""
    backends.ensure_default_backends()
    who = factories.member(factories.tenant())
    with tenant_scope(who.tenant.pk):
        far = Backend.objects.create(
            tenant=who.tenant, name="far", kind="s3", endpoint="https://s3.example.org",
            check_error="It does not answer.", checked_at=timezone.now(), failing_since=timezone.now(),
        )  # fmt: skip
        row = buckets.create_bucket("docs", object_lock=True, actor=who)
        buckets.create_bucket("remote", backend=far.name, actor=who)
    for body in (b"1", b"22"):
        make_object(who.tenant, "docs", KEY, body)
    with tenant_scope(who.tenant.pk):
        share_links.create(row, KEY, lasts=timedelta(days=1), actor=who)
        access_keys.issue_access_key("k", actor=who)
    return who


def pages(admin: Principal) -> Iterator[str]:
    """Where people may begin: what is bookmarked, or written into the address bar."""
    for name in (*ABOUT, "new-backend", "new-bucket", "new-access-key"):
        yield reverse(name)
    for bucket in ("docs", "remote"):
        for view in ("bucket", "bucket-settings", "bucket-policy", "bucket-usage"):
            yield reverse(view, args=[bucket])
    yield f"{reverse('object', args=['docs'])}?key={KEY}"
    yield f"{reverse('object', args=['docs'])}?key=gone"
    with tenant_scope(admin.tenant.pk):
        yield reverse("backend", args=[Backend.objects.get(name="far").public_id])


def refused(client: Client, admin: Principal) -> list[str]:
    """The links of storage pages that open for the client and do not open themselves, or not as a part of a page."""
    asked: dict[str, tuple[int, set[str]]] = {}

    def ask(url: str) -> tuple[int, set[str]]:
        if url not in asked:
            answer = client.get(url)
            shown = answer.status_code in (200, 404) and "html" in answer["Content-Type"]
            links = Links(answer.content.decode()).found if shown else set()
            within = {urldefrag(urljoin(url, link)).url for link in links}
            asked[url] = answer.status_code, {link for link in within - {url} if link.startswith(roots)}
        return asked[url]

    roots = tuple(reverse(name) for name in ABOUT if name != "overview")
    left, wrong, seen = list(pages(admin)), [], set[str]()
    while left:
        at = left.pop()
        for link in sorted(ask(at)[1] - seen):
            seen.add(link)
            left.append(link)
            if ask(link)[0] >= 400:
                wrong.append(f"{urlsplit(at).path} leads to {link}: {ask(link)[0]}")
    return wrong


@pytest.mark.parametrize(
    "granted",
    [
        *([one] for one in HELD),
        *([one for one in HELD if one != read] for read in HELD if read.endswith(".read")),
    ],
    ids=lambda granted: granted[0] if len(granted) == 1 else f"without {(set(HELD) - set(granted)).pop()}",
)
def test_every_link_opens_for_whoever_sees_it(admin: Principal, granted: list[str]) -> None:
    with tenant_scope(admin.tenant.pk):
        role = roles.create_role(admin.tenant, "narrow", permissions=granted, actor=admin)
        who = factories.member(admin.tenant, role.slug)
        assert Membership.objects.get(user=who.user).role == role
    client = Client()
    client.force_login(who.user)  # type: ignore[arg-type]
    assert refused(client, admin) == []
