"""The volunteer's pages. Views translate HTTP; ballots.py decides.

With htmx an answer is the fragment `_round.html`; without JavaScript it is 303 to /compare, where the next pair waits.
"""

from __future__ import annotations

from typing import Any

from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from voting import ballots, catalogue, showing, voters
from voting.errors import BallotError, ComparisonExpired, NoSuchComparison, NothingToUndo

BLOCK = 20  # a stretch of work after which a page may suggest a break
STRIP_COOKIE = "said"  # what the last ballot was, for the page after a redirect


def _ui_language() -> str:
    return "ja" if (get_language() or "").startswith("ja") else "en"


def _digest(request: HttpRequest) -> str:
    key = voters.key_of(request)
    if key is None:
        raise Http404
    return key.digest


def _context(shown: showing.Shown, **more: Any) -> dict[str, Any]:
    done = shown.votes % BLOCK
    question = (shown.pair.questions.get(_ui_language()) if shown.pair else "") or _(
        "Which answer is better?"
    )
    progress = {"done": done, "goal": BLOCK, "block_done": done, "total": shown.votes, "now": done + 1}
    base = {"pair": shown.pair, "prefetched": shown.prefetched, "progress": progress, "votes": shown.votes}
    return {"strip": None, "notice": None, "question": question, "reason": "exhausted", **base, **more}


def _strip(outcome: str, token: str, *, replay: bool = False, asked: str = "") -> dict[str, Any]:
    differs = replay and bool(asked) and asked != outcome
    return {"outcome": outcome, "token": token, "undo": True, "replay": replay, "differs": differs}


def _answer(request: HttpRequest, shown: showing.Shown, *, status: int = 200, **more: Any) -> HttpResponse:
    """The fragment for htmx; for a plain form a redirect, the strip carried over in a cookie of its own."""
    if request.headers.get("HX-Request"):
        return render(request, "voting/_round.html", _context(shown, **more), status=status)
    if status == 410:
        return render(request, "voting/compare.html", _context(shown, **more), status=status)
    response = redirect("compare")
    response.status_code = 303
    strip = more.get("strip")
    said = f"{strip['outcome']} {strip['token']}" if strip else str(more.get("notice") or "")
    response.set_signed_cookie(STRIP_COOKIE, said, max_age=60, httponly=True, samesite="Lax")
    return response


def _busy(request: HttpRequest) -> HttpResponse:
    """The database did not answer in time. Nothing was recorded; the same token may be sent again."""
    response = HttpResponse(_("That didn’t go through. Please send it again."), status=503)
    response["Retry-After"] = "2"
    return response


@require_GET
@ensure_csrf_cookie
def landing(request: HttpRequest) -> HttpResponse:
    chosen = voters.chosen_languages(request)
    context = {
        "rounds_open": bool(catalogue.open_rounds()),
        "chosen": "both" if len(chosen) > 1 else chosen[0] if chosen else None,
        "returning": voters.key_of(request) is not None,
    }
    return render(request, "voting/landing.html", context)


@require_GET
@never_cache
def compare(request: HttpRequest) -> HttpResponse:
    """The oldest open pair, and the one after it. The first visit makes the voter."""
    key = voters.key_of(request) or voters.new_key()
    if not catalogue.open_rounds():
        return render(request, "voting/done.html", {"votes": 0, "reason": "none_open", "strip": None})
    reads = voters.chosen_languages(request) or [_ui_language()]
    voters.ensure(key=key, languages=reads, group=voters.group_of(request))
    try:
        shown = ballots.show(digest=key.digest)
    except OperationalError:
        return _busy(request)
    more = _said(request)
    template = "voting/compare.html" if shown.pair else "voting/done.html"
    response = render(request, template, _context(shown, **more))
    voters.remember(response, key)
    response.delete_cookie(STRIP_COOKIE)
    return response


def _said(request: HttpRequest) -> dict[str, Any]:
    said = request.get_signed_cookie(STRIP_COOKIE, default="") or ""
    outcome, _space, token = str(said).partition(" ")
    if token:
        return {"strip": _strip(outcome, token)}
    return {"notice": outcome or None}


@require_POST
def vote(request: HttpRequest, token: str) -> HttpResponse:
    dwell = request.POST.get("dwell_ms", "")
    try:
        receipt = ballots.cast(
            digest=_digest(request),
            token=str(token),
            outcome=request.POST.get("vote", ""),
            dwell_ms=min(int(dwell), 2**31 - 1) if dwell.isascii() and dwell.isdigit() else None,
            input=request.POST.get("input", ""),
            ui_language=_ui_language(),
        )
    except ComparisonExpired:
        return _expired(request)
    except NoSuchComparison as error:
        raise Http404 from error
    except BallotError as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    except OperationalError:
        return _busy(request)
    strip = _strip(receipt.outcome, receipt.token, replay=receipt.replay, asked=receipt.asked)
    return _answer(request, receipt.shown, strip=strip)


def _expired(request: HttpRequest) -> HttpResponse:
    """410, and a fresh pair to go on with."""
    return _answer(request, ballots.show(digest=_digest(request)), status=410, notice="expired")


@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    digest = _digest(request)
    try:
        return _answer(request, ballots.undo(digest=digest), notice="undone")
    except NothingToUndo:
        return _answer(request, ballots.show(digest=digest), notice="nothing_to_undo")
    except NoSuchComparison as error:
        raise Http404 from error
    except OperationalError:
        return _busy(request)


@require_POST
def skip(request: HttpRequest, token: str) -> HttpResponse:
    return _end(request, str(token), request.POST.get("skip", "skip"))


@require_POST
def report(request: HttpRequest, token: str) -> HttpResponse:
    return _end(request, str(token), "report")


def _end(request: HttpRequest, token: str, kind: str) -> HttpResponse:
    said = {"reasons": request.POST.getlist("problem"), "comment": request.POST.get("comment", "")}
    try:
        receipt = ballots.end(digest=_digest(request), token=token, kind=kind, **said)
    except ComparisonExpired:
        return _expired(request)
    except NoSuchComparison as error:
        raise Http404 from error
    except BallotError as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    except OperationalError:
        return _busy(request)
    return _answer(request, receipt.shown, notice="reported" if kind == "report" else None)


@require_POST
def reasons(request: HttpRequest, token: str) -> HttpResponse:
    """Chips save themselves (204); a plain form goes back to the pair."""
    comment = request.POST.get("comment")
    saved = ballots.save_reasons(
        digest=_digest(request), token=str(token), reasons=request.POST.getlist("reason"), comment=comment
    )
    if request.headers.get("X-Requested-With") or request.headers.get("HX-Request"):
        return HttpResponse(status=204 if saved else 410)
    return redirect("compare")


@require_POST
def languages(request: HttpRequest) -> HttpResponse:
    """What the volunteer reads: ja, en or both."""
    chosen = voters.languages_of(request.POST.get("languages", ""))
    if not chosen:
        return HttpResponseBadRequest("languages must be ja, en or both.", content_type="text/plain")
    next_page = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(next_page, allowed_hosts={request.get_host()}):
        next_page = reverse("compare")
    response = redirect(next_page)
    voters.remember_languages(response, chosen)
    if key := voters.key_of(request):
        voters.set_languages(key=key, languages=chosen)
    return response
