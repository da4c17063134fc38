"""Made-up votes: only where they are asked for, with real pairs and real sums."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Max, Min

from ranking import checks
from ranking.errors import RankingError
from ranking.models import Figures, Look
from ranking.simulate import simulate
from tests import factories
from voting.models import BallotQueue, Comparison, PairPolicy, Round, Vote, Voter


@pytest.fixture
def stage(db: None) -> Round:
    return factories.make_arena(n_candidates=4, n_prompts=10, kind="simulated")


@pytest.mark.parametrize("kind", ["human", "external"])
def test_rounds_of_people_are_refused(kind: str, db: None) -> None:
    arena = factories.make_arena(kind=kind)
    with pytest.raises(RankingError, match=kind):
        simulate(round=arena, votes=10, voters=2, seed=1)
    with pytest.raises(CommandError, match=arena.slug):
        call_command("simulate_votes", "--round", arena.slug, "--votes", "10")
    assert not Vote.objects.exists() and not Voter.objects.exists()


def test_an_unknown_round_is_an_error(db: None) -> None:
    with pytest.raises(CommandError, match="no-such-round"):
        call_command("simulate_votes", "--round", "no-such-round")


@pytest.mark.parametrize("state", ["closing", "closed"])
def test_a_round_that_is_not_open_takes_no_votes(stage: Round, state: str) -> None:
    closed_at = stage.opened_at if state == "closed" else None
    Round.objects.filter(pk=stage.pk).update(state=state, closed_at=closed_at)
    stage.refresh_from_db()
    with pytest.raises(RankingError, match="open"):
        simulate(round=stage, votes=10, voters=2, seed=1)


def test_votes_are_rows_like_any_other(stage: Round, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("simulate_votes", "--round", stage.slug, "--votes", "450", "--voters", "12", "--seed", "3")
    assert Vote.objects.count() == 450 and "450" in capsys.readouterr().out
    assert Voter.objects.filter(group="simulated").count() == 12
    assert set(Vote.objects.values_list("outcome", flat=True)) == {"left", "right", "tie", "both_bad"}
    assert not BallotQueue.objects.exists()
    assert checks.verify() == []
    figures = Figures.objects.get(round=stage, level="candidate", slice="all").body
    assert figures["votes"] == 450 and sum(row["p_best"] for row in figures["rows"]) == pytest.approx(
        1, abs=0.2
    )
    # 450 votes in batches of 200: three publications or more, and the later pairs were drawn on the earlier policies.
    assert PairPolicy.objects.get(round=stage).version >= 3 <= Look.objects.filter(level="candidate").count()
    assert {None, 1, 2} <= set(Comparison.objects.values_list("policy_version", flat=True))
    spread = Comparison.objects.aggregate(low=Min("propensity"), high=Max("propensity"))
    assert 0 < spread["low"] < spread["high"] <= 1


def test_it_stops_when_nobody_has_a_pair_left(db: None) -> None:
    stage = factories.make_arena(n_candidates=2, n_prompts=2, kind="simulated")
    simulate(round=stage, votes=100, voters=3, seed=1)
    # Two candidates are one pair, four prompts: at most four votes each.
    assert 0 < Vote.objects.count() <= 12
    assert checks.verify() == []
