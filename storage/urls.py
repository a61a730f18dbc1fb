from django.urls import path

from .pages import access_keys, buckets, objects

urlpatterns = [
    path("buckets", buckets.buckets, name="buckets"),
    path("buckets/new", buckets.new_bucket, name="new-bucket"),
    path("buckets/<str:name>", objects.objects, name="bucket"),
    path("buckets/<str:name>/delete", buckets.delete_bucket, name="delete-bucket"),
    path("buckets/<str:name>/object", objects.object_details, name="object"),
    path("buckets/<str:name>/links", objects.links, name="object-links"),
    path("buckets/<str:name>/delete-objects", objects.delete_objects, name="delete-objects"),
    path("access-keys", access_keys.access_keys, name="access-keys"),
    path("access-keys/new", access_keys.new_access_key, name="new-access-key"),
    path("access-keys/<uuid:public_id>/revoke", access_keys.revoke_access_key, name="revoke-access-key"),
]
