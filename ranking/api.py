"""The ranking, for programs. Reading only; the same Figures as the pages."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from ranking.presenting import ALL_SLICES, LEVELS
from ranking.queries import current_figures
from voting.models import Round


class RoundOutput(serializers.Serializer):  # type: ignore[type-arg]
    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    purpose = serializers.CharField()
    state = serializers.CharField()
    goal = serializers.CharField()
    languages = serializers.ListField(child=serializers.CharField())
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField()


class RankingQuery(serializers.Serializer):  # type: ignore[type-arg]
    level = serializers.ChoiceField(choices=LEVELS, default="candidate")
    slice = serializers.ChoiceField(choices=ALL_SLICES, default="all")


class NewestFirst(CursorPagination):
    ordering = "-id"
    page_size = 50


@api_view(["GET"])
def rounds(request: Request) -> Response:
    """The rounds, newest first: next, previous, results."""
    pages = NewestFirst()
    page = pages.paginate_queryset(Round.objects.exclude(state=Round.State.DRAFT), request)
    return pages.get_paginated_response(RoundOutput(page, many=True).data)


@api_view(["GET"])
def ranking(request: Request, slug: str) -> Response:
    """The figures of a round at one level and slice, as the dashboard shows them."""
    query = RankingQuery(data=request.query_params)
    query.is_valid(raise_exception=True)
    chosen = query.validated_data
    body = current_figures(get_object_or_404(Round, slug=slug), level=chosen["level"], slice=chosen["slice"])
    return Response({"level": chosen["level"], "slice": chosen["slice"], **body})
