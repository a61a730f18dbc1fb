from django.urls import path

from .pages import api_keys, audit, members

urlpatterns = [
    path("api-keys", api_keys.keys, name="api-keys"),
    path("api-keys/new", api_keys.new_key, name="new-api-key"),
    path("api-keys/<uuid:public_id>/revoke", api_keys.revoke_key, name="revoke-api-key"),
    path("members", members.members, name="members"),
    path("members/new", members.new_member, name="new-member"),
    path("members/<uuid:public_id>", members.change_member, name="change-member"),
    path("audit", audit.audit, name="audit"),
    path("audit/export", audit.export_audit, name="export-audit"),
    path("audit/verify", audit.verify_audit, name="verify-audit"),
    path("audit/<uuid:public_id>", audit.audit_entry, name="audit-entry"),
]
