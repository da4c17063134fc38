"""The cast: a voter, another voter, a maintainer, and somebody with no business here."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Role, User
from tests import factories
from voting.models import Round, Voter


@pytest.fixture
def voter(db: None) -> Voter:
    return factories.make_voter()


@pytest.fixture
def other_voter(db: None) -> Voter:
    return factories.make_voter()


@pytest.fixture
def maintainer(db: None) -> User:
    return User.objects.create_user("maintainer", password="correct horse", role=Role.MAINTAINER)


@pytest.fixture
def volunteer_account(db: None) -> User:
    return User.objects.create_user("volunteer", password="correct horse", role=Role.VOLUNTEER)


@pytest.fixture
def as_maintainer(maintainer: User) -> Client:
    client = Client()
    client.force_login(maintainer)
    return client


@pytest.fixture
def arena(db: None) -> Round:
    """An open round: three candidates, four prompts in each language."""
    return factories.make_arena()
