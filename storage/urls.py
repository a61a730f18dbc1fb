from django.urls import path

from .pages import access_keys, backends, buckets, details, objects, policies, settings, share_links, usage

urlpatterns = [
    path("backends", backends.backends, name="backends"),
    path("backends/new", backends.new_backend, name="new-backend"),
    path("backends/<uuid:public_id>", backends.backend, name="backend"),
    path("backends/<uuid:public_id>/test", backends.test_backend, name="test-backend"),
    path("backends/<uuid:public_id>/delete", backends.delete_backend, name="delete-backend"),
    path("buckets", buckets.buckets, name="buckets"),
    path("buckets/new", buckets.new_bucket, name="new-bucket"),
    path("buckets/<str:name>", objects.objects, name="bucket"),
    path("buckets/<str:name>/delete", buckets.delete_bucket, name="delete-bucket"),
    path("buckets/<str:name>/settings", settings.settings, name="bucket-settings"),
    path("buckets/<str:name>/settings/<str:section>", settings.setting, name="bucket-setting"),
    path("buckets/<str:name>/policy", policies.policy, name="bucket-policy"),
    path("buckets/<str:name>/policy/simulate", policies.simulate, name="bucket-simulate"),
    path("buckets/<str:name>/usage", usage.usage, name="bucket-usage"),
    path("buckets/<str:name>/object", details.details, name="object"),
    path("buckets/<str:name>/object/open", details.open_document, name="open-object"),
    path("buckets/<str:name>/object/share", details.share, name="share-object"),
    path("buckets/<str:name>/object/change", details.change, name="change-object"),
    path("buckets/<str:name>/links", objects.links, name="object-links"),
    path("buckets/<str:name>/delete-objects", objects.delete_objects, name="delete-objects"),
    path("share-links", share_links.share_links, name="share-links"),
    path("share-links/<uuid:public_id>/revoke", share_links.revoke_share_link, name="revoke-share-link"),
    path("shared/<str:token>", share_links.shared, name="shared"),
    path("access-keys", access_keys.access_keys, name="access-keys"),
    path("access-keys/new", access_keys.new_access_key, name="new-access-key"),
    path("access-keys/<uuid:public_id>", access_keys.access_key, name="access-key"),
    path("access-keys/<uuid:public_id>/revoke", access_keys.revoke_access_key, name="revoke-access-key"),
]
