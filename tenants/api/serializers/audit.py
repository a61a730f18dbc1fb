"""How the audit log looks in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tenants.models import AuditEntry, AuditSeal


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


class AuditSealSerializer(serializers.ModelSerializer[AuditSeal]):
    class Meta:
        model = AuditSeal
        fields = [
            "number",
            "count",
            "root",
            "previous",
            "kept_from",
            "drained",
            "sealed_at",
            "hash",
            "mac",
            "mac_key",
        ]


class FindingSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    detail = serializers.CharField()
    seal = serializers.IntegerField(allow_null=True)
    entry = serializers.CharField(allow_null=True)


class VerdictSerializer(serializers.Serializer[Any]):
    sound = serializers.BooleanField(source="is_sound")
    whole = serializers.BooleanField(help_text="Whether every kept entry was looked at, or the newest only.")
    seals = serializers.IntegerField()
    entries = serializers.IntegerField(help_text="Sealed entries that were looked at.")
    unsealed = serializers.IntegerField()
    head = serializers.CharField(help_text="The newest seal's hash; empty before the first.")
    kept_from = serializers.IntegerField(help_text="The first seal whose entries are kept.")
    kept_since = serializers.DateTimeField(allow_null=True)
    findings = FindingSerializer(many=True)
