"""Forms of a bucket's settings, one per section of their page."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from gateway.form_fields import PairsField, SizeField
from gateway.forms import PageForm
from storage.models import Bucket
from storage.s3.documents import public_access
from storage.services import bucket_settings as verbs
from tenants.principal import Principal


class SettingForm(PageForm):
    """One section: what it is called, what it starts with, and the verb that changes it.

    A refusal that names `setting` stands at `at`, the field where people can mend it.
    """

    setting: ClassVar[str]
    title: ClassVar[str]
    lead: ClassVar[str] = ""
    at: ClassVar[str] = ""
    needs: ClassVar[str] = ""
    """The bucket's field of a setting that not every backend can."""

    def __init__(self, data: Any = None, *, bucket: Bucket) -> None:
        super().__init__(data, auto_id=f"{self.setting}_%s", initial=self.values_of(bucket))
        self.bucket = bucket
        self.lacking = (
            verbs.lacking(bucket.placement.backend, self.needs)
            if self.needs and not getattr(bucket, self.needs)
            else ""
        )
        self.fit(bucket)

    def values_of(self, bucket: Bucket) -> dict[str, Any]:
        return {name: getattr(bucket, name) for name in self.base_fields}

    def fit(self, bucket: Bucket) -> None:
        """What depends on the bucket."""

    def save(self, actor: Principal) -> Bucket:
        raise NotImplementedError

    def refuse(self, error: Any) -> None:
        if self.at and self.setting in error.errors and self.setting not in self.fields:
            for text in error.errors[self.setting]:
                self.add_error(self.at, text)
        else:
            super().refuse(error)


class VersioningForm(SettingForm):
    setting, title, needs = "versioning", "Versions", "versioning"
    lead = (
        "With versions, what is replaced or deleted stays and can be brought back. It counts against quotas."
    )
    versioning = forms.ChoiceField(
        label="What is replaced or deleted", required=False, widget=forms.RadioSelect
    )

    def fit(self, bucket: Bucket) -> None:
        off = [("", "goes: no versions are kept")] if not bucket.versioning else []
        suspended = (
            [("Suspended", "goes; versions that are there stay (suspended)")] if bucket.versioning else []
        )
        self.fields["versioning"].choices = [*off, ("Enabled", "stays as a version"), *suspended]  # type: ignore[attr-defined]
        self.fields["versioning"].help_text = (
            "Object lock needs versions: they cannot be suspended."
            if bucket.object_lock
            else "Once versions were kept, that can be suspended, not undone."
        )

    def save(self, actor: Principal) -> Bucket:
        wanted = self.cleaned_data["versioning"]
        return verbs.set_versioning(self.bucket, wanted, actor=actor) if wanted else self.bucket


class LockForm(SettingForm):
    setting, title, at, needs = "default_retention", "Object lock", "period", "object_lock"
    lead = "A locked version can neither be deleted nor overwritten until its time is over."
    object_lock = forms.BooleanField(
        label="Versions can be locked", required=False, help_text="Needs versions. This cannot be undone."
    )
    mode = forms.ChoiceField(
        label="New versions are locked",
        required=False,
        choices=[
            ("", "only where whoever writes them asks for it"),
            ("GOVERNANCE", "in governance mode: who holds storage.object.lock may unlock them"),
            (
                "COMPLIANCE",
                "in compliance mode: nobody may as long as it runs, not even the platform's staff",
            ),
        ],
        widget=forms.RadioSelect,
    )
    period = forms.IntegerField(label="For how long", required=False, min_value=1, max_value=36_500)
    unit = forms.ChoiceField(
        label="Counted in", choices=[("days", "days"), ("years", "years")], required=False
    )

    def values_of(self, bucket: Bucket) -> dict[str, Any]:
        default = bucket.default_retention or {}
        unit = "years" if "years" in default else "days"
        return {
            "object_lock": bucket.object_lock,
            "mode": default.get("mode", ""),
            "period": default.get(unit),
            "unit": unit,
        }

    def fit(self, bucket: Bucket) -> None:
        if bucket.object_lock:
            self.fields["object_lock"].disabled = True

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("mode") and not values.get("object_lock"):
            self.add_error("object_lock", "Locking by default needs it.")
        if values.get("mode") and values.get("period") is None and "period" not in self.errors:
            self.add_error("period", "Say for how long.")
        return values

    def save(self, actor: Principal) -> Bucket:
        values = self.cleaned_data
        if not values["object_lock"]:
            return self.bucket
        default = (
            {"mode": values["mode"], values["unit"] or "days": values["period"]} if values["mode"] else None
        )
        return verbs.set_object_lock(self.bucket, default, actor=actor)


