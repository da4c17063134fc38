from django.urls import path

from exports import views

urlpatterns = [
    path("rounds/<slug:slug>/export", views.page, name="export"),
    path("rounds/<slug:slug>/export/dpo.jsonl", views.download, name="export-download"),
]
