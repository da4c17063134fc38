"""The blind pages. One request a vote: the answer to it carries the next pair and the one after."""

from __future__ import annotations

import functools
import hmac
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.db import InterfaceError, OperationalError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_POST

from voting import ballots, catalogue, pairs, queries, showing, voters
from voting.errors import Expired, NotFound, Refused, VotingError
from voting.models import Round
from voting.rounds import invitation_digest

View = Callable[..., HttpResponse]
RETRY_AFTER = "2"


def ballot_view(view: View) -> View:
    """What goes wrong on the way of a ballot, as HTTP. The page may send the same token again at any time."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except NotFound as error:
            raise Http404(str(error)) from error
        except Refused as error:
            return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
        except (OperationalError, InterfaceError):
            # A lock that took too long, or a lost connection: nothing was acknowledged.
            return HttpResponse(
                "Please send that again.\n",
                status=503,
                content_type="text/plain",
                headers={"Retry-After": RETRY_AFTER},
            )

    return cache_control(no_store=True)(wrapped)


@require_GET
def landing(request: HttpRequest) -> HttpResponse:
    catalogue.poll()
    context = {
        "rounds_open": any(live.open for live in _offered(request)),
        "chosen": voters.chosen_languages(request),
        "votes": queries.votes_of(voters.resolve(request)),
    }
    return render(request, "voting/landing.html", context)


def _offered(request: HttpRequest) -> list[catalogue.Live]:
    invited = voters.invitations(request)
    return [one for one in catalogue.rounds().values() if not one.invited_only or one.slug in invited]


@require_GET
@ballot_view
def compare(request: HttpRequest) -> HttpResponse:
    """The oldest open pair. The voter is made here, together with the first pair or not at all."""
    with voters.first_turn(request) as voter:
        table = pairs.lay(voter=voter, invited=voters.invitations(request))
        last = ballots.last(voter=voter)
        response = _answer(request, table, strip=showing.strip(last), notice=request.GET.get("notice"))
        if voter.key and table.pairs:
            voters.remember(response, key=voter.key)
        elif voter.key:
            transaction.set_rollback(True)
    return response


@require_POST
@ballot_view
def vote(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    sent, notice, strip, expired = request.POST.get("vote", ""), None, None, False
    with voters.turn(voters.resolve(request)) as voter:
        try:
            recorded = ballots.cast(
                token=token,
                voter=voter,
                outcome=sent,
                dwell_ms=_number(request.POST.get("dwell_ms", "")),
                input=request.POST.get("input", ""),
                ui_language=voters.interface_language(request),
            )
        except Expired:
            expired, notice = True, "expired"
        else:
            strip = showing.strip(recorded, sent=sent)
            notice = "replay_differs" if recorded.outcome != sent else None
        if not expired and not request.headers.get("HX-Request"):
            return _to_compare(notice)
        table = pairs.lay(voter=voter, invited=voters.invitations(request))
        return _answer(request, table, strip=strip, notice=notice, status=410 if expired else 200)


@require_POST
@ballot_view
def undo(request: HttpRequest) -> HttpResponse:
    with voters.turn(voters.resolve(request)) as voter:
        undone = ballots.undo(voter=voter, token=_token(request.POST.get("token", "")))
        return _next(request, voter, notice="undone" if undone else None)


@require_POST
@ballot_view
def skip(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    with voters.turn(voters.resolve(request)) as voter:
        return _ended(
            request,
            voter,
            lambda: ballots.skip(token=token, voter=voter, kind=request.POST.get("skip", "skip")),
        )


@require_POST
@ballot_view
def report(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    problems, comment = request.POST.getlist("problem"), request.POST.get("comment", "")
    with voters.turn(voters.resolve(request)) as voter:
        return _ended(
            request,
            voter,
            lambda: ballots.report(token=token, voter=voter, problems=problems, comment=comment),
        )


@require_POST
@ballot_view
def reasons(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    with voters.turn(voters.resolve(request)) as voter:
        try:
            ballots.save_reasons(
                token=token,
                voter=voter,
                reasons=request.POST.getlist("reason"),
                comment=request.POST.get("comment"),
            )
        except Expired as error:
            return HttpResponse(str(error), status=410, content_type="text/plain; charset=utf-8")
    return HttpResponse(status=204) if request.headers.get("HX-Request") else _to_compare(None)


@require_POST
@ballot_view
def languages(request: HttpRequest) -> HttpResponse:
    choice = request.POST.get("languages", "")
    try:
        voters.set_languages(digest=voters.resolve(request), choice=choice)
    except NotFound:
        pass  # a cookie without a row: the voter is made at the first pair
    except VotingError as error:
        raise Refused(str(error)) from error
    wanted = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    response = HttpResponse(status=303, headers={"Location": wanted if safe else reverse("compare")})
    voters.remember_languages(response, choice=choice)
    return response


@require_GET
@cache_control(no_store=True)
def invitation(request: HttpRequest, slug: str) -> HttpResponse:
    """A round's private link. A wrong key and a round that is not there look alike."""
    round_ = Round.objects.filter(slug=slug, state=Round.State.OPEN, kind=Round.Kind.HUMAN).first()
    digest = round_.invitation_digest if round_ else None
    given = invitation_digest(request.GET.get("k", ""))
    if round_ is None or (digest is not None and not hmac.compare_digest(digest, given)):
        raise Http404("There is no such invitation.")
    response = redirect("landing")
    voters.remember_invitation(request, response, slug=slug)
    return response


def _ended(request: HttpRequest, voter: voters.Known, act: Callable[[], None]) -> HttpResponse:
    try:
        act()
    except Expired:
        table = pairs.lay(voter=voter, invited=voters.invitations(request))
        return _answer(request, table, notice="expired", status=410)
    return _next(request, voter)


def _next(request: HttpRequest, voter: voters.Known, *, notice: str | None = None) -> HttpResponse:
    if not request.headers.get("HX-Request"):
        return _to_compare(notice)
    table = pairs.lay(voter=voter, invited=voters.invitations(request))
    return _answer(request, table, notice=notice)


def _answer(
    request: HttpRequest,
    table: pairs.Table,
    *,
    strip: dict[str, Any] | None = None,
    notice: str | None = None,
    status: int = 200,
) -> HttpResponse:
    """The next pair: as a fragment for htmx, else as a page; or the page that says that there is none."""
    fragment = bool(request.headers.get("HX-Request"))
    if not table.pairs and fragment:
        return HttpResponse(status=status, headers={"HX-Redirect": reverse("compare")})
    if not table.pairs:
        context = {"votes": table.votes, "reason": table.empty, "strip": strip}
        return render(request, "voting/done.html", context, status=status)
    context = showing.page(
        table=table, interface=voters.interface_language(request), strip=strip, notice=notice
    )
    return render(
        request, "voting/_round.html" if fragment else "voting/compare.html", context, status=status
    )


def _to_compare(notice: str | None) -> HttpResponse:
    query = f"?{urlencode({'notice': notice})}" if notice else ""
    return HttpResponse(status=303, headers={"Location": reverse("compare") + query})


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _token(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
