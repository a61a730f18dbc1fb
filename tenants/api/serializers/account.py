"""How one's own account looks in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Text
from tenants.models import SecondFactor, SignIn


class MeSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    username = Text()
    name = Text()
    email = Text()
    is_staff = serializers.BooleanField()
    tenant = Text()
    role = Text()
    permissions = serializers.ListField(child=Text())
    tenants = serializers.ListField(child=serializers.DictField())
    second_factors = serializers.ListField(child=Text(), help_text="How one can be shown; empty: none")
    barred = Text(help_text="Code of what must be done before anything else in the tenant, or empty")


class ProfileSerializer(Body):
    name = Text(max_length=150, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)


class PasswordSerializer(Body):
    current_password = Text(max_length=1024, trim_whitespace=False, write_only=True)
    new_password = Text(max_length=1024, trim_whitespace=False, write_only=True)


class ConfirmPasswordSerializer(Body):
    password = Text(max_length=1024, trim_whitespace=False, write_only=True)


class SignInSerializer(serializers.ModelSerializer[SignIn]):
    id = serializers.UUIDField(source="public_id")
    second_factor = Text(
        read_only=True, help_text="`totp`, `webauthn`, `recovery_code`, or empty: none was shown"
    )
    is_current = serializers.SerializerMethodField()

    class Meta:
        model = SignIn
        fields = (
            "id",
            "kind",
            "ip",
            "user_agent",
            "second_factor",
            "created_at",
            "last_seen_at",
            "is_current",
        )
        read_only_fields = fields
        extra_kwargs = {"kind": {"help_text": "`session`: a browser; `tokens`: a family of tokens"}}

    def get_is_current(self, row: SignIn) -> bool:
        return str(row.public_id) == self.context.get("current")


class SecondFactorSerializer(serializers.ModelSerializer[SecondFactor]):
    id = serializers.UUIDField(source="public_id")

    class Meta:
        model = SecondFactor
        fields = ("id", "kind", "name", "created_at", "last_used_at")
        read_only_fields = fields


class SecondFactorsSerializer(serializers.Serializer[Any]):
    factors = SecondFactorSerializer(many=True)
    recovery_codes_left = serializers.IntegerField()


class NewSecondFactorSerializer(Body):
    kind = serializers.ChoiceField(SecondFactor.Kind.choices)
    name = Text(max_length=100)


class BegunSecondFactorSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = Text()
    name = Text()
    secret = Text(required=False, help_text="Of an app, in base32; shown until it is confirmed")
    uri = Text(required=False, help_text="The same for a QR code")
    options = serializers.DictField(required=False, help_text="Of a security key: what the browser asks it")


class ConfirmSecondFactorSerializer(Body):
    code = Text(max_length=16, required=False)
    webauthn = serializers.DictField(required=False, help_text="The browser's PublicKeyCredential as JSON")


class RecoveryCodesSerializer(serializers.Serializer[Any]):
    recovery_codes = serializers.ListField(child=Text(), help_text="Shown this once")
