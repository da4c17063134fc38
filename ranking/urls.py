from django.urls import path, re_path

from ranking import views

urlpatterns = [
    path("", views.home, name="dashboard"),
    path("first-steps", views.first_steps, name="first-steps"),
    path("plans/", views.plans, name="plans"),
    path("strip", views.strip, name="strip"),
    path("rounds/", views.rounds, name="rounds"),
    path("rounds/<slug:slug>/", views.overview, name="overview"),
    path("rounds/<slug:slug>/leaderboard", views.leaderboard, name="leaderboard"),
    re_path(
        r"^rounds/(?P<slug>[-\w]+)/(?P<figure>strengths|p-best|win-rates)\.(?P<kind>csv|svg)$",
        views.download,
        name="figure",
    ),
]
