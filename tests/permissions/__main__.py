"""Write docs/permissions.md: `make permissions`."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
django.setup()

from tests.permissions.document import PATH, document  # noqa: E402 - models want settings first

PATH.write_text(document())
