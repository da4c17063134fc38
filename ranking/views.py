"""The maintainer's pages. They read Figures; what is queued is folded first, so that a page is not behind its votes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.permissions import dashboard_required
from generation import heartbeat
from generation.models import Candidate, Plan, PromptSet, Response
from generation.queries import plan_progress
from ranking import downloads, evidence, presenting, status, wording
from ranking.models import Figures
from ranking.queries import current_figures
from ranking.refresh import decided_level
from ranking.wording import Body
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
def rounds(request: HttpRequest) -> HttpResponse:
    found = list(Round.objects.exclude(state=Round.State.DRAFT).order_by("-opened_at")[:100])
    bodies = {
        (row.round_id, row.level): row.body
        for row in Figures.objects.filter(round__in=found, slice="all", level__in=("candidate", "checkpoint"))
    }
    rows = [(one, _in_short(bodies.get((one.pk, decided_level(one))))) for one in found]
    return render(request, "dashboard/rounds.html", {"nav": "rounds", "rows": rows})


def _in_short(body: Body | None) -> tuple[int, int, str]:
    """Votes, voters and the finding of a round."""
    if body is None:
        return 0, 0, "No votes yet"
    found = wording.verdict(body)
    return body["votes"], body["voters"], f"{found.heading} {found.finding}".strip()


@require_GET
@never_cache
@dashboard_required
def overview(request: HttpRequest, slug: str) -> HttpResponse:
    round_ = get_object_or_404(Round, slug=slug)
    level = decided_level(round_)
    body = current_figures(round_, level=level, slice="all")
    slices = _slices(round_, level)
    context = {
        "nav": "overview",
        "round": round_,
        "body": body,
        "level": level,
        "verdict": wording.verdict(body),
        "checks": evidence.checks(body, slices),
        "table_heading": wording.table_heading(body),
        "strengths": presenting.strengths(body),
        "looks": presenting.looks_figure(body),
        "leaders": presenting.leaders_by_slice(body, slices),
        "counts": wording.counts(body),
        "vote_url": request.build_absolute_uri(reverse("landing")),
    }
    return render(request, "dashboard/overview.html", context)


def _slices(round_: Round, level: str) -> Mapping[str, Body]:
    """The parts of the votes that the checks look at; fitted together with the whole by `current_figures`."""
    codes = ("ja", "en", "all" + presenting.WITHOUT_INSIDERS)
    found = Figures.objects.filter(round=round_, level=level, slice__in=codes)
    return {one.slice: one.body for one in found}


@require_GET
@never_cache
@dashboard_required
def leaderboard(request: HttpRequest, slug: str) -> HttpResponse:
    round_ = get_object_or_404(Round, slug=slug)
    level, slice_ = _chosen(request)
    body = current_figures(round_, level=level, slice=slice_)
    context = {
        "nav": "leaderboard",
        "round": round_,
        "body": body,
        "level": level,
        "slice": slice_,
        "slice_code": slice_.removesuffix(presenting.WITHOUT_INSIDERS),
        "insiders_out": slice_.endswith(presenting.WITHOUT_INSIDERS),
        "levels": presenting.LEVELS,
        "slices": presenting.SLICES,
        "heading": wording.board_heading(body, slice_=slice_),
        "strengths": presenting.strengths(body),
        "matrix": presenting.matrix(body),
        "matrix_heading": wording.matrix_heading(body),
        "most_in_matrix": presenting.MOST_IN_MATRIX,
    }
    return render(request, "dashboard/leaderboard.html", context)


def _chosen(request: HttpRequest) -> tuple[str, str]:
    level, slice_ = request.GET.get("level", "candidate"), request.GET.get("slice", "all")
    if level not in presenting.LEVELS or slice_ not in presenting.ALL_SLICES:
        raise Http404(f"There is no ranking of level {level!r} on slice {slice_!r}.")
    return level, slice_


@require_GET
@dashboard_required
def download(request: HttpRequest, slug: str, figure: str, kind: str) -> HttpResponse:
    """A figure as CSV or as a drawing with literal colours."""
    round_ = get_object_or_404(Round, slug=slug)
    level, slice_ = _chosen(request)
    body = current_figures(round_, level=level, slice=slice_)
    source = downloads.source(round_, body, slice_)
    if kind == "svg":
        made = downloads.drawing(figure, body, source=source)
        response = HttpResponse(made, content_type="image/svg+xml")
    else:
        made = downloads.table(figure, body, source=source)
        response = HttpResponse(made, content_type="text/csv; charset=utf-8")
    name = f"{round_.slug}-{figure}-{level}-{slice_}.{kind}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_GET
@never_cache
@dashboard_required
def plans(request: HttpRequest) -> HttpResponse:
    """All plans; htmx asks for the fragment while one is running."""
    found = [_progress(plan) for plan in Plan.objects.order_by("-id")[:20]]
    found.sort(key=lambda one: one["plan"].state != Plan.State.RUNNING)
    running = [one for one in found if one["plan"].state == Plan.State.RUNNING]
    context: dict[str, Any] = {
        "nav": "plans",
        "plans": found,
        "running": running,
        "workers": heartbeat.workers() if running else [],
        "heading": wording.plans_heading([(one["plan"].name, one["progress"]) for one in running]),
    }
    fragment = bool(request.headers.get("HX-Request"))
    return render(request, "dashboard/_plans.html" if fragment else "dashboard/plans.html", context)


def _progress(plan: Plan) -> dict[str, Any]:
    progress = plan_progress(plan)
    return {
        "plan": plan,
        "progress": progress,
        "percent": f"{100 * progress.done / progress.total:.0f}%" if progress.total else "–",
        "left": wording.duration(progress.seconds_left),
    }


@require_GET
@dashboard_required
def first_steps(request: HttpRequest) -> HttpResponse:
    done = [
        PromptSet.objects.count(),
        Candidate.objects.count(),
        Response.objects.count(),
        Round.objects.exclude(state=Round.State.DRAFT).count(),
    ]
    context = {
        "nav": "start",
        "prompt_sets": done[0],
        "candidates": done[1],
        "responses": done[2],
        "rounds": done[3],
        "next_step": next((k for k, n in enumerate(done, 1) if not n), 5),
    }
    return render(request, "dashboard/first_steps.html", context)


@require_GET
@never_cache
@dashboard_required
def strip(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/_strip.html", {"status": status.now()})
