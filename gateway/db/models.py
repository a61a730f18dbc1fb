"""What the models of all apps share."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self

from django.db import models

if TYPE_CHECKING:
    from tenants.principal import Principal


class TenantQuerySet(models.QuerySet[Any]):
    """Rows that belong to a tenant. Row security stands behind this filter; it is no replacement for it."""

    def visible_to(self, principal: Principal) -> Self:
        """The rows of the tenant in which the caller acts."""
        return self.filter(tenant_id=principal.tenant.pk)


class PublicId(models.Model):
    """`public_id` is what outsiders see as `id`: it tells nothing and cannot be guessed."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)

    class Meta:
        abstract = True
