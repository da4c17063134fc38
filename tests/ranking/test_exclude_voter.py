from __future__ import annotations

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from ranking.queries import current_figures
from tests import factories
from voting.models import Round, Voter


def test_an_excluded_voter_leaves_the_ranking_and_comes_back(
    arena: Round, voter: Voter, other_voter: Voter
) -> None:
    for one in (voter, other_voter):
        factories.cast_many(arena, one, lambda comparison: "left", limit=5)
    assert current_figures(arena)["votes"] == 10
    call_command("exclude_voter", str(voter.pk))
    assert current_figures(arena)["votes"] == 5
    call_command("exclude_voter", str(voter.pk), "--readmit")
    assert current_figures(arena)["votes"] == 10


@pytest.mark.parametrize(("arguments", "said"), [(["0"], "no voter 0"), (["--readmit"], "is not excluded")])
def test_what_cannot_be_done_says_why(voter: Voter, arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("exclude_voter", *([str(voter.pk)] if arguments == ["--readmit"] else []), *arguments)
