from django.urls import path

from realtime.api import views

urlpatterns = [
    path("events", views.EventsView.as_view()),
    path("realtime/tickets", views.TicketsView.as_view()),
]
