from django.urls import path

from . import access_keys, backends, buckets, credentials, objects, policies, share_links

_BUCKET = "storage/buckets/<uuid:public_id>"

urlpatterns = [
    path("storage/backends", backends.BackendsView.as_view()),
    path("storage/backends/<uuid:public_id>", backends.BackendView.as_view()),
    path("storage/backends/<uuid:public_id>/check", backends.BackendCheckView.as_view()),
    path("storage/buckets", buckets.BucketsView.as_view()),
    path(_BUCKET, buckets.BucketView.as_view()),
    path(f"{_BUCKET}/usage", buckets.BucketUsageView.as_view()),
    path(f"{_BUCKET}/scan", buckets.ScanBucketView.as_view()),
    path(f"{_BUCKET}/policy", policies.PolicyView.as_view()),
    path(f"{_BUCKET}/policy/simulate", policies.SimulateView.as_view()),
    path("storage/access-keys", access_keys.AccessKeysView.as_view()),
    path("storage/access-keys/<uuid:public_id>", access_keys.AccessKeyView.as_view()),
    path("storage/access-keys/<uuid:public_id>/rotate", access_keys.RotateAccessKeyView.as_view()),
    path("storage/credentials", credentials.CredentialsView.as_view()),
    path("storage/objects", objects.ObjectsView.as_view()),
    path("storage/objects/details", objects.ObjectDetailsView.as_view()),
    path("storage/objects/versions", objects.VersionsView.as_view()),
    path("storage/objects/tags", objects.ObjectTagsView.as_view()),
    path("storage/objects/retention", objects.RetentionView.as_view()),
    path("storage/objects/legal-hold", objects.LegalHoldView.as_view()),
    path("storage/objects/undelete", objects.UndeleteView.as_view()),
    path("storage/objects/restore", objects.RestoreView.as_view()),
    path("storage/objects/bulk-delete", objects.BulkDeleteView.as_view()),
    path("storage/objects/links", objects.ObjectLinksView.as_view()),
    path("storage/share-links", share_links.ShareLinksView.as_view()),
    path("storage/share-links/<uuid:public_id>", share_links.ShareLinkView.as_view()),
]
