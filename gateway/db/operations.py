"""Migration operations that put row-level security on a model's table, reversibly."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from .owner import login_role

# nullif: once a SET LOCAL has ended, the setting is '' and the cast would raise.
CURRENT_TENANT = "(SELECT nullif(current_setting('app.tenant', true), '')::bigint)"

# A trigger and no REVOKE: grants are given anew whenever the roles are prepared.
_REFUSE = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""


class TenantPolicy(Operation):
    """Rows of `model` are seen and written only by the tenant that `column` names; the wide role sees all.

    `condition` replaces the comparison where a table has no such column. With `append_only`, nobody may
    UPDATE or DELETE, the owner included. The owner has a policy of its own, since row security is forced
    on it too.
    """

    reduces_to_sql = True
    reversible = True
    elidable = False

    def __init__(
        self, model: str, *, column: str = "tenant_id", condition: str = "", append_only: bool = False
    ) -> None:
        self.model, self.column, self.condition, self.append_only = model, column, condition, append_only

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        given: dict[str, Any] = {"model": self.model}
        if self.column != "tenant_id":
            given["column"] = self.column
        if self.condition:
            given["condition"] = self.condition
        if self.append_only:
            given["append_only"] = True
        return (type(self).__name__, [], given)

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def _table(self, app_label: str, apps: Apps) -> str:
        return str(apps.get_model(app_label, self.model)._meta.db_table)

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        table, quote = self._table(app_label, to_state.apps), schema_editor.quote_name
        app, wide = quote(f"{login_role()}_app"), quote(f"{login_role()}_wide")
        condition = self.condition or f"{quote(self.column)} = {CURRENT_TENANT}"
        name = quote(table)
        for statement in (
            f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY tenant ON {name} TO {app} USING ({condition}) WITH CHECK ({condition})",
            f"CREATE POLICY wide ON {name} TO {wide} USING (true) WITH CHECK (true)",
            f"CREATE POLICY owner ON {name} TO CURRENT_USER USING (true) WITH CHECK (true)",
        ):
            schema_editor.execute(statement)
        if self.append_only:
            schema_editor.execute(_REFUSE, params=None)
            schema_editor.execute(
                f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {name} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        table, quote = self._table(app_label, from_state.apps), schema_editor.quote_name
        name = quote(table)
        for policy in ("tenant", "wide", "owner"):
            schema_editor.execute(f"DROP POLICY {policy} ON {name}")
        schema_editor.execute(f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY")
        schema_editor.execute(f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY")
        if self.append_only:
            schema_editor.execute(f"DROP TRIGGER append_only ON {name}")

    def describe(self) -> str:
        return f"Row-level security on {self.model}"


class WideOnly(Operation):
    """A table of another package whose rows are nobody's in a tenant's scope: only the wide role sees them."""

    reduces_to_sql = True
    reversible = True
    elidable = False

    def __init__(self, table: str) -> None:
        self.table = table

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (type(self).__name__, [], {"table": self.table})

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        name, wide = schema_editor.quote_name(self.table), schema_editor.quote_name(f"{login_role()}_wide")
        for statement in (
            f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY wide ON {name} TO {wide} USING (true) WITH CHECK (true)",
            f"CREATE POLICY owner ON {name} TO CURRENT_USER USING (true) WITH CHECK (true)",
        ):
            schema_editor.execute(statement)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        name = schema_editor.quote_name(self.table)
        for policy in ("wide", "owner"):
            schema_editor.execute(f"DROP POLICY {policy} ON {name}")
        schema_editor.execute(f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY")
        schema_editor.execute(f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY")

    def describe(self) -> str:
        return f"Row-level security on {self.table}: no tenant's"


class SameTenant(Operation):
    """A foreign key of (tenant, `field`), so that a row cannot refer to another tenant's row.

    Foreign key checks bypass row security; this one compares the tenant as well. The parent's unique
    (tenant_id, id) is made where it is missing.
    """

    reduces_to_sql = True
    reversible = True
    elidable = False

    def __init__(self, model: str, field: str) -> None:
        self.model, self.field = model, field

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (type(self).__name__, [], {"model": self.model, "field": self.field})

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def _names(self, app_label: str, apps: Apps) -> tuple[str, str, str, str]:
        model = apps.get_model(app_label, self.model)
        field = model._meta.get_field(self.field)
        child, parent = model._meta.db_table, field.related_model._meta.db_table
        return child, parent, field.column, f"{child}_{self.field}_same_tenant"

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        child, parent, column, constraint = self._names(app_label, to_state.apps)
        quote = schema_editor.quote_name
        unique = quote(f"{parent}_tenant_id_key")
        schema_editor.execute(
            f"CREATE UNIQUE INDEX IF NOT EXISTS {unique} ON {quote(parent)} (tenant_id, id)"
        )
        schema_editor.execute(
            f"ALTER TABLE {quote(child)} ADD CONSTRAINT {quote(constraint)} FOREIGN KEY (tenant_id, {quote(column)}) "
            f"REFERENCES {quote(parent)} (tenant_id, id) DEFERRABLE INITIALLY DEFERRED"
        )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        child, _, _, constraint = self._names(app_label, from_state.apps)
        quote = schema_editor.quote_name
        schema_editor.execute(f"ALTER TABLE {quote(child)} DROP CONSTRAINT {quote(constraint)}")

    def describe(self) -> str:
        return f"{self.model}.{self.field} stays within its tenant"
