"""The rule HOLD, and what limits a round that has no verdict."""

import numpy as np
import pytest

from ranking.stats import stopping
from ranking.stats.covariance import Covariance
from ranking.stats.stopping import Look, VarianceParts, named_leader

THETA = np.array([0.3, 0.1, -0.4])
ENOUGH = {"leader_votes": 100, "runner_up_votes": 100, "comparable": True}


def covariance(votes, voters, prompts, *, k_eff=20.0):
    unit = (np.eye(3) - 1 / 3) / 2  # so that the variance of a difference is the number given
    v0, vv, vp = votes * unit, (votes + voters) * unit, (votes + prompts) * unit
    return Covariance(v0, vv, vp, vv + vp - v0, v0, k_eff, k_eff, 40, 40, 1000.0)


def test_five_looks_in_a_row_name_the_leader():
    assert named_leader([Look(2, 0.3)] + [Look(1, 0.95)] * 5, **ENOUGH) == 1


def test_four_looks_do_not():
    assert named_leader([Look(1, 0.99)] * 4, **ENOUGH) is None


@pytest.mark.parametrize("odd_one", [Look(1, 0.949), Look(2, 0.99)])
@pytest.mark.parametrize("at", range(5))
def test_one_look_that_fails_starts_the_count_again(odd_one, at):
    looks = [Look(1, 0.99)] * 5
    looks[at] = odd_one
    assert named_leader(looks, **ENOUGH) is None


@pytest.mark.parametrize("short", [{"leader_votes": 99}, {"runner_up_votes": 99}, {"comparable": False}])
def test_no_verdict_on_too_little(short):
    assert named_leader([Look(1, 0.99)] * 5, **(ENOUGH | short)) is None


def test_a_look_needs_40_new_votes():
    assert stopping.is_look(140, 100) and not stopping.is_look(139, 100)


def test_seven_effective_voters_are_few():
    assert stopping.few_voters(covariance(1, 1, 1, k_eff=7.9))
    assert not stopping.few_voters(covariance(1, 1, 1, k_eff=8.0))


def test_each_part_shrinks_with_its_own_number():
    parts = VarianceParts(votes=4.0, voters=2.0, prompts=1.0)
    assert parts.after() == 7 and parts.after(votes=4, voters=2, prompts=0.5) == 4


@pytest.mark.parametrize(
    ("parts", "limit"), [((3, 1, 1), "votes"), ((1, 3, 1), "voters"), ((1, 1, 3), "prompts")]
)
def test_the_largest_part_is_what_limits(parts, limit):
    assert stopping.votes_needed(THETA, covariance(*parts), 0, 1).limited_by == limit


def test_more_votes_of_the_same_voters_may_never_do():
    got = stopping.votes_needed(THETA, covariance(0.01, 0.05, 0.0), 0, 1)
    assert got.high is None and got.low is not None and got.low > 1000


def test_like_voters_get_a_range():
    got = stopping.votes_needed(THETA, covariance(0.05, 0.0, 0.0), 0, 1)
    assert got.low == pytest.approx(1000 * 0.05 / (0.2 / 1.644854) ** 2, abs=1)
    assert got.high is not None and got.high > got.low


def test_without_a_lead_no_number_is_given():
    assert stopping.votes_needed(THETA, covariance(1, 1, 1), 1, 0).low is None


def test_a_lone_voter_is_told_that_voters_are_missing():
    unit = np.eye(3) - 1 / 3
    lone = Covariance(unit, None, None, None, unit, 1.0, 9.0, 1, 9, 50.0)
    assert stopping.votes_needed(THETA, lone, 0, 1) == stopping.Forecast(None, None, "voters")
