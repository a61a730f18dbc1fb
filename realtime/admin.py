"""The event log in the admin, to be looked at."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter

from gateway.admin_verbs import LogAdmin

from .models import Event


@admin.register(Event)
class EventAdmin(LogAdmin):
    list_display = ("type", "subject", "actor", "tenant", "time", "id")
    list_display_links = ("type",)
    list_select_related = ("tenant",)
    list_filter = (("tenant", AutocompleteSelectFilter), ("time", RangeDateTimeFilter))
    list_filter_submit = True
    search_fields = ("type__startswith", "subject__startswith", "=actor")
    search_help_text = "The beginning of a type or a subject, or who"
    fields = ("id", "type", "source", "subject", "actor", "tenant", "time", "data")
