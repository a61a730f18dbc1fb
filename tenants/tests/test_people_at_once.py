"""People who do the same thing at the same moment, on connections of their own."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, transaction

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import DomainError
from tenants.models import Membership, Role, User
from tenants.principal import Principal
from tenants.services import invitations, passwords, quotas, roles, users
from tests import factories
from tests.factories import PASSWORD

from .post import letters, token_in

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*works: Callable[[], Any]) -> list[str]:
    """How each ended: "" or the code of its refusal."""
    barrier, ended = Barrier(len(works)), [""] * len(works)

    def run(number: int, work: Callable[[], Any]) -> None:
        try:
            barrier.wait(10)
            work()
        except DomainError as error:
            ended[number] = error.code
        except BaseException as error:
            ended[number] = repr(error)
        finally:
            connection.close()

    threads = [Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return ended


def membership(who: Principal) -> Membership:
    with platform_scope("test"):
        rows = Membership.objects.select_related("user", "role", "tenant")
        found: Membership = rows.get(user=who.user, tenant=who.tenant)
        return found


def test_two_owners_who_unmake_each_other_leave_one() -> None:
    tenant = factories.tenant()
    one, other = factories.member(tenant, "owner"), factories.member(tenant, "owner")
    mine, theirs = membership(one), membership(other)
    ended = at_once(
        lambda: users.assign_role(theirs, "admin", actor=one),
        lambda: users.deactivate_user(mine, actor=other),
    )
    assert sorted(ended) == ["", "last_owner"]


def test_a_link_used_twice_at_once_lets_one_in() -> None:
    admin = factories.member(factories.tenant())
    invitations.invite(admin.tenant, "a@b.org", actor=admin)
    token = token_in(letters()[-1])
    ended = at_once(
        *(
            lambda name=name: invitations.accept(token, invitations.NewAccount(name, PASSWORD), ip=None)
            for name in ("ann", "bob", "cy")
        )
    )
    assert sorted(ended) == ["", "invitation_accepted", "invitation_accepted"]
    with platform_scope("test"):
        assert User.objects.filter(username__in=["ann", "bob", "cy"]).count() == 1


def test_the_last_place_is_taken_once() -> None:
    admin = factories.member(factories.tenant())
    with platform_scope("test"), transaction.atomic():
        quotas.set_limits(admin.tenant, {"users": 2}, actor=factories.staff())
    tokens = []
    for name in ("a", "b"):
        invitations.invite(admin.tenant, f"{name}@example.org", actor=admin)
        tokens.append(token_in(letters()[-1]))
    ended = at_once(
        lambda: invitations.accept(tokens[0], invitations.NewAccount("ann", PASSWORD), ip=None),
        lambda: invitations.accept(tokens[1], invitations.NewAccount("bob", PASSWORD), ip=None),
        lambda: users.create_user(admin.tenant, "cy", password=None, role="viewer", actor=admin),
    )
    assert sorted(ended) == ["", "quota_exceeded", "quota_exceeded"]


def test_a_password_link_used_twice_at_once_sets_one_password() -> None:
    who = factories.member(factories.tenant(), "member")
    passwords.request_link(who.label)
    token = token_in(letters()[-1])
    chosen = ["Vw4!mountain-Lamp-quiet", "Qp7#river-Stone-evening"]
    ended = at_once(*(lambda text=text: passwords.confirm(token, text, ip=None) for text in chosen))
    assert sorted(ended) == ["", "token_invalid"]


def test_two_changes_that_would_close_a_circle_do_not() -> None:
    admin = factories.member(factories.tenant())
    one = roles.create_role(admin.tenant, "One", permissions=[], actor=admin)
    other = roles.create_role(admin.tenant, "Other", permissions=[], actor=admin)
    ended = at_once(
        lambda: roles.update_role(one, extends="other", actor=admin),
        lambda: roles.update_role(other, extends="one", actor=admin),
    )
    assert sorted(ended) == ["", "role_cycle"]


def test_a_role_is_not_deleted_while_it_is_given() -> None:
    admin = factories.member(factories.tenant())
    member = membership(factories.member(admin.tenant, "viewer"))
    role = roles.create_role(admin.tenant, "Clerk", permissions=[], actor=admin)
    ended = at_once(
        lambda: roles.delete_role(role, actor=admin),
        lambda: users.assign_role(member, "clerk", actor=admin),
    )
    assert sorted(ended) in (["", "role_in_use"], ["", "invalid"])


def test_an_heir_made_while_its_parent_changes_holds_what_the_parent_does() -> None:
    admin = factories.member(factories.tenant())
    parent = roles.create_role(admin.tenant, "Parent", permissions=[], actor=admin)
    ended = at_once(
        lambda: roles.update_role(parent, permissions=["audit.read"], actor=admin),
        lambda: roles.create_role(admin.tenant, "Heir", permissions=[], extends="parent", actor=admin),
    )
    assert ended == ["", ""]
    with tenant_scope(admin.tenant.pk):
        assert Role.objects.get(slug="heir").granted == ["audit.read"]
