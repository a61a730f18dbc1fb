"""Bases of the admin's pages: writing through the services' verbs, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.db import models
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.admin import ModelAdmin, TabularInline
from unfold.paginator import InfinitePaginator

from gateway.errors import DomainError
from tenants.models import Tenant
from tenants.principal import Principal


def actor(request: HttpRequest, tenant: Tenant | None = None) -> Principal:
    """Who works in the admin, acting in `tenant` where the work is a tenant's own."""
    found: Principal = request.principal  # type: ignore[attr-defined]
    return replace(found, tenant=tenant) if tenant is not None else found


class ReadOnlyAdmin(ModelAdmin):
    """Rows that only services write: to be looked at."""

    list_fullwidth = True
    compressed_fields = True

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def each(
        self,
        request: HttpRequest,
        rows: Iterable[Any],
        verb: Callable[[Any], object],
        done: str,
    ) -> None:
        """Do a verb with each chosen row, and say how many went well and what was refused."""
        went_well = 0
        for row in rows:
            try:
                verb(row)
                went_well += 1
            except DomainError as error:
                self.message_user(request, f"{row}: {error.detail}", messages.ERROR)
        if went_well:
            self.message_user(request, f"{went_well} {done}.", messages.SUCCESS)

    def each_in_tenant(
        self, request: HttpRequest, rows: Iterable[Any], verb: Callable[..., object], done: str
    ) -> None:
        """The same with a verb that takes an `actor`, who acts in each row's own tenant."""
        self.each(request, rows, lambda row: verb(row, actor=actor(request, row.tenant)), done)


class LogAdmin(ReadOnlyAdmin):
    """A table that grows without end: it is never counted, and read by its key."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    ordering = ("-pk",)


class VerbAdmin(ReadOnlyAdmin):
    """Adding, changing and deleting through verbs; a subclass says which there are.

    A verb's refusal stands in the form, at the field that it is about.
    """

    can_add = can_change = can_delete = False

    def create(self, row: Any, values: dict[str, Any], request: HttpRequest) -> models.Model:
        """The new row, by the verb."""
        raise NotImplementedError

    def change(self, row: Any, values: dict[str, Any], request: HttpRequest) -> None:
        """Change by the verb what `values` has otherwise."""
        raise NotImplementedError

    def remove(self, row: Any, request: HttpRequest) -> None:
        raise NotImplementedError

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return self.can_add and self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_change and self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_delete and self.has_module_permission(request)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without deleting many at once, which would pass the verbs by."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            self.change(obj, form.cleaned_data, request)
            return
        made = self.create(obj, form.cleaned_data, request)
        obj.__dict__.update({name: value for name, value in made.__dict__.items() if name != "_state"})
        obj._state.adding, obj._state.db = False, made._state.db

    def get_deleted_objects(
        self, objs: Iterable[Any], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """The rows alone: what goes with them, and whether they may go, is the verb's affair."""
        rows = list(objs)
        return [str(row) for row in rows], {str(self.opts.verbose_name_plural): len(rows)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.remove(obj, request)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except DomainError as error:  # the transaction is rolled back; show the form again, with the reason
            request.refused = error  # type: ignore[attr-defined]
            return super().changeform_view(request, *args, **kwargs)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except DomainError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(request.path.replace("/delete/", "/change/"))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        refused = getattr(request, "refused", None)
        return type(form.__name__, (_Refused, form), {"refused": refused}) if refused else form


class _Refused(ModelForm):  # type: ignore[type-arg]
    """A form whose values the verb has refused."""

    refused: DomainError

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        named = {name: texts for name, texts in self.refused.errors.items() if name in self.fields}
        for name, texts in named.items():
            for text in texts:
                self.add_error(name, text)
        if not named:
            self.add_error(None, self.refused.detail)


class ReadOnlyInline(TabularInline):
    """Rows of another table beneath a row, to be looked at and followed."""

    extra = 0
    can_delete = False
    show_change_link = True
    per_page = 20

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
