"""How the audit log looks in the API."""

from __future__ import annotations

from rest_framework import serializers

from tenants.models import AuditEntry


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    id = serializers.UUIDField(source="public_id", read_only=True)

    class Meta:
        model = AuditEntry
        fields = [
            "id",
            "at",
            "actor",
            "credential",
            "ip",
            "request_id",
            "action",
            "target",
            "before",
            "after",
        ]
