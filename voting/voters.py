"""Who votes: a random key in a signed cookie. Only its digest is stored."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from voting import catalogue
from voting.errors import NotFound, VotingError

COOKIE = "voter"
READS = "reads"
INVITED = "invited"
YEAR = 365 * 24 * 3600
LANGUAGES: Mapping[str, tuple[str, ...]] = {"ja": ("ja",), "en": ("en",), "both": ("ja", "en")}
# First argument of hashint8extended is the voter, second this: no other lock of ours uses it.
VOTER_SPACE = 0x51


class Known(NamedTuple):
    """A voter, locked until the end of the transaction: their tabs take turns."""

    id: int
    languages: frozenset[str]
    key: str | None = None  # of a voter made just now, for the cookie

    @property
    def reads(self) -> frozenset[str]:
        """Languages as the catalogue labels its prompts; nothing said means everything."""
        spoken = self.languages or frozenset({"ja", "en"})
        return spoken | {catalogue.BOTH} if {"ja", "en"} <= spoken else spoken


def digest_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def resolve(request: HttpRequest) -> str | None:
    """The digest of the key in the cookie; None without one, or with one that this site did not sign."""
    key = request.get_signed_cookie(COOKIE, default=None, salt=COOKIE)
    return digest_of(key) if key else None


@contextmanager
def turn(digest: str | None) -> Iterator[Known]:
    """One request of a voter, as one transaction. NotFound without a voter row.

    A transaction of its own wherever it stands, so that what is answered has been committed.
    """
    catalogue.poll()
    with transaction.atomic():
        voter = _find(digest) if digest else None
        if voter is None:
            raise NotFound("This browser has not been shown a pair yet. Open /compare first.")
        _lock(voter)
        yield voter


@contextmanager
def first_turn(request: HttpRequest) -> Iterator[Known]:
    """As `turn`, but makes the voter where there is none. A maintainer votes as one: their opinion is marked."""
    catalogue.poll()
    digest = resolve(request)
    insider = _insider(request)
    with transaction.atomic():
        voter = _find(digest, as_user=insider) if digest else None
        voter = voter or ensure(request, insider=insider)
        _lock(voter)
        yield voter


# The limits hold for the rest of the transaction, the wait for the lock included.
_FIND = """
SELECT id, languages, "group" = 'insider',
       set_config('lock_timeout', '2s', true), set_config('statement_timeout', '5s', true)
  FROM voting_voter WHERE key_digest = %s
"""


def _find(digest: str, as_user: User | None = None) -> Known | None:
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [digest])
        row = cursor.fetchone()
    # The sums keep insiders apart, so a voter never becomes one: who logs in goes on as another voter.
    if row is None or (as_user is not None and not row[2]):
        return None
    return Known(row[0], frozenset(json.loads(row[1])))


def _lock(voter: Known) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashint8extended(%s, %s))", [voter.id, VOTER_SPACE])


_MAKE = """
INSERT INTO voting_voter (key_digest, user_id, merged_into_id, languages, "group", thanks, consent)
VALUES (%s, %s, (SELECT min(id) FROM voting_voter WHERE user_id = %s AND merged_into_id IS NULL), %s, %s, false, '')
RETURNING id
"""


def ensure(request: HttpRequest, *, insider: User | None = None) -> Known:
    """Make the voter of this browser. All voters of one insider are joined to the first of them."""
    key = secrets.token_urlsafe(24)
    languages = LANGUAGES[chosen_languages(request) or interface_language(request)]
    group = "insider" if insider else "invited" if invitations(request) else "public"
    user = insider.pk if insider else None
    spoken = json.dumps(dict.fromkeys(languages, "fluent"))
    with connection.cursor() as cursor:
        cursor.execute(_MAKE, [digest_of(key), user, user, spoken, group])
        return Known(cursor.fetchone()[0], frozenset(languages), key)


def _insider(request: HttpRequest) -> User | None:
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    user: User | AnonymousUser = request.user
    return user if isinstance(user, User) and user.may_see_dashboard else None


def set_languages(*, digest: str | None, choice: str) -> None:
    """What this voter reads from now on. Pairs on the table that they cannot read any more are taken away."""
    if choice not in LANGUAGES:
        raise VotingError(f"languages={choice!r} is not known. Send one of: {', '.join(LANGUAGES)}.")
    if digest is None:
        return
    spoken = list(LANGUAGES[choice])
    with turn(digest) as voter, connection.cursor() as cursor:
        cursor.execute(
            "UPDATE voting_voter SET languages = %s WHERE id = %s",
            [json.dumps(dict.fromkeys(spoken, "fluent")), voter.id],
        )
        cursor.execute(
            """
            UPDATE voting_comparison c SET state = 'expired', ended_at = now() FROM generation_prompt p
             WHERE c.voter_id = %s AND c.state = 'open' AND p.id = c.prompt_id
               AND NOT (p.language = ANY(%s) AND coalesce(p.answer_language, p.language) = ANY(%s))
            """,
            [voter.id, spoken, spoken],
        )


def chosen_languages(request: HttpRequest) -> str | None:
    choice = request.COOKIES.get(READS)
    return choice if choice in LANGUAGES else None


def interface_language(request: HttpRequest) -> str:
    return "ja" if getattr(request, "LANGUAGE_CODE", "en").startswith("ja") else "en"


def invitations(request: HttpRequest) -> frozenset[str]:
    """Slugs of the rounds that this browser came to by an invitation."""
    kept = request.get_signed_cookie(INVITED, default="", salt=INVITED) or ""
    return frozenset(kept.split())


def remember(response: HttpResponse, *, key: str) -> None:
    response.set_signed_cookie(
        COOKIE, key, salt=COOKIE, max_age=YEAR, httponly=True, samesite="Lax", secure=not settings.DEVELOPMENT
    )


def remember_languages(response: HttpResponse, *, choice: str) -> None:
    response.set_cookie(
        READS, choice, max_age=YEAR, httponly=True, samesite="Lax", secure=not settings.DEVELOPMENT
    )


def remember_invitation(request: HttpRequest, response: HttpResponse, *, slug: str) -> None:
    slugs = " ".join(sorted({*invitations(request), slug}))
    response.set_signed_cookie(
        INVITED,
        slugs,
        salt=INVITED,
        max_age=YEAR,
        httponly=True,
        samesite="Lax",
        secure=not settings.DEVELOPMENT,
    )
