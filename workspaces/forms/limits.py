"""Fields of the limits of one instance, with the tenant's most."""

from __future__ import annotations

from decimal import Decimal

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from gateway.templatetags.ui import cores, size
from tenants.models import Quota
from workspaces.models.instances import LEAST_CPU_MILLIS, LEAST_MEMORY, LEAST_PIDS, MIB

from .fields import CoresField, MemoryField
from .groups import GroupedForm

LIMITS = ("memory_bytes", "cpu_millis", "pids")


class LimitedForm(GroupedForm):
    """A form with the fields `LIMITS`. `most` are the tenant's limits."""

    memory_bytes = MemoryField(required=False)
    cpu_millis = CoresField(required=False)
    pids = forms.IntegerField(label="Processes", required=False, min_value=LEAST_PIDS, max_value=32_768)

    def tell_most(self, most: Quota, default: str = "") -> None:
        """Bound the fields by the tenant's limits, and say so; `default` is what counts where one is empty."""
        memory, cpu, pids = (self.fields[name] for name in LIMITS)
        memory.help_text = f"At least {LEAST_MEMORY // MIB}. "
        cpu.help_text = f"At least {LEAST_CPU_MILLIS / 1000:g}. "
        _bound(memory, LEAST_MEMORY // MIB, most.instance_memory_bytes and most.instance_memory_bytes // MIB)
        _bound(
            cpu,
            Decimal(LEAST_CPU_MILLIS) / 1000,
            most.instance_cpu_millis and Decimal(most.instance_cpu_millis) / 1000,
        )
        if most.instance_memory_bytes is not None:
            memory.help_text += f"At most {size(most.instance_memory_bytes)} in this tenant. "
        if most.instance_cpu_millis is not None:
            cpu.help_text += f"At most {cores(most.instance_cpu_millis)} in this tenant. "
        for field in (memory, cpu, pids):
            field.help_text += default


def _bound(field: forms.Field, least: int | Decimal, most: int | Decimal | None) -> None:
    """In the units that people write."""
    field.validators.append(MinValueValidator(least))
    field.widget.attrs["min"] = least
    if most is not None:
        field.validators.append(MaxValueValidator(most))
        field.widget.attrs["max"] = most
