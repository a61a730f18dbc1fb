"""What somebody does to the audit log who owns its tables: nothing in the database stops them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.db import connection


@contextmanager
def owner() -> Iterator[psycopg.Connection]:
    """A connection of the tables' owner to the tests' database."""
    with psycopg.connect(settings.DATABASE_OWNER_URL, dbname=connection.settings_dict["NAME"]) as db:
        yield db


@contextmanager
def tampering() -> Iterator[psycopg.Connection]:
    """The same, with the triggers of the audit log switched off."""
    with owner() as db:
        for change in ("DISABLE", "ENABLE"):
            for table in ("tenants_auditentry", "tenants_auditseal"):
                db.execute(f"ALTER TABLE {table} {change} TRIGGER USER")
            if change == "DISABLE":
                yield db
                db.commit()  # checks what is deferred, which stands in the way of ALTER TABLE
        for table in ("tenants_auditentry", "tenants_auditseal"):  # as the tests have it, which empty tables
            db.execute(f"ALTER TABLE {table} DISABLE TRIGGER no_truncate")
