"""The ranking, for programs. Reading only; the same Figures as the pages."""

from __future__ import annotations


from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from ranking.presenting import LEVELS, SLICES
from ranking.queries import current_figures
from voting.models import Round


class RankingQuery(serializers.Serializer):  # type: ignore[type-arg]
    level = serializers.ChoiceField(choices=LEVELS, default="candidate")
    slice = serializers.ChoiceField(choices=[s + out for s in SLICES for out in ("", "-without_insiders")], default="all")


@api_view(["GET"])
def rounds(request: Request) -> Response:
    """The rounds, newest first."""
    found = Round.objects.exclude(state=Round.State.DRAFT).order_by("-opened_at")
    return Response({"results": list(found.values("slug", "name", "kind", "state", "goal", "opened_at", "closed_at"))})


@api_view(["GET"])
def ranking(request: Request, slug: str) -> Response:
    """Strengths with intervals, arena-rank's columns beside ours."""
    query = RankingQuery(data=request.query_params)
    query.is_valid(raise_exception=True)
    body = current_figures(get_object_or_404(Round, slug=slug), **query.validated_data)
    return Response({**body, "competitors": [row["label"] for row in body["rows"]]})
