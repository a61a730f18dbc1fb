"""The admin's form of a tenant: the row, its limits and its settings in one."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from tenants.features import FEATURES
from tenants.models import Tenant
from tenants.services.quotas import LIMITS
from tenants.services.settings import FIELDS, LEAST_RETENTION_DAYS, MOST_RATE, MOST_RETENTION_DAYS

_STATUSES = [(Tenant.Status.ACTIVE, "Active"), (Tenant.Status.SUSPENDED, "Suspended")]


def _number(
    label: str, help_text: str = "", *, least: int = 0, most: int = (1 << 31) - 1
) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        required=False,
        min_value=least,
        max_value=most,
        widget=UnfoldAdminIntegerFieldWidget,
    )


class WordsField(forms.CharField):
    """Words parted by commas or spaces, as a list; `*` is None: no restriction."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        if value is None:
            return "*"
        return value if isinstance(value, str) else ", ".join(value)

    def clean(self, value: Any) -> Any:
        text = str(value or "").strip()
        return None if text == "*" else [word for word in re.split(r"[\s,]+", text) if word]


class TenantForm(forms.ModelForm):  # type: ignore[type-arg]
    """`limits()` and `tenant_settings()` are what the verbs take."""

    status = forms.ChoiceField(choices=_STATUSES, widget=UnfoldAdminSelectWidget)
    domain = forms.CharField(
        required=False,
        max_length=253,
        help_text="A host name that you vouch for.",
        widget=UnfoldAdminTextInputWidget,
    )
    storage_bytes = _number("Storage", "Bytes; empty is no limit, here and below.", most=(1 << 63) - 1)
    users = _number("Members")
    api_keys = _number("API keys")
    buckets = _number("Buckets")
    access_keys = _number("S3 access keys")
    workspaces = _number("Workspaces")
    workspaces_per_user = _number("Workspaces of one member")
    services = _number("Services")
    instance_memory_bytes = _number(
        "Memory of one", "Bytes, the most for one workspace or service.", most=(1 << 63) - 1
    )
    instance_cpu_millis = _number("Processor of one", "Thousandths of a core.")
    devices = _number("Devices")
    require_second_factor = forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget)
    audit_retention_days = _number(
        "Days of audit log", "Empty: as the platform.", least=LEAST_RETENTION_DAYS, most=MOST_RETENTION_DAYS
    )
    disabled_features = forms.MultipleChoiceField(
        required=False,
        label="Features switched off",
        choices=[(feature.name, f"{feature.title}: {feature.text}") for feature in FEATURES.values()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    allowed_backends = WordsField(
        required=False, initial="*", help_text="Names that new buckets may go to; * is all within reach."
    )
    allowed_regions = WordsField(
        required=False,
        initial="*",
        help_text="Regions that new buckets may go to; * is any. Our own store has none.",
    )
    api_rate = _number(
        "API requests", "A minute and caller; empty: as the platform, 0: no limit.", most=MOST_RATE
    )
    auth_rate = _number("Sign-ins", "A minute and account.", most=MOST_RATE)
    s3_rate = _number("S3 requests", "A minute.", most=MOST_RATE)

    class Meta:
        model = Tenant
        fields = ("name", "slug", "status")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        instance = kwargs.get("instance")
        if instance is not None and instance.pk:
            known = {name: getattr(instance.quota, name) for name in LIMITS if hasattr(instance, "quota")}
            known |= {name: getattr(instance.settings, name) for name in FIELDS}
            kwargs["initial"] = known | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        # The form of a new tenant does not ask for it.
        self.fields["status"].required = bool(instance is not None and instance.pk)
