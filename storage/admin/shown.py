"""What the storage pages of the admin share."""

from __future__ import annotations

from unfold.contrib.filters.admin import AutocompleteSelectFilter

OF_TENANT = ("tenant", AutocompleteSelectFilter)
STATE = {
    "works": "success",
    "ready": "success",
    "failing": "danger",
    "pending": "warning",
    "revoked": "danger",
    "key_revoked": "danger",
    "expired": "danger",
}
