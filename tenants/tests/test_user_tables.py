"""Users in bulk: what goes out, what comes in, and that a table is taken as a whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from gateway import tables
from gateway.db.scope import platform_scope, tenant_scope
from realtime.models import Event
from tenants.models import AuditEntry, Invitation, Mail, Membership, User
from tenants.principal import Principal
from tests import factories
from tests.factories import client

from .post import letters

pytestmark = pytest.mark.django_db
API = "/api/v1/"
HEAD = "username,email,name,role,active,nexusgate_user_id\n"


@pytest.fixture
def admin() -> Principal:
    return factories.member(factories.tenant(), username="the-admin")


def take(admin: Principal, text: str, dry_run: bool = False) -> Any:
    where = f"{API}users/import?dry_run={str(dry_run).lower()}"
    return client(admin).post(where, text.encode(), content_type="text/csv")


def outcomes(answer: Any) -> list[tuple[int, str, str]]:
    assert answer.status_code == 200, answer.content
    return [(row["row"], row["subject"], row["outcome"]) for row in answer.json()["data"]]


def everything() -> list[int]:
    with platform_scope("test"):
        models = (User, Membership, Invitation, Mail, AuditEntry, Event)
        return [model.objects.count() for model in models]


TABLE = HEAD + "ann,ann@example.org,Ann,viewer,true,ng-1\nbob,,,,,\nout,,,,no,\n,cy@example.org,Cy,viewer,,\n"


def test_users_come_in_invited_or_without_a_password(admin: Principal) -> None:
    told = outcomes(take(admin, TABLE))
    assert told == [
        (2, "ann", "created"),
        (3, "bob", "created"),
        (4, "out", "created"),
        (5, "cy@example.org", "invited"),
    ]
    with tenant_scope(admin.tenant.pk):
        ann = Membership.objects.select_related("user", "role").get(user__username="ann")
        assert (ann.role.slug, ann.user.nexusgate_user_id, ann.user.name) == ("viewer", "ng-1", "Ann")
        assert not ann.user.has_usable_password()
        assert not Membership.objects.get(user__username="out").is_active
        assert Invitation.objects.get(role__slug="viewer").state == "pending"
    assert [letter.to for letter in letters()] == [["cy@example.org"]]


def test_a_dry_run_tells_the_same_and_changes_nothing(admin: Principal) -> None:
    before = everything()
    told = outcomes(take(admin, TABLE, dry_run=True))
    assert everything() == before and letters() == []
    assert outcomes(take(admin, TABLE)) == told


def test_what_went_out_comes_in_and_changes_nothing(admin: Principal) -> None:
    take(admin, TABLE)
    before = everything()
    out = client(admin).get(API + "users/export.csv")
    assert out["Content-Type"].startswith("text/csv") and "argon2" not in out.content.decode()
    assert {outcome for _, _, outcome in outcomes(take(admin, out.content.decode()))} == {"unchanged"}
    assert outcomes(take(admin, HEAD + ",cy@example.org,,viewer,,\n")) == [(2, "cy@example.org", "unchanged")]
    rows = client(admin).get(API + "users/export.json").json()["data"]
    assert {row["username"] for row in rows} == {"the-admin", "ann", "bob", "out"}
    again = client(admin).post(API + "users/import", {"users": rows}, format="json")
    assert {outcome for _, _, outcome in outcomes(again)} == {"unchanged"}
    assert everything() == before


def test_present_members_are_changed(admin: Principal) -> None:
    take(admin, TABLE)
    told = outcomes(take(admin, "username,role,active\nANN,member,\nbob,,no\nout,,yes\n"))
    assert [outcome for _, _, outcome in told] == ["updated"] * 3
    with tenant_scope(admin.tenant.pk):
        assert Membership.objects.get(user__username="ann").role.slug == "member"
        assert not Membership.objects.get(user__username="bob").is_active
        assert Membership.objects.get(user__username="out").is_active


def test_one_bad_row_keeps_all_others_out_and_every_bad_row_is_named(admin: Principal) -> None:
    foreign = factories.member(factories.tenant())
    table = HEAD + (
        "ann,,,,,\n"
        "a b,,,,,\n"
        f"{foreign.label},,,,,\n"
        "bob,,,no-such,,\n"
        "cy,nothing,,,,\n"
        "dan,,,,perhaps,\n"
        "ANN,,,,,\n"
        ",,Nobody,,,\n"
        ",e@example.org,,,no,\n"
        "the-admin,,,viewer,no,\n"
    )
    before = everything()
    answer = take(admin, table)
    assert (answer.status_code, answer.json()["code"]) == (400, "rows_refused")
    assert answer.json()["errors"].keys() == {
        "3.username",
        "4.username",
        "5.role",
        "6.email",
        "7.active",
        "8.username",
        "9.username",
        "10.active",
        "11",
    }
    assert everything() == before
    told = outcomes(take(admin, table, dry_run=True))
    assert [outcome for _, _, outcome in told] == ["created", *["refused"] * 9]
    assert everything() == before


def test_nobody_imports_more_than_they_hold(admin: Principal) -> None:
    client(admin).post(
        API + "roles", {"name": "Clerk", "permissions": ["user.read", "user.write"]}, format="json"
    )
    clerk = factories.member(admin.tenant, "clerk")
    answer = take(clerk, "username,role\nx,admin\n")
    assert (answer.status_code, answer.json()["code"]) == (400, "rows_refused")
    viewer = factories.member(admin.tenant, "viewer")
    assert take(viewer, TABLE).status_code == client(viewer).get(API + "users/export.csv").status_code == 403


def test_the_limit_of_users_holds_for_a_table_too(admin: Principal) -> None:
    path = f"{API}tenants/{admin.tenant.public_id}"
    client(factories.staff()).patch(path, {"limits": {"users": 2}}, format="json")
    before = everything()
    answer = take(admin, "username\na\nb\n")
    assert answer.status_code == 400 and answer.json()["errors"].keys() == {"3"}
    assert everything() == before


def test_formulas_are_harmless_and_come_back_as_they_were(admin: Principal) -> None:
    evil = {"users": [{"username": "+cmd", "name": "=HYPERLINK(1)"}, {"username": "@x", "name": "-1+1"}]}
    assert client(admin).post(API + "users/import", evil, format="json").status_code == 200
    text = client(admin).get(API + "users/export.csv").content.decode()
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert "'=HYPERLINK(1)" in cells and "'+cmd" in cells
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    assert {outcome for _, _, outcome in outcomes(take(admin, text))} == {"unchanged"}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("", "text/csv", 400),
        ("name;colour\n", "text/csv", 400),
        ("username,username\na,b\n", "text/csv", 400),
        ("username\n" + "a\n" * (tables.MOST_ROWS + 1), "text/csv", 400),
        ("username\n\xff", "text/csv", 400),
        ("x" * (3 << 20), "text/csv", 413),
        ('{"users": [1]}', "application/json", 400),
        ('{"users": [{"colour": "red"}]}', "application/json", 400),
        ('{"users": [], "mode": "x"}', "application/json", 400),
        ("[]", "application/json", 400),
        ("<x/>", "application/xml", 415),
    ],
)
def test_what_is_no_table(admin: Principal, body: str, content_type: str, status: int) -> None:
    answer = client(admin).post(API + "users/import", body.encode("latin-1"), content_type=content_type)
    assert answer.status_code == status, answer.content


def test_a_dry_run_is_true_or_false(admin: Principal) -> None:
    answer = client(admin).post(
        API + "users/import?dry_run=perhaps", b"username\nx\n", content_type="text/csv"
    )
    assert answer.status_code == 400 and "dry_run" in answer.json()["errors"]


def test_the_page_looks_first(admin: Principal) -> None:
    browser = Client()
    browser.force_login(admin.user)  # type: ignore[arg-type]

    def send(name: str, content: str, do: str) -> Any:
        file = SimpleUploadedFile(name, content.encode())
        return browser.post("/app/members/import", {"file": file, "do": do})

    before = everything()
    looked = send("users.csv", "username\nann\n", "look")
    assert looked.status_code == 200 and "created" in looked.content.decode() and everything() == before
    refused = send("users.csv", "username\na b\n", "import")
    assert refused.status_code == 422 and "cannot be taken" in refused.content.decode()
    assert send("users.json", "{broken", "look").status_code == 422
    assert everything() == before
    done = send("users.json", json.dumps([{"username": "ann"}]), "import")
    assert done.status_code == 200 and "is taken in" in done.content.decode()
    with tenant_scope(admin.tenant.pk):
        assert Membership.objects.filter(user__username="ann").exists()
    assert browser.get("/app/members/export.csv").content.decode().startswith("username,")
