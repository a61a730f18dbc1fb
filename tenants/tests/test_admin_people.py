"""People in the admin: every change goes through the verbs, and what they refuse stands in the form."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from gateway.db.scope import platform_scope
from tenants.models import AuditEntry, Invitation, Mail, Membership, Role, User
from tenants.principal import Principal
from tests import factories

from .post import letters

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    browser = Client()
    browser.force_login(factories.staff().user)  # type: ignore[arg-type]
    return browser


@pytest.fixture
def person() -> Principal:
    return factories.member(factories.tenant(), "member")


def act(browser: Client, model: str, name: str, *rows: int) -> str:
    form = {"action": name, "_selected_action": [str(row) for row in rows]}
    answer = browser.post(f"/admin/tenants/{model}/", form, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_every_list_and_row_is_shown(staff: Client, person: Principal) -> None:
    with platform_scope("test"):
        from tenants.services import invitations, roles

        root = factories.staff()
        invited = invitations.invite(person.tenant, "a@b.org", actor=root)
        role = roles.create_role(person.tenant, "Clerk", permissions=["user.read"], actor=root)
        sent = Mail.objects.get()
        membership = Membership.objects.get(user=person.user)
    assert person.user is not None
    rows = {"user": person.user.pk, "membership": membership.pk, "role": role.pk, "invitation": invited.pk}
    for model, pk in {**rows, "mail": sent.pk}.items():
        assert staff.get(f"/admin/tenants/{model}/").status_code == 200
        shown = staff.get(f"/admin/tenants/{model}/{pk}/change/")
        assert shown.status_code == 200
        assert "app/invitations/" not in shown.content.decode()
    for model in ("user", "role", "invitation"):
        assert staff.get(f"/admin/tenants/{model}/add/").status_code == 200
        as_json = staff.get(f"/admin/tenants/{model}/{rows[model]}/json/")
        assert as_json["Content-Type"] == "application/json" and "password" not in as_json.content.decode()


def test_a_user_is_made_without_a_password_and_changed(staff: Client, person: Principal) -> None:
    form = {"username": "ext", "email": "ext@example.org", "tenant": person.tenant.pk, "role": "viewer"}
    assert staff.post("/admin/tenants/user/add/", form).status_code == 302
    refused = staff.post("/admin/tenants/user/add/", form | {"username": "ex2"})
    assert (
        "A member has this address" in refused.content.decode()
        or "Taken in this tenant" in refused.content.decode()
    )
    with platform_scope("test"):
        ext = User.objects.get(username="ext")
        assert not ext.has_usable_password()
    changed = staff.post(
        f"/admin/tenants/user/{ext.pk}/change/", _inline({"email": "n@example.org", "name": "N"})
    )
    assert changed.status_code == 302, changed.content.decode()[-3000:]
    with platform_scope("test"):
        ext.refresh_from_db()
        assert (ext.email, ext.name, ext.nexusgate_user_id) == ("n@example.org", "N", None)
        assert AuditEntry.objects.filter(action="tenants.user.update", tenant=person.tenant).exists()


def _inline(form: dict[str, Any]) -> dict[str, Any]:
    empty = {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0", "MIN_NUM_FORMS": "0", "MAX_NUM_FORMS": "0"}
    return form | {f"memberships-{name}": value for name, value in empty.items()}


def test_a_person_gets_a_link_and_another_tenant(staff: Client, person: Principal) -> None:
    assert person.user is not None
    assert "on their way" in act(staff, "user", "send_link", person.user.pk)
    assert [letter.to for letter in letters()] == [[person.user.email]]
    other = factories.tenant()
    dialog = f"/admin/tenants/user/{person.user.pk}/add-to-tenant/"
    staff.post(dialog, {"tenant": other.pk, "role": "no-such"})
    with platform_scope("test"):
        assert not Membership.objects.filter(user=person.user, tenant=other).exists()
    staff.post(dialog, {"tenant": other.pk, "role": "viewer"})
    with platform_scope("test"):
        assert Membership.objects.get(user=person.user, tenant=other).role.slug == "viewer"


def test_members_are_deactivated_and_removed(staff: Client, person: Principal) -> None:
    with platform_scope("test"):
        membership = Membership.objects.get(user=person.user)
    act(staff, "membership", "deactivate", membership.pk)
    with platform_scope("test"):
        assert not Membership.objects.get(pk=membership.pk).is_active
    act(staff, "membership", "remove_from_tenant", membership.pk)
    with platform_scope("test"):
        assert not Membership.objects.filter(pk=membership.pk).exists()


def test_roles_are_made_changed_and_deleted(staff: Client, person: Principal) -> None:
    form = {"tenant": person.tenant.pk, "name": "Clerk", "slug": "clerk", "permissions": ["user.read"]}
    assert staff.post("/admin/tenants/role/add/", form).status_code == 302
    with platform_scope("test"):
        role = Role.objects.get(slug="clerk")
        builtin = Role.objects.get(slug="viewer", tenant=person.tenant)
    path = f"/admin/tenants/role/{role.pk}"
    refused = staff.post(
        f"{path}/change/", {"name": "Clerk", "permissions": ["user.read"], "parent": "clerk"}
    )
    assert "would extend itself" in refused.content.decode()
    changed = staff.post(f"{path}/change/", {"name": "Clerk", "permissions": [], "parent": "viewer"})
    assert changed.status_code == 302
    with platform_scope("test"):
        role.refresh_from_db()
        assert (role.permissions, role.base) == ([], "viewer")
    assert staff.post(f"/admin/tenants/role/{builtin.pk}/delete/", {"post": "yes"}).status_code == 403
    assert staff.post(f"{path}/delete/", {"post": "yes"}).status_code == 302
    with platform_scope("test"):
        assert not Role.objects.filter(slug="clerk").exists()


def test_invitations_are_sent_sent_again_and_taken_back(staff: Client, person: Principal) -> None:
    form = {"tenant": person.tenant.pk, "email": "a@b.org", "name": "", "offered": "viewer"}
    assert staff.post("/admin/tenants/invitation/add/", form).status_code == 302
    again = staff.post("/admin/tenants/invitation/add/", form)
    assert "Invited already" in again.content.decode()
    with platform_scope("test"):
        invitation = Invitation.objects.get()
    act(staff, "invitation", "send_again", invitation.pk)
    act(staff, "invitation", "revoke", invitation.pk)
    with platform_scope("test"):
        assert Invitation.objects.get().state == "revoked"
        assert Mail.objects.count() == 2
        act(staff, "mail", "send_now", *Mail.objects.values_list("pk", flat=True))


def test_users_come_and_go_as_a_file(staff: Client, person: Principal) -> None:
    def send(do: str, content: str = "username\nann\n") -> Any:
        file = SimpleUploadedFile("users.csv", content.encode())
        return staff.post(
            "/admin/tenants/membership/bulk/", {"tenant": person.tenant.pk, "do": do, "file": file}
        )

    assert "nothing has changed" in send("look").content.decode()
    with platform_scope("test"):
        assert not User.objects.filter(username="ann").exists()
    assert send("import", "username\na b\n").status_code == 422
    assert "is taken in" in send("import").content.decode()
    assert "ann,,,member,True," in send("export").content.decode()
