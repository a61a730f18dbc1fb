from django.urls import path

from . import services

_ITEM = "services/<uuid:public_id>"

urlpatterns = [
    path("services", services.ServicesView.as_view()),
    path(_ITEM, services.ServiceView.as_view()),
    path(f"{_ITEM}/start", services.StartView.as_view()),
    path(f"{_ITEM}/stop", services.StopView.as_view()),
    path(f"{_ITEM}/restart", services.RestartView.as_view()),
    path(f"{_ITEM}/restore", services.RestoreView.as_view()),
    path(f"{_ITEM}/purge", services.PurgeView.as_view()),
    path(f"{_ITEM}/ports", services.PortsView.as_view()),
    path(f"{_ITEM}/ports/<uuid:port_id>", services.PortView.as_view()),
    path(f"{_ITEM}/logs", services.LogsView.as_view()),
    path(f"{_ITEM}/stats", services.StatsView.as_view()),
]
