"""The whole table."""

from __future__ import annotations

from . import gateway, realtime, storage, tenants

APPS = {"Tenants": tenants, "Storage": storage, "Realtime": realtime, "Gateway": gateway}
ROWS = [row for app in APPS.values() for row in app.ROWS]
MAKERS = {name: maker for app in APPS.values() for name, maker in app.MAKERS.items()}
