"""Who may see what: one decorator for pages, one class for the API."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from rest_framework.permissions import BasePermission

from accounts.models import User

if TYPE_CHECKING:  # rest_framework.views imports this module through the settings
    from rest_framework.request import Request
    from rest_framework.views import APIView

View = Callable[..., HttpResponse]


def dashboard_required(view: View) -> View:
    """Maintainers, trainers and owners; others who are logged in get 403, strangers the login page."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not (isinstance(request.user, User) and request.user.may_see_dashboard):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


class IsMaintainer(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, User) and request.user.may_see_dashboard
