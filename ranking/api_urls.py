from django.urls import path

from ranking import api

urlpatterns = [
    path("rounds/", api.rounds, name="api-rounds"),
    path("rounds/<slug:slug>/ranking/", api.ranking, name="api-ranking"),
]
