"""templates, and the providers that they may name."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from workspaces.models import Template
from workspaces.providers import registry
from workspaces.services import templates

from . import serializers as s


class TemplatesView(ApiView):
    permissions = {"GET": "workspace.read", "POST": "template.write"}
    serializer_class = s.TemplateSerializer

    @extend_schema(responses=s.TemplateSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The tenant's own templates and those that the platform shares."""
        return self.page(Template.objects.visible_to(principal(request)), s.TemplateSerializer)

    @extend_schema(request=s.CreateTemplateSerializer, responses={201: s.TemplateSerializer})
    def post(self, request: Request) -> Response:
        made = templates.create_template(**self.body(s.CreateTemplateSerializer), actor=principal(request))
        return Response(s.TemplateSerializer(made).data, status=201)


class TemplateView(ApiView):
    permissions = {"GET": "workspace.read", "PATCH": "template.write", "DELETE": "template.write"}
    serializer_class = s.TemplateSerializer

    @extend_schema(responses=s.TemplateSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(
            s.TemplateSerializer(templates.get_template(public_id, actor=principal(request))).data
        )

    @extend_schema(request=s.UpdateTemplateSerializer, responses=s.TemplateSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Change what later workspaces begin with."""
        caller = principal(request)
        found = templates.get_template(public_id, actor=caller)
        changed = templates.update_template(found, **self.body(s.UpdateTemplateSerializer), actor=caller)
        return Response(s.TemplateSerializer(changed).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Forget it; workspaces that were made from it stay."""
        caller = principal(request)
        templates.delete_template(templates.get_template(public_id, actor=caller), actor=caller)
        return Response(status=204)


class ProvidersView(ApiView):
    permissions = {"GET": "workspace.read"}
    serializer_class = s.ProviderSerializer
    pagination_class = None

    @extend_schema(responses=s.ProviderSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Where workspaces can run here, and what each place does not keep apart."""
        return Response(s.ProviderSerializer(registry.offered(), many=True).data)
