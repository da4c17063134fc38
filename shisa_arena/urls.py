from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from shisa_arena import health

urlpatterns = [
    path("", include("voting.urls")),
    path("dashboard/", include("ranking.urls")),
    path("dashboard/", include("exports.urls")),
    path("api/v1/", include("ranking.api_urls")),
    path("accounts/login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("healthz", health.alive),
    path("readyz", health.ready),
]