class EncryptionForm(SettingForm):
    setting, title, needs = "encryption", "Encryption", "encryption"
    lead = "Encrypted objects cannot be read on the disk; whoever may read them here notices nothing."
    encryption = forms.ChoiceField(
        label="New objects",
        required=False,
        choices=[
            ("", "are encrypted where whoever writes them asks for it"),
            ("AES256", "are always encrypted (AES-256)"),
        ],
        widget=forms.RadioSelect,
    )

    def save(self, actor: Principal) -> Bucket:
        return verbs.set_encryption(self.bucket, self.cleaned_data["encryption"], actor=actor)


class PublicAccessForm(SettingForm):
    setting, title = "public_access_block", "Public access"
    lead = "Whatever the policy says, these keep the bucket closed to those outside the tenant."
    BlockPublicPolicy = forms.BooleanField(
        label="Refuse policies that open it to everybody", required=False, help_text="BlockPublicPolicy"
    )
    RestrictPublicBuckets = forms.BooleanField(
        label="Let nobody outside the tenant in by a public policy",
        required=False,
        help_text="RestrictPublicBuckets",
    )
    BlockPublicAcls = forms.BooleanField(
        label="Refuse public ACLs",
        required=False,
        help_text="BlockPublicAcls. ACLs open nothing here in any case.",
    )
    IgnorePublicAcls = forms.BooleanField(
        label="Ignore public ACLs",
        required=False,
        help_text="IgnorePublicAcls. ACLs open nothing here in any case.",
    )

    def values_of(self, bucket: Bucket) -> dict[str, Any]:
        return dict(bucket.public_access_block or {})

    def fit(self, bucket: Bucket) -> None:
        acting = verbs.public_access_of(bucket)
        own = bucket.public_access_block or {}
        self.by_tenant = all(acting.values()) and not all(own.get(name) for name in public_access.NAMES)

    def save(self, actor: Principal) -> Bucket:
        flags = {name: self.cleaned_data[name] for name in public_access.NAMES}
        wanted = flags if any(flags.values()) or self.bucket.public_access_block is not None else None
        return verbs.set_public_access_block(self.bucket, wanted, actor=actor)


class QuotaForm(SettingForm):
    setting, title = "quota", "Quota"
    lead = (
        "What the bucket may hold at most, older versions included. The tenant's own limits hold beside it."
    )
    quota_bytes = SizeField(label="Size", help_text="Such as 10 GiB. Empty: no limit of its own.")
    quota_objects = forms.IntegerField(
        label="Objects", required=False, min_value=0, max_value=(1 << 63) - 1, help_text="Empty: no limit."
    )

    def save(self, actor: Principal) -> Bucket:
        return verbs.set_quota(self.bucket, **self.cleaned_data, actor=actor)


class TagsForm(SettingForm):
    setting, title = "tags", "Tags"
    lead = "Words of your own about the bucket, for whoever sorts or pays for buckets."
    tags = PairsField(label="Tags", help_text="At most 50, name=value, one a line.")

    def save(self, actor: Principal) -> Bucket:
        return verbs.set_tags(self.bucket, self.cleaned_data["tags"], actor=actor)


class NotificationsForm(SettingForm):
    setting, title = "notifications", "Notifications"
    lead = "Every change of an object is an event in the tenant's event log, whatever is set here."
    eventbridge = forms.BooleanField(
        label="Tell S3 clients that events are sent",
        required=False,
        help_text="EventBridgeConfiguration. There are no queues, topics or functions here.",
    )

    def values_of(self, bucket: Bucket) -> dict[str, Any]:
        return {"eventbridge": "EventBridgeConfiguration" in bucket.notifications}

    def save(self, actor: Principal) -> Bucket:
        wanted: dict[str, Any] = {"EventBridgeConfiguration": {}} if self.cleaned_data["eventbridge"] else {}
        return verbs.set_notifications(self.bucket, wanted, actor=actor)
