"""The maintainer's pages. They read Figures; what is queued is folded first, so a page is never behind its votes."""

from __future__ import annotations

import csv
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.permissions import dashboard_required
from generation.models import Candidate, Plan, PromptSet, Response
from generation.queries import plan_progress
from ranking import presenting, status, wording
from ranking.queries import current_figures
from voting.models import Round


@require_GET
@dashboard_required
def home(request: HttpRequest) -> HttpResponse:
    """The newest open round, else the newest, else the first steps."""
    newest = Round.objects.exclude(state=Round.State.DRAFT).order_by("-opened_at")
    round_ = newest.filter(state=Round.State.OPEN, kind=Round.Kind.HUMAN).first() or newest.first()
    return redirect("overview", slug=round_.slug) if round_ else redirect("first-steps")


@require_GET
@never_cache
@dashboard_required
def overview(request: HttpRequest, slug: str) -> HttpResponse:
    round_ = get_object_or_404(Round, slug=slug)
    body = current_figures(round_, level=decided_level(round_), slice="all")
    context = {
        "nav": "overview",
        "headline": wording.headline(body),
        "lede": wording.lede(body),
        "checks": wording.checks(body),
        "rows_title": wording.rows_title(body),
        "groups": presenting.groups(body),
        "axis": presenting.safe(presenting.cells.axis(presenting.axis_of(body["rows"]))),
        "looks": presenting.looks_figure(body),
        "tie_percent": presenting.percent(body["tie_rate"]),
        "both_bad_percent": presenting.percent(body["both_bad_share"]),
        "vote_url": request.build_absolute_uri(reverse("landing")),
    }
    return _page(request, "dashboard/overview.html", round_, body, context)


def decided_level(round_: Round) -> str:
    """What the verdict is about: with matched samplers only checkpoints are comparable."""
    return "checkpoint" if round_.match_sampler else "candidate"


@require_GET
@never_cache
@dashboard_required
def leaderboard(request: HttpRequest, slug: str) -> HttpResponse:
    round_ = get_object_or_404(Round, slug=slug)
    level, slice_ = _chosen(request)
    body = current_figures(round_, level=level, slice=slice_)
    context = {
        "nav": "leaderboard",
        "level": level,
        "slice_code": slice_.removesuffix(presenting.WITHOUT_INSIDERS),
        "levels": presenting.LEVELS,
        "slices": presenting.SLICES,
        "insiders_out": request.GET.get("insiders") == "out",
        "rows": [row for group in presenting.groups(body) for row in group["rows"]],
        "axis": presenting.safe(presenting.cells.axis(presenting.axis_of(body["rows"]))),
        "heat": presenting.heat(body),
        "title": wording.headline(body),
    }
    return _page(request, "dashboard/leaderboard.html", round_, body, context)


def _chosen(request: HttpRequest) -> tuple[str, str]:
    level, slice_ = request.GET.get("level", "candidate"), request.GET.get("slice", "all")
    if level not in presenting.LEVELS or slice_ not in presenting.SLICES:
        raise Http404
    return level, slice_ + presenting.WITHOUT_INSIDERS if request.GET.get("insiders") == "out" else slice_


@require_GET
@dashboard_required
def download(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """The strengths as CSV or as a drawing with literal colours."""
    round_ = get_object_or_404(Round, slug=slug)
    level, slice_ = _chosen(request)
    body = current_figures(round_, level=level, slice=slice_)
    source = f"{round_.slug}, {slice_}, {body['votes']} votes{' (simulated)' if round_.kind == 'simulated' else ''}"
    if kind == "svg":
        drawing = presenting.forest_drawing(body, wording.rows_title(body))
        response = HttpResponse(drawing.file(f"Rating points, 95% intervals. {source}"), content_type="image/svg+xml")
    else:
        response = HttpResponse(f"# {source}\n", content_type="text/csv; charset=utf-8")
        csv.writer(response).writerows(presenting.csv_rows(body))
    response["Content-Disposition"] = f'attachment; filename="{round_.slug}-{level}-{slice_}.{kind}"'
    return response


@require_GET
@never_cache
@dashboard_required
def plans(request: HttpRequest) -> HttpResponse:
    """All plans; htmx asks for the fragment while one is running."""
    found = [(plan, plan_progress(plan)) for plan in Plan.objects.order_by("-id")[:20]]
    context = {"nav": "plans", "plans": found, "running": any(plan.state == "running" for plan, _ in found)}
    if request.headers.get("HX-Request"):
        return render(request, "dashboard/_plans.html", context)
    return _page(request, "dashboard/plans.html", None, None, context)


@require_GET
@dashboard_required
def first_steps(request: HttpRequest) -> HttpResponse:
    context = {
        "nav": "start",
        "candidates": Candidate.objects.count(),
        "prompt_sets": PromptSet.objects.count(),
        "responses": Response.objects.count(),
        "rounds": Round.objects.exclude(state="draft").count(),
    }
    return _page(request, "dashboard/first_steps.html", None, None, context)


@require_GET
@never_cache
@dashboard_required
def strip(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/_strip.html", {"status": status.now()})


def _page(
    request: HttpRequest, template: str, round_: Round | None, body: dict[str, Any] | None, context: dict[str, Any]
) -> HttpResponse:
    rounds = Round.objects.exclude(state=Round.State.DRAFT).order_by("-opened_at")[:20]
    common = {"round": round_, "body": body, "rounds": rounds, "status": status.now()}
    return render(request, template, {**common, **context})
