"""How signing in looks in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Text


class LoginSerializer(serializers.Serializer[Any]):
    username = Text(max_length=150)
    password = Text(max_length=256, trim_whitespace=False, write_only=True)


class TokensSerializer(serializers.Serializer[Any]):
    access = Text()
    refresh = Text()
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires")
    token_type = Text()


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = Text(max_length=4096)


class IntrospectSerializer(serializers.Serializer[Any]):
    token = Text(max_length=8192, allow_blank=True)
    token_type_hint = Text(max_length=64, required=False, allow_blank=True)


class IntrospectionSerializer(serializers.Serializer[Any]):
    """RFC 7662, section 2.2."""

    active = serializers.BooleanField()
    sub = Text(required=False)
    username = Text(required=False)
    tenant = Text(required=False)
    role = Text(required=False)
    scope = Text(required=False)
    token_type = Text(required=False)
    exp = serializers.IntegerField(required=False)


class MeSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    username = Text()
    email = Text()
    is_staff = serializers.BooleanField()
    tenant = Text()
    role = Text()
    permissions = serializers.ListField(child=Text())
    tenants = serializers.ListField(child=serializers.DictField())
