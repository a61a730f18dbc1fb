from django.urls import path

from . import views

urlpatterns = [
    path("buckets", views.buckets, name="buckets"),
    path("buckets/new", views.new_bucket, name="new-bucket"),
    path("buckets/<str:name>", views.objects, name="bucket"),
    path("buckets/<str:name>/delete", views.delete_bucket, name="delete-bucket"),
    path("buckets/<str:name>/object", views.object_details, name="object"),
    path("buckets/<str:name>/links", views.links, name="object-links"),
    path("buckets/<str:name>/delete-objects", views.delete_objects, name="delete-objects"),
    path("access-keys", views.access_keys, name="access-keys"),
    path("access-keys/new", views.new_access_key, name="new-access-key"),
    path("access-keys/<uuid:public_id>/revoke", views.revoke_access_key, name="revoke-access-key"),
]
