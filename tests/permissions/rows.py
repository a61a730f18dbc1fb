"""The whole table."""

from __future__ import annotations

from . import (
    account,
    credentials,
    gateway,
    people,
    realtime,
    services,
    storage,
    tenants,
    workspace_pages,
    workspaces,
)

SUBJECTS = {
    "Account": account,
    "Tenants": tenants,
    "People": people,
    "Credentials": credentials,
    "Storage": storage,
    "Workspaces": workspaces,
    "Workspace pages": workspace_pages,
    "Services": services,
    "Realtime": realtime,
    "Gateway": gateway,
}
ROWS = [row for subject in SUBJECTS.values() for row in subject.ROWS]
MAKERS = {name: maker for subject in SUBJECTS.values() for name, maker in subject.MAKERS.items()}
