"""Two tenants, each with a row of every tenant-scoped model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model

from tenants.principal import Principal

from .makers import make_rows


@dataclass(frozen=True)
class Side:
    """A tenant with its rows, by model; its administrator made them."""

    admin: Principal
    rows: dict[type[Model], Any] = field(repr=False)

    @classmethod
    def of(cls, admin: Principal) -> Side:
        return cls(admin, make_rows(admin))

    @property
    def tenant_id(self) -> int:
        return self.admin.tenant.pk

    @property
    def ids(self) -> set[str]:
        """The public ids of what it has, which nobody can guess."""
        assert self.admin.user is not None
        having = [self.admin.tenant, self.admin.user, *self.rows.values()]
        return {str(row.public_id) for row in having if hasattr(row, "public_id")}
