from __future__ import annotations

import itertools
import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accounts.permissions import dashboard_required
from exports import export
from exports.selection import select
from voting.models import Round


@require_GET
@dashboard_required
def page(request: HttpRequest, slug: str) -> HttpResponse:
    round_ = get_object_or_404(Round, slug=slug)
    selection = select(round_)
    rows = itertools.islice(export.lines(selection, format="dpo", round_=round_), 3)
    samples = [json.dumps(json.loads(row), ensure_ascii=False, indent=2) for row in rows]
    context = {"round": round_, "selection": selection, "rows": len(selection.kept), "samples": samples}
    return render(request, "exports/page.html", context)


@require_POST
@dashboard_required
def download(request: HttpRequest, slug: str) -> HttpResponse:
    round_ = get_object_or_404(Round, slug=slug)
    rows = list(export.lines(select(round_), format="dpo", round_=round_))
    if not rows:
        return redirect("export", slug=slug)
    by = request.user if isinstance(request.user, User) else None
    made = export.record(round=round_, format="dpo", rows=rows, path="", by=by)
    response = HttpResponse("".join(rows), content_type="application/jsonl; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{round_.slug}-dpo-{made.rows_sha[:8]}.jsonl"'
    return response
