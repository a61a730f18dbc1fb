from django.urls import path

from . import views

urlpatterns = [
    path("api-keys", views.keys, name="api-keys"),
    path("api-keys/new", views.new_key, name="new-api-key"),
    path("api-keys/<uuid:public_id>/revoke", views.revoke_key, name="revoke-api-key"),
    path("members", views.members, name="members"),
    path("members/new", views.new_member, name="new-member"),
    path("members/<uuid:public_id>", views.change_member, name="change-member"),
    path("audit", views.audit, name="audit"),
    path("audit/<uuid:public_id>", views.audit_entry, name="audit-entry"),
]
