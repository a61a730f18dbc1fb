"""Row security stands behind forgotten filters, for every tenant-scoped table."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.utils import ProgrammingError
from rest_framework.test import APIClient

from gateway.checks import policies_declared, policies_in_force, tenant_models
from gateway.db.scope import no_scope, platform_scope, tenant_scope
from tenants.models import AuditEntry, Domain, Membership, Role, Tenant, User
from tests import factories

pytestmark = pytest.mark.django_db


def raw(statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def test_raw_sql_in_a_tenants_scope_sees_no_foreign_row() -> None:
    one, other = factories.tenant(), factories.tenant()
    factories.member(one), factories.member(other)
    with tenant_scope(one.pk):
        assert raw("SELECT id FROM tenants_tenant") == [(one.pk,)]
        assert {t for (t,) in raw("SELECT tenant_id FROM tenants_membership")} == {one.pk}
        assert {t for (t,) in raw("SELECT tenant_id FROM tenants_auditentry")} == {one.pk}
        assert {t for (t,) in raw("SELECT tenant_id FROM realtime_event")} == {one.pk}
        assert not raw(f"SELECT 1 FROM tenants_role WHERE tenant_id = {other.pk}")
        names = {u for (u,) in raw("SELECT username FROM tenants_user")}
        assert names and all(str(n).startswith(one.slug) for n in names)


@pytest.mark.parametrize("model", tenant_models(), ids=lambda m: m._meta.label)
def test_without_a_scope_no_row_of_any_tenant_shows(model: type) -> None:
    factories.member(factories.tenant())
    with no_scope():
        assert raw(f"SELECT count(*) FROM {model._meta.db_table}") == [(0,)]  # type: ignore[attr-defined]


def test_a_write_for_another_tenant_is_refused() -> None:
    one, other = factories.tenant(), factories.tenant()
    with tenant_scope(one.pk):
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Domain.objects.create(tenant=other, hostname="taken.example.org")
        assert Role.objects.filter(tenant=other).update(name="x") == 0


def test_a_row_cannot_refer_to_another_tenants_row() -> None:
    one, other = factories.tenant(), factories.tenant()
    member = factories.member(one)
    with (
        platform_scope("even there"),
        pytest.raises(DatabaseError, match="same_tenant"),
        transaction.atomic(),
    ):
        Membership.objects.filter(user=member.user).update(role=Role.objects.get(tenant=other, slug="owner"))
        raw("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_rolled_back_scope_is_not_believed() -> None:
    one, other = factories.tenant(), factories.tenant()
    with tenant_scope(one.pk):
        assert raw("SELECT id FROM tenants_tenant") == [(one.pk,)]
        with pytest.raises(ZeroDivisionError), transaction.atomic(), tenant_scope(other.pk):
            assert raw("SELECT id FROM tenants_tenant") == [(other.pk,)]
            raise ZeroDivisionError
        assert raw("SELECT id FROM tenants_tenant") == [(one.pk,)]
    with tenant_scope(other.pk):
        assert raw("SELECT id FROM tenants_tenant") == [(other.pk,)]


def test_a_reset_role_fails_closed() -> None:
    with platform_scope("the widest"):
        raw("SELECT 1")
        with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
            cursor.execute("RESET ROLE; SELECT count(*) FROM tenants_tenant")


@pytest.mark.django_db(transaction=True)
def test_a_bare_thread_sees_nothing() -> None:
    factories.tenant()
    seen: list[int] = []

    def look() -> None:
        seen.append(Tenant.objects.count())
        connection.close()

    with platform_scope("of the test, not of the thread"):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [0]


def test_the_audit_log_cannot_be_changed_by_anybody() -> None:
    factories.tenant()
    with platform_scope("the widest"):
        for change in (
            lambda: AuditEntry.objects.update(action="x"),
            lambda: AuditEntry.objects.all().delete(),
        ):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                change()


def test_a_domain_says_nothing_of_other_tenants_users() -> None:
    one = factories.tenant()
    factories.member(factories.tenant())
    with tenant_scope(one.pk):
        assert User.objects.count() == 0


def test_every_tenant_table_is_protected() -> None:
    assert policies_declared(None) == []
    assert policies_in_force(None) == []


@pytest.mark.parametrize("table", ["django_session", "tenants_signin"])
def test_a_tenants_scope_shows_no_session_and_no_token(table: str) -> None:
    who = factories.member(factories.tenant())
    assert APIClient().login(username=who.label, password=factories.PASSWORD)
    login = {"username": who.label, "password": factories.PASSWORD}
    pair = APIClient().post("/api/v1/auth/login", login, format="json").json()["data"]
    assert (
        APIClient().post("/api/v1/auth/logout", {"refresh": pair["refresh"]}, format="json").status_code
        == 204
    )
    with platform_scope("test"):
        assert raw(f"SELECT 1 FROM {table}")
    with tenant_scope(who.tenant.pk):
        assert not raw(f"SELECT 1 FROM {table}")
    with no_scope():
        assert not raw(f"SELECT 1 FROM {table}")


def test_every_table_is_guarded_or_known_to_hold_nothing_of_a_tenants() -> None:
    """A package that brings a table of its own brings it without a policy."""
    open_tables = raw(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') AND NOT relrowsecurity"
        " AND relnamespace = 'public'::regnamespace"
    )
    ours = {str(name) for (name,) in open_tables if not str(name).startswith("django_celery_beat_")}
    assert ours == {
        "auth_group",
        "auth_group_permissions",
        "auth_permission",
        "django_content_type",
        "django_migrations",
    }
