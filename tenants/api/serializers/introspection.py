"""How introspection looks in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Text


class IntrospectSerializer(serializers.Serializer[Any]):
    """Parameters that are not named here are passed over, as RFC 7662 wants."""

    token = Text(max_length=8192, allow_blank=True)
    token_type_hint = Text(max_length=64, required=False, allow_blank=True)


class IntrospectionSerializer(serializers.Serializer[Any]):
    """RFC 7662, section 2.2; `credential`, `tenant`, `role` and `allowed_networks` are ours."""

    active = serializers.BooleanField()
    scope = Text(required=False)
    client_id = Text(required=False)
    username = Text(required=False)
    token_type = Text(required=False)
    exp = serializers.IntegerField(required=False)
    iat = serializers.IntegerField(required=False)
    nbf = serializers.IntegerField(required=False)
    sub = Text(required=False)
    aud = serializers.JSONField(required=False, help_text="A text, or a list of them")
    iss = Text(required=False)
    jti = Text(required=False)
    credential = Text(required=False)
    tenant = Text(required=False)
    role = Text(required=False)
    allowed_networks = serializers.ListField(child=Text(), required=False)
