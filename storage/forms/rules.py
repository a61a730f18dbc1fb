"""Editors of rules: a list of forms that grows and shrinks, of which each rule is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.http import QueryDict

from gateway.errors import DomainError
from gateway.forms import PageForm
from storage.models import Bucket
from storage.s3.errors import S3Error
from tenants.principal import Principal

Rule = dict[str, Any]
MOST = 1000


class RuleForm(PageForm):
    """One rule, checked as the S3 API checks it."""

    number = 0

    @staticmethod
    def check(rules: object) -> list[Rule]:
        """The rules as they are kept. Raises S3Error."""
        raise NotImplementedError

    @classmethod
    def values_of(cls, rule: Mapping[str, Any]) -> dict[str, Any]:
        """What the form starts with."""
        raise NotImplementedError

    def rule(self) -> Rule:
        """The rule of what was given, as S3's JSON has it."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors:
            try:
                self.check([self.rule()])
            except S3Error as error:
                self.add_error(None, error.message)
        return values


class RuleSet:
    """The rules of a bucket, or those of a form that was sent: `rule` names them in their order.

    `do` of what was sent is `add`, `remove-<number>` or anything else, which saves.
    """

    setting: ClassVar[str]
    title: ClassVar[str]
    lead: ClassVar[str]
    form: ClassVar[type[RuleForm]]
    is_rules = True

    @staticmethod
    def verb(bucket: Bucket, rules: list[Rule], *, actor: Principal) -> Bucket:
        """What saves them. Raises DomainError."""
        raise NotImplementedError

    def __init__(self, data: QueryDict | None = None, *, bucket: Bucket) -> None:
        self.bucket = bucket
        self.refused = ""
        self.saves = self.is_draft = False
        if data is None:
            rules: Sequence[Rule] = getattr(bucket, self.setting)
            self.forms = [
                self._blank(number, self.form.values_of(rule)) for number, rule in enumerate(rules, 1)
            ]
            return
        numbers = [int(text) for text in data.getlist("rule")[:MOST] if text.isdecimal() and len(text) < 9]
        do = data.get("do", "")
        self.saves = not (do == "add" or do.startswith("remove-"))
        if self.saves:
            self.forms = [
                self._numbered(self.form(data, **self._named(number)), number) for number in numbers
            ]
            return
        self.is_draft = True
        self.forms = [self._typed(number, data) for number in numbers if do != f"remove-{number}"]
        if do == "add":
            added = self._blank(max(numbers, default=0) + 1, self.form.values_of({}))
            next(iter(added.fields.values())).widget.attrs["autofocus"] = True
            self.forms.append(added)

    def is_valid(self) -> bool:
        return self.saves and not [form for form in self.forms if not form.is_valid()]

    def save(self, actor: Principal) -> Bucket:
        return self.verb(self.bucket, [form.rule() for form in self.forms], actor=actor)

    def refuse(self, error: DomainError) -> None:
        self.refused = error.detail

    def _named(self, number: int) -> dict[str, str]:
        return {"prefix": f"{self.setting}-{number}", "auto_id": "%s"}

    def _blank(self, number: int, values: dict[str, Any]) -> RuleForm:
        return self._numbered(self.form(initial=values, **self._named(number)), number)

    def _typed(self, number: int, data: QueryDict) -> RuleForm:
        """With what was typed so far, not judged yet."""
        form = self.form(**self._named(number))
        form.initial = {
            name: field.widget.value_from_datadict(data, {}, form.add_prefix(name))
            for name, field in form.fields.items()
        }
        return self._numbered(form, number)

    @staticmethod
    def _numbered(form: RuleForm, number: int) -> RuleForm:
        form.number = number
        return form
