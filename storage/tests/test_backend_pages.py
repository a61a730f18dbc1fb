"""Backends as pages: added, looked at with what their test found, changed, deleted."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from storage.models import Backend
from storage.services import backend_providers, backends, buckets
from tenants.principal import Principal
from tenants.services import roles
from tests import factories

pytestmark = pytest.mark.django_db

AT = "/app/backends"
NEW = {"name": "far", "endpoint": "https://s3.example.org", "access_key": "AK", "secret_key": "hush-hush"}


@pytest.fixture
def admin() -> Principal:
    backends.ensure_default_backends()
    return factories.member(factories.tenant())


def ask(who: Principal, path: str = "", values: dict[str, Any] | None = None) -> tuple[int, str]:
    client = Client()
    client.force_login(who.user)  # type: ignore[arg-type]
    answer = client.get(AT + path) if values is None else client.post(AT + path, values)
    return answer.status_code, html.unescape(answer.content.decode())


def add(who: Principal, **values: Any) -> Backend:
    status, text = ask(who, "/new", NEW | values)
    assert status == 302, text
    return row(NEW["name"])


def row(name: str) -> Backend:
    with platform_scope("tests"):
        return Backend.objects.get(name=name)


def test_one_is_added_and_its_secret_never_shown(admin: Principal) -> None:
    made = add(admin, vendor="ceph", style="host", checksum_mode="when_supported", is_default="on")
    assert (made.path_style, made.checksum_mode, made.vendor) == (False, "when_supported", "ceph")
    assert (made.tenant_id, made.is_default) == (admin.tenant.pk, True)
    assert backend_providers.secret_of(made) == "hush-hush"
    for path in ("", f"/{made.public_id}"):
        status, text = ask(admin, path)
        assert (status, "Being tested" in text, "hush" in text) == (200, True, False)


def test_whoever_adds_and_may_not_look_is_told_where_they_are(admin: Principal) -> None:
    with tenant_scope(admin.tenant.pk):
        roles.create_role(admin.tenant, "adder", permissions=["storage.backend.write"], actor=admin)
        adder = factories.member(admin.tenant, "adder")
    client = Client()
    client.force_login(adder.user)  # type: ignore[arg-type]
    answer = client.post(f"{AT}/new", NEW, follow=True)
    assert answer.status_code == 200
    assert "The backend far is added." in html.unescape(answer.content.decode())


def test_the_page_asks_for_what_is_new_alone(admin: Principal) -> None:
    made = add(admin)
    client = Client()
    client.force_login(admin.user)  # type: ignore[arg-type]
    path = f"{AT}/{made.public_id}"

    def part(seen: str) -> tuple[int, str, str]:
        answer = client.get(path, {"seen": seen}, headers={"HX-Request": "true"})
        text = html.unescape(answer.content.decode())
        now = re.search(r"seen=([^\"]*)", text)
        return answer.status_code, text, now.group(1) if now else ""

    status, text, seen = part("")
    assert (status, "is being tested." in text) == (200, True)
    assert part(seen)[0] == 204
    with platform_scope("tests"):
        Backend.objects.filter(pk=made.pk).update(check_error="It is gone.", checked_at=timezone.now())
    status, text, failing = part(seen)
    assert status == 200
    assert re.search(r"far\s+fails: It is gone\.", text)
    with platform_scope("tests"):
        Backend.objects.filter(pk=made.pk).update(checked_at=timezone.now() + timedelta(minutes=1))
    status, text, again = part(failing)
    assert (status, "backend-told" in text) == (200, False)  # tested again, and as before
    assert again != failing
    assert 'id="backend-told" role="status"' in client.get(path).content.decode()


def test_what_is_left_open_is_as_the_vendor_needs_it(admin: Principal) -> None:
    made = add(admin, endpoint="https://s3.eu-central-1.wasabisys.com")
    assert (made.vendor, made.region, made.path_style) == ("wasabi", "eu-central-1", True)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "Not One"}, "Lower-case letters"),
        ({"name": "local2", "endpoint": "ftp://x.example"}, "Not an address."),
        ({"endpoint": "http://127.0.0.1:9000"}, "an address that is not public"),
        ({"endpoint": "", "region": ""}, "Missing."),
        ({"ca_bundle": "nonsense"}, "Not certificates."),
        ({"vendor": "somebody"}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_stands_at_the_field(admin: Principal, wrong: dict[str, str], said: str) -> None:
    status, text = ask(admin, "/new", NEW | wrong)
    assert status == 422
    assert said in text
    assert "hush" not in text


def test_a_change_keeps_the_key_and_is_tested_anew(admin: Principal) -> None:
    made = add(admin)
    with platform_scope("tests"):
        Backend.objects.filter(pk=made.pk).update(
            checked_at=timezone.now(), check_error="Nothing listens there.", capabilities={"versioning": True}
        )
    status, text = ask(admin, f"/{made.public_id}")
    assert (status, "Nothing listens there." in text, "Keeps versions" in text) == (200, True, True)
    same = {
        "endpoint": made.endpoint,
        "style": "path",
        "checksum_mode": made.checksum_mode,
        "vendor": made.vendor,
    }
    assert ask(admin, f"/{made.public_id}", same | {"name": "renamed"})[0] == 302
    assert row("renamed").check_error == "Nothing listens there."
    assert ask(admin, f"/{made.public_id}", same | {"name": "renamed", "region": "eu-1"})[0] == 302
    changed = row("renamed")
    assert (changed.region, changed.checked_at, changed.check_error) == ("eu-1", None, "")
    assert (changed.access_key, backend_providers.secret_of(changed)) == ("AK", "hush-hush")
    assert changed.capabilities == {"versioning": True}
    assert ask(admin, f"/{made.public_id}", same | {"name": "renamed", "secret_key": "new"})[0] == 302
    assert backend_providers.secret_of(row("renamed")) == "new"


def test_its_test_says_what_is_wrong(admin: Principal) -> None:
    made = add(admin)
    with platform_scope("tests"):
        Backend.objects.filter(pk=made.pk).update(endpoint="http://127.0.0.1:1", may_be_private=True)
    client = Client()
    client.force_login(admin.user)  # type: ignore[arg-type]
    answer = client.post(f"{AT}/{made.public_id}/test", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert "nothing listens there" in answer.content.decode()


def test_a_test_without_credentials_says_so(admin: Principal) -> None:
    made = add(admin, secret_key="")
    assert "It has no credentials" in backends.check_backend(made, actor=admin).check_error


def test_what_holds_a_bucket_stays(admin: Principal) -> None:
    made = add(admin)
    with tenant_scope(admin.tenant.pk):
        buckets.create_bucket("docs", backend="far", actor=admin)
    status, text = ask(admin, f"/{made.public_id}/delete", {})
    assert (status, "still holds buckets" in text) == (409, True)
    with tenant_scope(admin.tenant.pk):
        buckets.delete_bucket(buckets.get_bucket("docs", actor=admin), actor=admin)
    with platform_scope("tests"):
        row("far").placements.all().delete()
    assert ask(admin, f"/{made.public_id}/delete", {})[0] == 302
    assert "far" not in ask(admin)[1]


def test_what_all_tenants_share_is_changed_by_staff_alone(admin: Principal) -> None:
    staff = factories.staff()
    with platform_scope("tests"):
        made = backends.create_backend(
            "shared", endpoint="https://s3.example.org", access_key="AK", shared=True, actor=staff
        )
    status, text = ask(admin, f"/{made.public_id}")
    assert (status, "Only the platform's staff" in text, "Secret access key" in text) == (200, True, False)
    for path in ("", "/test", "/delete"):
        assert ask(admin, f"/{made.public_id}{path}", {"name": "mine"})[0] == 403
    assert ask(admin, "/new", NEW | {"shared": "on"})[0] == 302
    assert row("far").tenant_id == admin.tenant.pk
    assert ask(factories.member(factories.tenant()), f"/{row('far').public_id}")[0] == 404


def test_our_own_store_has_a_name_and_no_connection(admin: Principal) -> None:
    status, text = ask(admin, f"/{row('local').public_id}")
    assert (status, "Endpoint" in text, "What it can" in text) == (200, False, False)


def test_staff_say_where_our_own_store_is(admin: Principal) -> None:
    staff, path = factories.staff(), f"/{row('local').public_id}"
    assert ask(staff, path, {"name": "local", "region": "eu-central-1", "is_default": "on"})[0] == 302
    assert row("local").region == "eu-central-1"
    assert ask(admin, path, {"name": "local", "region": "us-east-1"})[0] == 403
    assert "eu-central-1" in ask(admin)[1]


def test_a_bucket_there_says_what_its_backend_lacks(admin: Principal) -> None:
    add(admin)
    with tenant_scope(admin.tenant.pk):
        made = buckets.create_bucket("docs", backend="far", actor=admin)
    client = Client()
    client.force_login(admin.user)  # type: ignore[arg-type]
    untested = client.get("/app/buckets/docs/settings").content.decode()
    assert untested.count("can is not known before a connection test") == 3
    with platform_scope("tests"):
        Backend.objects.filter(name="far").update(capabilities={"versioning": True})
    told = client.get("/app/buckets/docs/settings").content.decode()
    assert "keeps no versions" not in told
    assert "where the objects lie, cannot lock versions." in told and "does not encrypt by itself." in told
    answer = client.post(
        f"/app/buckets/{made.name}/settings/encryption",
        {"encryption": "AES256"},
        headers={"HX-Request": "true"},
    )
    assert answer.status_code == 422 and "does not encrypt by itself." in answer.content.decode()
