"""The templates of the packages behind the admin, said so that a strict content security policy lets them work.

The policy allows scripts and styles of our own files or with the request's nonce, and no evaluation of text. What a
package's template says otherwise is replaced as it is loaded; where the text is not found, an upgrade has changed it,
and loading fails rather than the page in a browser. static/js/admin.js has what the new words call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.template.base import Origin
from django.template.loaders.app_directories import Loader as AppDirectories

_NONCE: Final = 'nonce="{{ request.csp_nonce }}"'
_HTMX: Final = '{"includeIndicatorStyles":false,"allowEval":false,"allowScriptTags":false}'
_ACTION: Final = (
    "activeTab && activeTab !== 'general' ? window.location.pathname + window.location.search + '#' + activeTab"
    " : window.location.pathname + window.location.search"
)

REPLACED: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "unfold/layouts/skeleton.html": (
        ("unfold/js/alpine/alpine.js", "vendor/alpine/alpine.csp.min.js"),
        ('<style id="unfold-theme-colors">', f'<style id="unfold-theme-colors" {_NONCE}>'),
        (
            "(localStorage.getItem('sidebarDesktopOpen') !== null) ?"
            " (localStorage.getItem('sidebarDesktopOpen') == '1') : true",
            "sidebarKept()",
        ),
        (
            "activeTab = {% if opts %}getCurrentTab() || '{% tabs_primary_active inline_admin_formsets %}'"
            "{% else %}''{% endif %};",
            "[activeTab = {% if opts %}currentTab() || '{% tabs_primary_active inline_admin_formsets %}'"
            "{% else %}''{% endif %},",
        ),
        (
            "$watch('sidebarDesktopOpen', value => localStorage.setItem('sidebarDesktopOpen', value ? '1' : '0'));",
            "$watch('sidebarDesktopOpen', keepSidebar)]",
        ),
        ("<head>\n", f"<head>\n        <meta name=\"htmx-config\" content='{_HTMX}'>\n"),
    ),
    "unfold/helpers/welcomemsg.html": (
        (" localStorage.setItem('sidebarDesktopOpen', sidebarDesktopOpen ? '1' : '0');", ""),
    ),
    "unfold/helpers/search.html": (
        ('"openSearchResults = true; currentIndex = 0"', '"[openSearchResults = true, currentIndex = 0]"'),
        (
            "openSearchResults = false; if ($refs.searchInput.value === '')"
            " { $refs.searchInput.blur() } else { $refs.searchInput.value = '' }",
            "[openSearchResults = false, clearSearch($refs.searchInput)]",
        ),
    ),
    "unfold/helpers/command.html": (
        ("if (!$event.metaKey && !$event.ctrlKey) selectItem", "!$event.metaKey && !$event.ctrlKey && selectItem"),
    ),
    "unfold/components/progress.html": (
        ('style="width: {{ item.value }}%"', 'data-width="{{ item.value }}"'),
        ('style="width: {{ value }}%"', 'data-width="{{ value }}"'),
    ),
    "admin/actions.html": (("'width: ' + changeListWidth + 'px'", "{width: changeListWidth + 'px'}"),),
    "admin/change_form.html": ((_ACTION, "formAction(activeTab)"),),
    "admin/change_list.html": (("<style>", f"<style {_NONCE}>"),),
    "admin/djcelery/change_periodictask_form.html": (
        ('<script id="periodic-task-overrides">', f'<script id="periodic-task-overrides" {_NONCE}>'),
    ),
}  # fmt: skip


class Loader(AppDirectories):
    """The applications' templates, changed as REPLACED says. Raises ImproperlyConfigured where it cannot be done."""

    def get_contents(self, origin: Origin) -> str:
        text: str = super().get_contents(origin)
        name = str(origin.template_name)
        for old, new in REPLACED.get(name, ()):
            if old not in text:
                raise ImproperlyConfigured(f"{name} has changed: it no longer says {old!r}")
            text = text.replace(old, new)
        return text
