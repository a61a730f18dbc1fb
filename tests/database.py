"""Databases as the migrations leave them: migrated once for each state of the code, then copied."""

from __future__ import annotations

import time
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import LiteralString

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from gateway.db.owner import as_owner
from gateway.db.roles import prepare_roles

ROOT = Path(__file__).resolve().parents[1]
_MIGRATED = "migrated_"
_AUTOVACUUM_SECONDS = 60
# What the rows' shape is made of: migrations, what they import, and models, of which Django makes permissions.
_APPS = ("gateway", "tenants", "storage", "realtime", "workspaces")
_OF_ROWS = {"migrations", "db", "models", "models.py"}


def make(name: str) -> None:
    """Make the database anew in the cluster of DATABASE_OWNER_URL: migrated, with the roles' rights, no row of ours.

    Django's connection makes the one to copy, so it must be allowed to connect.
    """
    with _owner() as owner:
        owner.execute("SELECT pg_advisory_lock(hashtext(%s))", [_MIGRATED])  # others may use the cluster
        source = _source(owner)
        _drop(owner, name)
        _do(owner, "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, source)


def drop(name: str) -> None:
    """Drop the database, whoever uses it."""
    with _owner() as owner:
        _drop(owner, name)


def _source(owner: psycopg.Connection) -> str:
    """The name of the database to copy, which nobody can connect to. That of other code is dropped."""
    name = _MIGRATED + _digest()
    rows = owner.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [_MIGRATED])
    there = {row[0] for row in rows}
    if name in there:
        return name
    for other in there:
        _drop(owner, other)
    _do(owner, "CREATE DATABASE {} TEMPLATE template0", name + "_")
    _migrate(name + "_")
    _do(owner, "ALTER DATABASE {} ALLOW_CONNECTIONS false", name + "_")
    _do(owner, "ALTER DATABASE {} RENAME TO {}", name + "_", name)
    return name


def _migrate(name: str) -> None:
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        with as_owner():
            prepare_roles()  # roles belong to the cluster: the policies of the first migration name them
            call_command("migrate", interactive=False, verbosity=0)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


@cache
def _digest() -> str:
    found = blake2b((ROOT / "requirements" / "base.txt").read_bytes(), digest_size=12)
    for app in _APPS:
        for path in sorted((ROOT / app).rglob("*")):
            if path.suffix in (".py", ".sql") and _OF_ROWS & {*path.parts, path.name}:
                found.update(f"\0{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()


def _owner() -> psycopg.Connection:
    return psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True)


def _drop(owner: psycopg.Connection, name: str) -> None:
    end = time.monotonic() + _AUTOVACUUM_SECONDS
    while True:
        try:
            return _do(owner, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        except psycopg.errors.InsufficientPrivilege:  # of autovacuum's process, which a superuser alone ends
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _do(owner: psycopg.Connection, statement: LiteralString, *names: str) -> None:
    owner.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
