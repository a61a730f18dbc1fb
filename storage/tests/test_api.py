"""storage/* of the API: who may do what, what comes back, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.db.scope import platform_scope, tenant_scope
from realtime.models import Event
from storage import models
from storage.services import backend_providers, backends, usage
from tenants.models import AuditEntry, Membership, Tenant
from tenants.principal import Principal
from tenants.services import principals
from tests import factories

pytestmark = pytest.mark.django_db

BACKENDS = "/api/v1/storage/backends"
BUCKETS, KEYS, OBJECTS = "/api/v1/storage/buckets", "/api/v1/storage/access-keys", "/api/v1/storage/objects"


@pytest.fixture
def admin() -> Principal:
    backends.ensure_default_backends()
    return factories.member(factories.tenant())


def make_object(
    tenant: Tenant, bucket: str, key: str, body: bytes = b"hello", kind: str = "text/plain"
) -> None:
    with tenant_scope(tenant.pk):
        row = models.Bucket.objects.get(name=bucket)
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT verdicts FROM storage_commit(%s, true, ARRAY[false], ARRAY[%s], ARRAY[%s], ARRAY[%s::bigint],"
                " ARRAY['e'], ARRAY[%s], ARRAY['{}'::jsonb], ARRAY['{}'::jsonb], ARRAY['{}'::jsonb],"
                " ARRAY[now()], ARRAY[NULL::text], ARRAY[%s::bytea], ARRAY['w'])",
                [tenant.pk, row.pk, key, len(body), kind, body],
            )


def test_a_bucket_from_birth_to_end(admin: Principal) -> None:
    api = factories.client(admin)
    made = api.post(BUCKETS, {"name": "docs"}, format="json")
    assert made.status_code == 201, made.json()
    bucket = made.json()["data"]
    assert (bucket["name"], bucket["backend"], bucket["ready"], bucket["error"]) == (
        "docs",
        "local",
        True,
        "",
    )
    assert [b["name"] for b in api.get(BUCKETS).json()["data"]] == ["docs"]
    assert api.get(f"{BUCKETS}/{bucket['id']}").json()["data"] == bucket
    again = api.post(BUCKETS, {"name": "docs"}, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "bucket_exists")
    assert api.delete(f"{BUCKETS}/{bucket['id']}").status_code == 204
    assert api.get(BUCKETS).json()["meta"]["total"] == 0
    with tenant_scope(admin.tenant.pk):
        kinds = list(Event.objects.filter(type__startswith="storage.").values_list("type", "subject"))
        actions = list(
            AuditEntry.objects.filter(action__startswith="storage.").values_list("action", flat=True)
        )
    assert kinds == [("storage.bucket.created", "docs"), ("storage.bucket.deleted", "docs")]
    assert sorted(actions) == ["storage.bucket.create", "storage.bucket.delete"]


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Docs",
        "a_b",
        "-ab",
        "ab-",
        "a..b",
        "192.168.0.1",
        "xn--ab",
        "ab-s3alias",
        "a/b",
        "ä-ö",
    ],
)
def test_what_is_no_bucket_name(admin: Principal, name: str) -> None:
    answer = factories.client(admin).post(BUCKETS, {"name": name}, format="json")
    assert answer.status_code == 400
    assert "name" in answer.json()["errors"]


@pytest.mark.parametrize("name", ["abc", "a.b-c.0", "0ab", "a" * 63])
def test_what_is_a_bucket_name(admin: Principal, name: str) -> None:
    assert factories.client(admin).post(BUCKETS, {"name": name}, format="json").status_code == 201


def test_a_policy_is_not_silently_left_out(admin: Principal) -> None:
    answer = factories.client(admin).post(BUCKETS, {"name": "docs", "policy": "eu-only"}, format="json")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["policy"]


def test_a_full_bucket_stays(admin: Principal) -> None:
    api = factories.client(admin)
    bucket = api.post(BUCKETS, {"name": "docs"}, format="json").json()["data"]
    make_object(admin.tenant, "docs", "k")
    refused = api.delete(f"{BUCKETS}/{bucket['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "bucket_not_empty")


def test_two_tenants_have_buckets_of_one_name_and_see_their_own(admin: Principal) -> None:
    other = factories.member(factories.tenant())
    made = factories.client(admin).post(BUCKETS, {"name": "docs"}, format="json").json()["data"]
    theirs = factories.client(other)
    assert theirs.get(BUCKETS).json()["data"] == []
    assert theirs.post(BUCKETS, {"name": "docs"}, format="json").status_code == 201
    assert theirs.get(f"{BUCKETS}/{made['id']}").status_code == 404
    assert theirs.delete(f"{BUCKETS}/{made['id']}").status_code == 404


def test_the_limit_of_buckets(admin: Principal) -> None:
    with tenant_scope(admin.tenant.pk):
        admin.tenant.quota.buckets = 1
        admin.tenant.quota.save()
    api = factories.client(admin)
    assert api.post(BUCKETS, {"name": "one"}, format="json").status_code == 201
    refused = api.post(BUCKETS, {"name": "two"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")


def test_an_access_key_is_shown_once(admin: Principal) -> None:
    api = factories.client(admin)
    issued = api.post(KEYS, {"name": "ci"}, format="json").json()["data"]
    assert issued["access_key_id"].startswith("GH")
    assert (len(issued["access_key_id"]), len(issued["secret_access_key"])) == (20, 40)
    listed = api.get(KEYS)
    assert issued["secret_access_key"] not in listed.content.decode()
    assert [k["access_key_id"] for k in listed.json()["data"]] == [issued["access_key_id"]]
    assert api.delete(f"{KEYS}/{issued['id']}").status_code == 204
    assert api.delete(f"{KEYS}/{issued['id']}").status_code == 204
    assert api.get(f"{KEYS}/{issued['id']}").json()["data"]["revoked_at"] is not None
    with platform_scope("tests"):
        everything = "".join(str(row) for row in [*AuditEntry.objects.values(), *Event.objects.values()])
    assert issued["secret_access_key"] not in everything


def test_a_member_sees_their_own_keys_an_admin_all(admin: Principal) -> None:
    member = factories.member(admin.tenant, "member")
    for who in (admin, member):
        assert factories.client(who).post(KEYS, {"name": "k"}, format="json").status_code == 201
    mine = factories.client(member).get(KEYS).json()["data"]
    assert [k["user"] for k in mine] == [member.label]
    everybodys = factories.client(admin).get(KEYS).json()["data"]
    assert {k["user"] for k in everybodys} == {admin.label, member.label}
    foreign = next(k["id"] for k in everybodys if k["user"] == admin.label)
    assert factories.client(member).delete(f"{KEYS}/{foreign}").status_code == 404


def test_a_narrowed_api_key_makes_no_wider_access_key(admin: Principal) -> None:
    api = factories.client(admin)
    body = {"name": "n", "permissions": ["storage.access_key.write", "storage.object.read"]}
    text = api.post("/api/v1/api-keys", body, format="json").json()["data"]["api_key"]
    narrow = factories.client(X_API_Key=text)
    assert narrow.post(KEYS, {"name": "k"}, format="json").status_code == 201
    key = api.get(KEYS).json()["data"][0]
    assert key["permissions"] == ["storage.access_key.write", "storage.object.read"]


def test_objects_are_listed_in_byte_order_and_pages(admin: Principal) -> None:
    api = factories.client(admin)
    api.post(BUCKETS, {"name": "docs"}, format="json")
    for key in ("b", "a", "a/x", "ä", "B", "a b"):
        make_object(admin.tenant, "docs", key)
    listed = api.get(OBJECTS, {"bucket": "docs", "per_page": "4"}).json()
    assert [o["key"] for o in listed["data"]] == ["B", "a", "a b", "a/x"]
    assert listed["meta"] == {"page": 1, "per_page": 4, "total": 6}
    assert [
        o["key"] for o in api.get(OBJECTS, {"bucket": "docs", "per_page": "4", "page": "2"}).json()["data"]
    ] == ["b", "ä"]
    assert [o["key"] for o in api.get(OBJECTS, {"bucket": "docs", "prefix": "a"}).json()["data"]] == [
        "a",
        "a b",
        "a/x",
    ]
    assert api.get(OBJECTS, {"bucket": "none"}).json()["code"] == "no_such_bucket"
    assert api.get(OBJECTS).status_code == 400
    assert api.get(OBJECTS, {"bucket": "docs", "prefix": "\0"}).status_code == 400


def test_an_object_is_deleted_once(admin: Principal) -> None:
    api = factories.client(admin)
    api.post(BUCKETS, {"name": "docs"}, format="json")
    make_object(admin.tenant, "docs", "a/ü")
    asked = "?bucket=docs&key=a%2F%C3%BC"
    assert api.delete(OBJECTS + asked).status_code == 204
    gone = api.delete(OBJECTS + asked)
    assert (gone.status_code, gone.json()["code"]) == (404, "no_such_key")
    with tenant_scope(admin.tenant.pk):
        last = Event.objects.last()
        assert last is not None
        assert (last.type, last.subject, last.actor) == ("storage.object.deleted", "docs/a/ü", admin.label)
        assert AuditEntry.objects.filter(action="storage.object.delete", target="docs/a/ü").count() == 1
        assert usage.of_tenant(admin.tenant.pk)["objects"] == 0
        assert usage.recount(admin.tenant.pk)


def test_links_are_signed_for_what_the_caller_may(admin: Principal) -> None:
    api = factories.client(admin)
    api.post(BUCKETS, {"name": "docs"}, format="json")
    make_object(admin.tenant, "docs", "a b/ü")
    asked: dict[str, Any] = {"bucket": "docs", "key": "a b/ü", "expires_in": 60}
    link = api.post(f"{OBJECTS}/links", asked, format="json").json()["data"]
    parts = urlsplit(link["url"])
    assert (link["method"], parts.netloc, parts.path) == ("GET", "testserver", "/s3/docs/a%20b/%C3%BC")
    query = parse_qs(parts.query)
    assert query["X-Amz-Expires"] == ["60"]
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert api.get(KEYS).json()["data"] == []  # the key that signs is not shown
    put = api.post(f"{OBJECTS}/links", asked | {"method": "PUT", "key": "new"}, format="json")
    assert put.status_code == 201
    missing = api.post(f"{OBJECTS}/links", asked | {"key": "none"}, format="json")
    assert missing.status_code == 404
    viewer = factories.client(factories.member(admin.tenant, "viewer"))
    assert viewer.post(f"{OBJECTS}/links", asked, format="json").status_code == 201
    assert viewer.post(f"{OBJECTS}/links", asked | {"method": "PUT"}, format="json").status_code == 403


TABLE = [
    ("get", BUCKETS, {}, {"viewer": 200, "member": 200, "admin": 200}),
    ("post", BUCKETS, {"name": "mine"}, {"viewer": 403, "member": 201, "admin": 201}),
    ("get", KEYS, {}, {"viewer": 403, "member": 200, "admin": 200}),
    ("post", KEYS, {"name": "k"}, {"viewer": 403, "member": 201, "admin": 201}),
    ("get", BACKENDS, {}, {"viewer": 403, "member": 403, "admin": 200}),
    ("post", BACKENDS, {"name": "x", "region": "eu-west-1"}, {"viewer": 403, "member": 403, "admin": 201}),
    ("post", BACKENDS, {"name": "x", "region": "eu-west-1", "shared": True}, {"admin": 403}),
    ("post", BACKENDS, {"name": "x", "kind": "local"}, {"admin": 403}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "role", "status"),
    [(m, p, b, role, status) for m, p, b, by_role in TABLE for role, status in by_role.items()],
)
def test_who_may(
    admin: Principal, method: str, path: str, body: dict[str, Any], role: str, status: int
) -> None:
    api = factories.client(factories.member(admin.tenant, role))
    answer = getattr(api, method)(path, body, format="json") if method != "get" else api.get(path)
    assert answer.status_code == status, answer.json()
    assert getattr(factories.client(), method)(path).status_code == 401


def test_a_backends_secret_is_never_told(admin: Principal) -> None:
    api = factories.client(admin)
    body = {
        "name": "far",
        "endpoint": "https://s3.example.org/",
        "region": "eu-1",
        "access_key": "AK",
        "secret_key": "hush-hush",
    }
    made = api.post(BACKENDS, body, format="json")
    assert made.status_code == 201
    backend = made.json()["data"]
    assert backend["endpoint"] == "https://s3.example.org"
    path = f"{BACKENDS}/{backend['id']}"
    api.patch(path, {"secret_key": "still-hush", "region": "eu-2"}, format="json")
    with tenant_scope(admin.tenant.pk):
        row = models.Backend.objects.get(name="far")
        assert backend_providers.secret_of(row) == "still-hush"
        assert b"hush" not in bytes(row.secret_sealed)
    with platform_scope("tests"):
        told = "".join(str(r) for r in [*AuditEntry.objects.values(), *Event.objects.values()])
    told += api.get(BACKENDS).content.decode() + made.content.decode()
    assert "hush" not in told
    clash = api.post(BACKENDS, body, format="json")
    assert (clash.status_code, clash.json()["errors"]) == (409, {"name": ["Taken."]})
    assert api.delete(path).status_code == 204


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"endpoint": "ftp://x.example"},
        {"endpoint": "https://x.example/path"},
        {"endpoint": "nonsense"},
        {"endpoint": "https://[::1"},
        {"endpoint": "https://x.example:99999"},
        {"endpoint": "https://ann@x.example"},
        {"endpoint": "https://x.example#y"},
        {"endpoint": "http://127.0.0.1:6379"},
        {"endpoint": "http://localhost:8080"},
        {"endpoint": "http://[::ffff:127.0.0.1]:1"},
        {"endpoint": "http://0.0.0.0"},
        {"endpoint": "http://2130706433"},
        {"endpoint": "http://169.254.169.254"},
        {"region": "x@127.0.0.1:6379/"},
        {"endpoint": "https://x.example", "kind": "tape"},
        {"endpoint": "https://x.example", "name": "Bad Name"},
    ],
)
def test_what_is_no_backend(admin: Principal, wrong: dict[str, str]) -> None:
    answer = factories.client(admin).post(BACKENDS, {"name": "x"} | wrong, format="json")
    assert answer.status_code == 400, answer.json()


def test_staff_manage_shared_backends_and_tenants_see_them(admin: Principal) -> None:
    staff = factories.client(factories.staff())
    body = {"name": "far", "region": "eu-west-1", "shared": True, "is_default": True}
    made = staff.post(BACKENDS, body, format="json")
    assert made.status_code == 201, made.json()
    api = factories.client(admin)
    assert {b["name"]: b["is_default"] for b in api.get(BACKENDS).json()["data"]} == {
        "far": True,
        "local": False,
    }
    path = f"{BACKENDS}/{made.json()['data']['id']}"
    assert api.patch(path, {"is_default": False}, format="json").status_code == 403
    assert api.delete(path).status_code == 403
    assert api.post(BUCKETS, {"name": "docs", "backend": "local"}, format="json").status_code == 201
    assert api.post(BUCKETS, {"name": "docs2", "backend": "none"}, format="json").status_code == 400


def test_what_ends_with_the_membership(
    admin: Principal, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    """Listing costs the same for one bucket and for many."""
    api = factories.client(admin)
    for n in range(20):
        api.post(BUCKETS, {"name": f"bucket-{n}"}, format="json")
    with django_assert_max_num_queries(12):
        assert len(api.get(BUCKETS).json()["data"]) == 20
    with platform_scope("tests"):
        Membership.objects.filter(user=admin.user).update(is_active=False)
    principals.cache.clear()  # which the verb does
    assert api.get(BUCKETS).status_code in (401, 403, 404)
