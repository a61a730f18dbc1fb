from django.urls import path

from . import views

urlpatterns = [
    path("storage/backends", views.BackendsView.as_view()),
    path("storage/backends/<uuid:public_id>", views.BackendView.as_view()),
    path("storage/backends/<uuid:public_id>/check", views.BackendCheckView.as_view()),
    path("storage/buckets", views.BucketsView.as_view()),
    path("storage/buckets/<uuid:public_id>", views.BucketView.as_view()),
    path("storage/access-keys", views.AccessKeysView.as_view()),
    path("storage/access-keys/<uuid:public_id>", views.AccessKeyView.as_view()),
    path("storage/objects", views.ObjectsView.as_view()),
    path("storage/objects/links", views.ObjectLinksView.as_view()),
]
