"""The page of an object, and the level that lists it."""

from __future__ import annotations

import html
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.db.scope import tenant_scope
from storage.models import Object, ObjectVersion
from storage.pages import details
from storage.services import backends, buckets
from tenants.principal import Principal
from tests import factories
from tests.factories import browser

from .test_api import make_object

pytestmark = pytest.mark.django_db

AT = "/app/buckets/docs"
KEY = "a b/ü & <i>.txt"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin() -> Principal:
    backends.ensure_default_backends()
    who = factories.member(factories.tenant())
    with tenant_scope(who.tenant.pk):
        buckets.create_bucket("docs", object_lock=True, actor=who)
    for body in (b"1", b"22"):
        make_object(who.tenant, "docs", KEY, body)
    return who


def get(who: Principal, path: str = "", **query: str) -> tuple[int, str]:
    answer = browser(who).get(f"{AT}{path}?{urlencode(query)}")
    return answer.status_code, html.unescape(answer.content.decode())


def post(who: Principal, path: str, values: dict[str, Any], **query: str) -> tuple[int, str]:
    answer = browser(who).post(f"{AT}{path}?{urlencode({'key': KEY, **query})}", values, headers=HTMX)
    return answer.status_code, html.unescape(answer.content.decode())


def older(who: Principal) -> str:
    with tenant_scope(who.tenant.pk):
        return str(ObjectVersion.objects.get(size=1).version_id)


def test_an_object_with_its_versions(admin: Principal) -> None:
    status, text = get(admin, "/object", key=KEY)
    assert status == 200
    assert f"s3://docs/{KEY}" in text
    assert text.count("Delete the version of") >= 2
    assert "data-preview" in text
    status, text = get(admin, "/object", key=KEY, version=older(admin))
    assert (status, "Older version" in text, "Make it the current one" in text) == (200, True, True)
    assert get(admin, "/object", key="gone")[0] == 404
    viewer = factories.member(admin.tenant, "viewer")
    status, text = get(viewer, "/object", key=KEY)
    assert (status, "Save tags" in text, "Legal hold" in text, 'value="delete"' in text) == (
        200,
        False,
        False,
        False,
    )


def test_a_pdf_opens_beside_the_page_as_nothing_else(admin: Principal) -> None:
    make_object(admin.tenant, "docs", "a.pdf", kind="application/octet-stream")
    assert "/object/open?key=a.pdf" in get(admin, "/object", key="a.pdf")[1]
    answer = browser(admin).get(f"{AT}/object/open?key=a.pdf")
    assert answer.status_code == 302
    assert "/s3/docs/a.pdf?" in answer["Location"]
    assert "response-content-type=application%2Fpdf" in answer["Location"]
    assert get(admin, "/object/open", key=KEY)[0] == 404


