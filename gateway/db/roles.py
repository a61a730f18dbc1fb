"""The database roles of the application and what they may do."""

from __future__ import annotations

from django.db import connection
from psycopg import sql

from .owner import login_role


def prepare_roles(*, truncate: bool = False) -> None:
    """Make `<login>_app` and `<login>_wide`, let the login become either, and grant both the tables' rows.

    Runs as the owner and may run again. Neither role owns a table, can TRUNCATE (but in tests, `truncate`,
    which also switches off the triggers against it) or bypass row security: each table's policies name them
    (`gateway.db.operations`).
    """
    login = login_role()
    app, wide = f"{login}_app", f"{login}_wide"
    names = {"login": sql.Identifier(login), "app": sql.Identifier(app), "wide": sql.Identifier(wide)}
    rights = "SELECT, INSERT, UPDATE, DELETE" + (", TRUNCATE" if truncate else "")
    with connection.cursor() as cursor:
        for role in (app, wide):
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
        for statement in (
            "GRANT {app}, {wide} TO {login} WITH INHERIT FALSE, SET TRUE",
            "GRANT {wide} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE",
            "GRANT USAGE ON SCHEMA public TO {app}, {wide}",
            f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {{app}}, {{wide}}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {app}, {wide}",
            "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {app}, {wide}",
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {rights} ON TABLES TO {{app}}, {{wide}}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {app}, {wide}",
        ):
            cursor.execute(sql.SQL(statement).format(**names))
        if truncate:
            cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'no_truncate'")
            for (table,) in cursor.fetchall():
                cursor.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER no_truncate").format(sql.SQL(table)))
