from django.urls import path

from voting import views

urlpatterns = [
    path("", views.landing, name="landing"),
    path("compare", views.compare, name="compare"),
    path("vote/<uuid:token>", views.vote, name="vote"),
    path("undo", views.undo, name="undo"),
    path("skip/<uuid:token>", views.skip, name="skip"),
    path("report/<uuid:token>", views.report, name="report"),
    path("reasons/<uuid:token>", views.reasons, name="reasons"),
    path("languages", views.languages, name="languages"),
    path("r/<slug:slug>", views.invitation, name="invitation"),
]