def test_the_newest_of_many_versions(admin: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "All versions" not in get(admin, "/object", key=KEY)[1]
    monkeypatch.setattr(details, "MOST_VERSIONS", 1)
    status, text = get(admin, "/object", key=KEY)
    assert (status, "All versions" in text, text.count("Delete the version of")) == (200, True, 2)


def test_the_level_with_and_without_versions(admin: Principal) -> None:
    make_object(admin.tenant, "docs", "top")
    status, text = get(admin)
    assert (status, "a b/" in text, "Show versions" in text) == (200, True, True)
    status, text = get(admin, prefix="a b/", versions="1")
    assert (text.count("Current<"), text.count("Older<")) == (1, 1)


def test_tags_lock_and_share(admin: Principal) -> None:
    status, text = post(admin, "/object/change", {"do": "tags", "tags": "kind=x"})
    assert (status, "kind=x" in text) == (200, True)
    status, text = post(admin, "/object/change", {"do": "tags", "tags": "nonsense"})
    assert (status, "nonsense" in text, "Line 1 is not" in text) == (422, True, True)
    lock = {"do": "retain", "mode": "GOVERNANCE", "until": "2000-01-01T00:00"}
    status, text = post(admin, "/object/change", lock)
    assert (status, "It is over." in text) == (422, True)
    status, text = post(admin, "/object/change", lock | {"until": "2100-01-01T00:00"})
    assert (status, "Locked until 2100-01-01" in text) == (200, True)
    assert post(admin, "/object/change", {"do": "hold"})[0] == 200
    with tenant_scope(admin.tenant.pk):
        assert Object.objects.get().lock.keys() == {"mode", "until", "hold"}
    assert post(admin, "/object/change", {"do": "unlock"})[0] == 200
    assert post(admin, "/object/change", {"do": "release"})[0] == 200
    with tenant_scope(admin.tenant.pk):
        assert Object.objects.get().lock == {"hold": False}
    status, text = post(admin, "/object/share", {"lasts": "43200", "kind": "saves"})
    assert (status, "X-Amz-Expires=43200" in text, "response-content-disposition" in text) == (
        200,
        True,
        True,
    )
    status, text = post(admin, "/object/share", {"lasts": "86400", "kind": "opens"})
    assert (status, "12 hours at most." in text) == (422, True)
    assert post(admin, "/object/share", {"lasts": "99999"})[0] == 422
    status, text = post(admin, "/object/share", {"lasts": "86400"})
    assert (status, "/app/shared/" in text, "1 link to this object works" in text) == (200, True, True)
    assert post(admin, "/object/change", {"do": "fly"})[0] == 404


def test_deleted_and_brought_back(admin: Principal) -> None:
    assert post(admin, "/object/change", {"do": "delete"})[0] == 204
    status, text = get(admin, "/object", key=KEY)
    assert (status, "Undelete" in text) == (200, True)
    assert "Delete a b/" not in text  # nor is it asked whether to
    assert post(admin, "/object/change", {"do": "undelete"})[0] == 204
    assert post(admin, "/object/change", {"do": "delete"}, version=older(admin))[0] == 204
    with tenant_scope(admin.tenant.pk):
        assert Object.objects.get().size == 2


def test_many_deleted_by_scripts(admin: Principal) -> None:
    def ask(body: Any) -> tuple[int, Any]:
        answer = browser(admin).post(f"{AT}/delete-objects", json.dumps(body), "application/json")
        return answer.status_code, answer.json()

    assert ask({"prefix": "a b/", "after": None}) == (200, {"deleted": 1, "refused": [], "next": None})
    for wrong in ({}, {"keys": "x"}, {"keys": [1]}, {"prefix": "a", "after": [1]}):
        assert ask(wrong)[0] == 400, wrong


def test_links_of_an_upload_in_parts(admin: Principal) -> None:
    def ask(**body: Any) -> tuple[int, Any]:
        sent = json.dumps({"key": "big", **body})
        answer = browser(admin).post(f"{AT}/links", sent, "application/json")
        return answer.status_code, answer.json().get("url", "")

    assert "uploads=" in ask(method="create")[1]
    assert "partNumber=2&uploadId=x" in ask(method="part", upload="x", part=2)[1]
    assert "uploadId=x" in ask(method="complete", upload="x")[1]
    for wrong in ({"method": "part", "upload": "x", "part": 0}, {"method": "abort"}, {"method": "PATCH"}):
        assert ask(**wrong)[0] == 400, wrong


def test_what_cannot_be_seen_of_a_key_is_shown(admin: Principal) -> None:
    for key in ("\u202egpj.exe", "a\nb", " lead"):
        make_object(admin.tenant, "docs", key)
    _, text = get(admin)
    assert all(shown in text for shown in ("\u27e8202E\u27e9gpj.exe", "a\u240ab", "\u2420lead"))


def test_what_is_gone_leads_to_what_is_there(admin: Principal) -> None:
    status, text = get(admin, "/object", key="a b/gone.txt")
    assert (status, "No such object." in text, 'href="/app/buckets/docs?prefix=a+b%2F"' in text) == (
        404,
        True,
        True,
    )
    status, text = get(admin, "/object", key=KEY, version="gone")
    assert (status, "Its current version" in text) == (404, True)
    answer = browser(admin).get("/app/buckets/gone")
    assert (answer.status_code, "To Buckets" in answer.content.decode()) == (404, True)


def test_a_viewer_sees_what_a_viewer_may_do(admin: Principal) -> None:
    viewer = factories.member(admin.tenant, "viewer")
    _, text = get(viewer, prefix="a b/")
    assert "Copy share links" in text and "Delete chosen" not in text and "data-key=" in text
    _, text = get(viewer, "/object", key=KEY)
    assert "It has no tags." in text and "Save tags" not in text and "Make a link" in text
    _, text = get(viewer, "/settings")
    assert "You may look at the settings." in text and ">Save<" not in text
