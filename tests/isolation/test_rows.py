"""Row security of every tenant-scoped model and foreign key, by reflection: raw SQL sees and writes nothing foreign."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import DatabaseError, ProgrammingError, connection, transaction
from django.db.models import Field
from pytest_django.plugin import DjangoDbBlocker

from gateway.checks import tenant_models
from gateway.db.scope import platform_scope, tenant_scope
from tenants.models import UnsealedEntry
from tests import factories
from tests.permissions.world import rolled_back

from .makers import MAKERS
from .sides import Side

MODELS = tenant_models()
# A trigger writes it with its entry, and the sealer reads entries in the tenant's own scope: a constraint there would
# cost every audited change.
UNCONSTRAINED = {(UnsealedEntry, "entry")}
FOREIGN_KEYS = [
    (model, field)
    for model in MODELS
    for field in model._meta.concrete_fields
    if field.related_model in MODELS and (model, field.name) not in UNCONSTRAINED
]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)


@pytest.fixture(scope="module")
def sides(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[Side, Side]]:
    """Ours and the other, for all tests of the module; rolled back to nothing."""
    with django_db_blocker.unblock(), rolled_back():
        yield tuple(Side.of(factories.member(factories.tenant(slug))) for slug in ("quokka", "axolotl"))  # type: ignore[misc]


@pytest.fixture(autouse=True)
def _undone(sides: tuple[Side, Side]) -> Iterator[None]:
    with rolled_back():
        yield


def run(statement: str, *values: Any) -> int:
    """The number of rows touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def refused(statement: str, *values: object, because: str | None = None) -> None:
    with pytest.raises(DatabaseError, match=because) as caught, transaction.atomic():
        run(statement, *values)
        run("SET CONSTRAINTS ALL IMMEDIATE")
    if because is None:
        assert caught.value.__cause__.sqlstate == "42501", caught.value  # type: ignore[union-attr]  # privileges


def copied(model: Any, row: Any, tenant_id: int | None) -> tuple[str, list[object]]:
    """The INSERT of the same row for another tenant."""
    columns = [field.column for field in model._meta.concrete_fields]
    table, names = quoted(model._meta.db_table), ", ".join(map(quoted, columns))
    values = ", ".join("%s" if column == "tenant_id" else quoted(column) for column in columns)
    own = f"{quoted(model._meta.pk.column)} = %s"
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE {own}", [tenant_id, row.pk]


def quoted(name: Any) -> str:
    return str(connection.ops.quote_name(name))


@each_model
def test_a_model_has_a_maker(model: Any) -> None:
    """A new model needs one in `makers.py`."""
    assert model in MAKERS


@each_model
def test_raw_sql_sees_the_own_rows_alone(sides: tuple[Side, Side], model: Any) -> None:
    ours, _ = sides
    with tenant_scope(ours.tenant_id), connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT tenant_id FROM {quoted(model._meta.db_table)}")
        seen = {tenant_id for (tenant_id,) in cursor.fetchall()}
    shared = {None} if model._meta.get_field("tenant").null else set()
    assert ours.tenant_id in seen and seen <= {ours.tenant_id, *shared}


@each_model
def test_what_is_visible_to_somebody_does_not_rest_on_row_security(
    sides: tuple[Side, Side], model: Any
) -> None:
    ours, _ = sides
    with platform_scope("without row security"):
        seen = set(model.objects.visible_to(ours.admin).order_by().values_list("tenant_id", flat=True))
    shared = {None} if model._meta.get_field("tenant").null else set()
    assert ours.tenant_id in seen and seen <= {ours.tenant_id, *shared}


@each_model
def test_a_row_for_another_tenant_is_refused(sides: tuple[Side, Side], model: Any) -> None:
    ours, other = sides
    own = ours.rows[model]
    key = f"{quoted(model._meta.pk.column)} = %s"
    nobodys = [None] if model._meta.get_field("tenant").null else []
    with tenant_scope(ours.tenant_id):
        for tenant_id in (other.tenant_id, *nobodys):
            statement, values = copied(model, own, tenant_id)
            refused(statement, *values)
            refused(
                f"UPDATE {quoted(model._meta.db_table)} SET tenant_id = %s WHERE {key}", tenant_id, own.pk
            )


@each_model
def test_another_tenants_row_cannot_be_changed(sides: tuple[Side, Side], model: Any) -> None:
    ours, other = sides
    table, key = quoted(model._meta.db_table), f"{quoted(model._meta.pk.column)} = %s"
    foreign = other.rows[model].pk
    changes = f"UPDATE {table} SET tenant_id = tenant_id WHERE {key}", f"DELETE FROM {table} WHERE {key}"
    for statement in changes:
        with tenant_scope(ours.tenant_id), suppress(ProgrammingError), transaction.atomic():  # append-only
            assert run(statement, foreign) == 0
        with platform_scope("to look"):
            assert model.objects.filter(pk=foreign).exists()


@pytest.mark.parametrize(
    ("model", "field"), FOREIGN_KEYS, ids=[f"{m._meta.label}.{f.name}" for m, f in FOREIGN_KEYS]
)
def test_a_row_cannot_refer_to_another_tenants(
    sides: tuple[Side, Side], model: Any, field: Field[Any, Any]
) -> None:
    """Even in the platform's scope, where no policy holds."""
    ours, other = sides
    parent = other.rows[field.related_model].pk  # type: ignore[index]
    table, column, key = (
        quoted(name) for name in (model._meta.db_table, field.column, model._meta.pk.column)
    )
    with platform_scope("even there"):
        if field.unique:  # or that would be what refuses
            run(f"DELETE FROM {table} WHERE {column} = %s", parent)
        refused(
            f"UPDATE {table} SET {column} = %s WHERE {key} = %s", parent, ours.rows[model].pk,
            because="same_tenant|append-only|not within the tenant's reach",
        )  # fmt: skip
