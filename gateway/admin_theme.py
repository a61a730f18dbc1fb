"""How the admin looks (django-unfold): the colours and the logo of the pages, and the side bar."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy


def _link(title: str, icon: str, model: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{model}_changelist")}


def _static(path: str) -> Any:
    return lambda request: static(path)


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Gatehouse",
    "SITE_HEADER": "Gatehouse",
    "SITE_SUBHEADER": "Administration",
    "SITE_URL": "/app/",
    "SITE_ICON": _static("img/logo.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _static("img/favicon.svg")}],
    "STYLES": [_static("css/admin.css")],
    "SCRIPTS": [_static("js/admin.js")],
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "base": {
            "50": "oklch(97.6% .003 240)",
            "100": "oklch(95.4% .005 240)",
            "200": "oklch(90.2% .009 240)",
            "300": "oklch(84% .013 240)",
            "400": "oklch(73% .025 240)",
            "500": "oklch(54% .03 240)",
            "600": "oklch(45% .03 240)",
            "700": "oklch(33% .025 240)",
            "800": "oklch(25% .02 240)",
            "900": "oklch(20.5% .015 240)",
            "950": "oklch(16% .012 240)",
        },
        "primary": {
            "50": "oklch(97.5% .012 203)",
            "100": "oklch(94.8% .024 203)",
            "200": "oklch(89.5% .045 203)",
            "300": "oklch(83% .068 203)",
            "400": "oklch(76% .088 203)",
            "500": "oklch(68% .09 203)",
            "600": "oklch(46.5% .077 203)",
            "700": "oklch(41% .07 203)",
            "800": "oklch(36% .06 203)",
            "900": "oklch(31% .05 203)",
            "950": "oklch(24% .04 203)",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "command_search": False,
        "navigation": [
            {
                "items": [
                    {"title": "Start", "icon": "home", "link": reverse_lazy("admin:index")},
                    {"title": "User interface", "icon": "open_in_browser", "link": "/app/"},
                ]
            },
            {
                "title": "Tenants",
                "separator": True,
                "items": [
                    _link("Tenants", "domain", "tenants_tenant"),
                    _link("Users", "person", "tenants_user"),
                    _link("Memberships", "group", "tenants_membership"),
                    _link("Roles", "badge", "tenants_role"),
                    _link("Invitations", "mail", "tenants_invitation"),
                    _link("Mail", "outbox", "tenants_mail"),
                    _link("Domains", "language", "tenants_domain"),
                    _link("API keys", "key", "tenants_apikey"),
                    _link("Signing keys", "signature", "tenants_signingkey"),
                    _link("Limits", "speed", "tenants_quota"),
                ],
            },
            {
                "title": "Storage",
                "separator": True,
                "items": [
                    _link("Backends", "dns", "storage_backend"),
                    _link("Buckets", "inventory_2", "storage_bucket"),
                    _link("Placements", "pin_drop", "storage_placement"),
                    _link("S3 access keys", "vpn_key", "storage_accesskey"),
                    _link("Share links", "share", "storage_sharelink"),
                    _link("Objects", "description", "storage_object"),
                    _link("Object versions", "history", "storage_objectversion"),
                    _link("Usage", "pie_chart", "storage_usage"),
                ],
            },
            {
                "title": "Workspaces",
                "separator": True,
                "items": [
                    _link("Workspaces", "computer", "workspaces_workspace"),
                    _link("Services", "deployed_code", "workspaces_service"),
                    _link("Ports", "lan", "workspaces_port"),
                    _link("Templates", "layers", "workspaces_template"),
                    _link("Snapshots", "photo_camera", "workspaces_volumesnapshot"),
                    _link("Readings", "monitoring", "workspaces_sample"),
                ],
            },
            {
                "title": "Activity",
                "separator": True,
                "items": [
                    _link("Events", "bolt", "realtime_event"),
                    _link("Audit log", "policy", "tenants_auditentry"),
                    _link("Audit seals", "verified", "tenants_auditseal"),
                ],
            },
            {
                "title": "Under way",
                "separator": True,
                "collapsible": True,
                "items": [
                    _link("Write intents", "pending_actions", "storage_writeintent"),
                    _link("Uploads", "upload", "storage_upload"),
                    _link("Upload parts", "splitscreen", "storage_uploadpart"),
                    _link("Blob garbage", "delete_sweep", "storage_blobgarbage"),
                ],
            },
            {
                "title": "Schedules",
                "separator": True,
                "collapsible": True,
                "items": [
                    _link("Periodic tasks", "schedule", "django_celery_beat_periodictask"),
                    _link("Intervals", "timer", "django_celery_beat_intervalschedule"),
                    _link("Crontabs", "calendar_month", "django_celery_beat_crontabschedule"),
                    _link("Clocked", "alarm", "django_celery_beat_clockedschedule"),
                    _link("Solar", "wb_sunny", "django_celery_beat_solarschedule"),
                ],
            },
            {
                "title": "Signing in",
                "separator": True,
                "collapsible": True,
                "items": [
                    _link("Sign-ins", "login", "tenants_signin"),
                    _link("Second factors", "passkey", "tenants_secondfactor"),
                ],
            },
        ],
    },
}
