"""A volunteer is a browser: `browse` gives one whose cookie belongs to a voter."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from tests import factories
from voting import catalogue, voters
from voting.models import Voter

Browse = Callable[..., Client]


@pytest.fixture(autouse=True)
def fresh_catalogue(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test begins as a new process does, and polls at once."""
    catalogue.forget()
    yield
    catalogue.forget()


@pytest.fixture
def browse() -> Browse:
    def browser(**fields: Any) -> Client:
        key = secrets.token_urlsafe(24)
        voter = factories.make_voter(key_digest=voters.digest_of(key), **fields)
        client = Client()
        given = HttpResponse()
        voters.remember(given, key=key)
        client.cookies.update(given.cookies)
        client.voter = voter  # type: ignore[attr-defined]
        return client

    return browser


def voter_of(client: Client) -> Voter:
    return client.voter  # type: ignore[attr-defined,no-any-return]
