"""Sums become figures, looks and the policy that the sampler draws from. Nothing else writes these three."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from ranking import arrays, figures, fitting, folding, levels, verdict
from ranking.arrays import Sums
from ranking.facts import response_facts
from ranking.fitting import AtLevel, Fitted
from ranking.levels import Level
from ranking.models import Figures, Look
from ranking.stats import covariance, posterior, stopping
from ranking.stats.btl import Floats, Tallies
from voting.models import PairPolicy, Round
from voting.rounds import begin_closing

DRAW_FOREVER = 1e9  # degrees of freedom that are as good as a normal
LOOKS_SHOWN = 200


@dataclass(frozen=True)
class Refreshed:
    votes: int
    version: int
    seconds: float
    named: bool


def refresh(*, round: Round) -> Refreshed:
    """Fit every slice at every level, keep a look where one is due, publish the policy: all or nothing.

    The caller has folded. Closes the round where it asks to be closed once a winner is named.
    """
    started = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        folding.lock(cursor, round.pk)
        work = _Work(round, arrays.read(round))
        bodies = work.bodies()
        version = work.publish(time.perf_counter() - started)
        seconds = time.perf_counter() - started
        for (level_name, slice_), body in bodies.items():
            Figures.objects.update_or_create(
                round=round, level=level_name, slice=slice_,
                defaults={"body": body | {"fit_seconds": seconds}, "votes": body["votes"], "fitted_at": timezone.now()},
            )  # fmt: skip
    decided = bodies[decided_level(round), "all"]["verdict"]
    if decided["state"] == "named" and round.close_when_named:
        begin_closing(round=round)
    return Refreshed(work.sums.votes, version, seconds, decided["state"] == "named")


def decided_level(round_: Round) -> str:
    """What a verdict is about: with matched samplers only checkpoints are comparable."""
    return "checkpoint" if round_.match_sampler else "candidate"


class _Work:
    """One refresh: what several slices and the policy share."""

    def __init__(self, round_: Round, sums: Sums) -> None:
        self.round, self.sums = round_, sums
        self.levels = levels.levels(round_)
        self.n = self.levels[0].n
        self.facts = response_facts(round_, self.n)
        self.published = PairPolicy.objects.filter(pk=round_.pk).first()
        self.fits: dict[str, Fitted | None] = {}
        self.seen: dict[tuple[str, str], AtLevel] = {}
        self.version = (self.published.version if self.published else 0) + 1

    def fitted(self, slice_: str) -> Fitted | None:
        if slice_ not in self.fits:
            voter_rows, prompt_rows = self.sums.chosen(slice_)
            by_voter, by_prompt = self.sums.by_voter(voter_rows), self.sums.by_prompt(prompt_rows)
            warm = np.frombuffer(self.published.theta, dtype="<f8") if self.published else None
            self.fits[slice_] = (
                fitting.fit(by_voter, by_prompt, self.n, initial=warm) if len(by_voter.lo) else None
            )
        return self.fits[slice_]

    def at(self, level: Level, slice_: str) -> AtLevel | None:
        """The posterior is most of a refresh: drawn once for the figures and the policy."""
        fitted = self.fitted(slice_)
        if fitted is not None and (level.name, slice_) not in self.seen:
            self.seen[level.name, slice_] = fitting.at_level(fitted, level, self.round.pk)
        return self.seen.get((level.name, slice_))

    def bodies(self) -> dict[tuple[str, str], dict[str, Any]]:
        """By level and slice. Where no insider has voted, "without insiders" is the same and not fitted again."""
        no_insiders = not self.sums.voter_insider.any() and not self.sums.prompt_insider.any()
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for slice_ in figures.SLICES:
            language, _, without = slice_.partition("-")
            for level in self.levels:
                same = found.get((level.name, language)) if without and no_insiders else None
                found[level.name, slice_] = {**same, "looks": []} if same else self.body(level, slice_)
        return found

    def body(self, level: Level, slice_: str) -> dict[str, Any]:
        fitted = self.fitted(slice_)
        at = self.at(level, slice_)
        p_best = self._p_best(fitted, at, slice_) if fitted and at else None
        looks = self._looks(level, fitted, at, p_best) if slice_ == "all" else []
        found = (
            verdict.verdict(fitted, at, [look for look, _ in looks], p_best)
            if fitted and at
            else verdict.nothing()
        )
        by_position = {member.positions[0]: member.label for member in level.members}
        shown = [
            {
                "votes": votes,
                "leader": by_position[level.members[look.leader].positions[0]],
                "p_best": look.p_best,
            }
            for look, votes in looks[-LOOKS_SHOWN:]
        ]
        return figures.body(
            slug=self.round.slug, sums=self.sums, slice_=slice_, level=level, fitted=fitted, at=at, facts=self.facts,
            verdict=found, looks=shown, p_best=p_best, seconds=0.0,
        )  # fmt: skip

    def _p_best(self, fitted: Fitted, at: AtLevel, slice_: str) -> Floats | None:
        """P(best); where tie rates differ, the leader's is the smaller of half-wins and dropped ties."""
        if at.posterior is None:
            return None
        p_best = at.posterior.p_best.copy()
        if fitted.tie_test.is_alarm:
            other = self._without_ties(fitted, at, slice_)
            leader = at.posterior.leader
            p_best[leader] = min(p_best[leader], other.p_best[leader]) if other else p_best[leader]
        return p_best

    def _without_ties(self, fitted: Fitted, at: AtLevel, slice_: str) -> posterior.Posterior | None:
        by_prompt = self.sums.by_prompt(self.sums.chosen(slice_)[1])
        dropped = fitting.fit(_decided(fitted.by_voter), _decided(by_prompt), self.n, initial=fitted.theta)
        return fitting.at_level(dropped, at.level, self.round.pk).posterior

    def _looks(
        self, level: Level, fitted: Fitted | None, at: AtLevel | None, p_best: Floats | None
    ) -> list[tuple[stopping.Look, int]]:
        """The looks so far, oldest first, by index of the leader; this refresh is one after 40 more votes."""
        index = {member.positions[0]: k for k, member in enumerate(level.members)}
        # Where votes were taken out (exclusion, undo), looks at votes that are no more would go on naming.
        now = fitted.votes if fitted else 0
        Look.objects.filter(round=self.round, level=level.name, votes__gt=now).delete()
        kept = list(Look.objects.filter(round=self.round, level=level.name).order_by("-votes")[:LOOKS_SHOWN])[
            ::-1
        ]
        looks = [
            (stopping.Look(index[one.leader], one.p_best), one.votes) for one in kept if one.leader in index
        ]
        if fitted is None or at is None or at.posterior is None or p_best is None:
            return looks
        last = looks[-1][1] if looks else 0
        if stopping.is_look(fitted.votes, last):
            leader, p = at.posterior.leader, float(p_best[at.posterior.leader])
            Look.objects.create(
                round=self.round, level=level.name, votes=fitted.votes,
                leader=level.members[leader].positions[0], p_best=min(p, 1.0), policy_version=self.version,
            )  # fmt: skip
            looks.append((stopping.Look(leader, p), fitted.votes))
        return looks

    def publish(self, seconds: float) -> int:
        """PairPolicy: what the overall fit says, for `voting.scheduler` to draw from."""
        fitted = self.fitted("all")
        if fitted is None:
            return self._publish_nothing()
        at = self.at(self.levels[0], "all")
        shown, prompts, votes = self._shown()
        PairPolicy.objects.update_or_create(
            round=self.round,
            defaults={
                "version": self.version,
                "theta": fitted.theta.astype("<f8").tobytes(),
                "cov": covariance.for_draws(fitted.cov).astype("<f8").tobytes(),
                "shown": shown.astype("<i4").tobytes(),
                "prompt_ids": prompts.astype("<i8").tobytes(),
                "prompt_votes": votes.astype("<i4").tobytes(),
                "df": min(at.posterior.nu, DRAW_FOREVER) if at and at.posterior else DRAW_FOREVER,
                "votes": fitted.votes,
                "fit_seconds": seconds,
                "fitted_at": timezone.now(),
            },
        )
        return self.version

    def _publish_nothing(self) -> int:
        """All votes were taken back. The policy stays, since versions only grow, but says nothing any more."""
        if self.published is None:
            return 0
        none = np.zeros((self.n, self.n))
        self.published.version, self.published.votes = self.version, 0
        self.published.theta = none[0].astype("<f8").tobytes()
        self.published.cov = covariance.information_pinv(none, none[0]).astype("<f8").tobytes()
        self.published.shown = none.astype("<i4").tobytes()
        self.published.prompt_ids = self.published.prompt_votes = b""
        self.published.df, self.published.fitted_at = DRAW_FOREVER, timezone.now()
        self.published.save()
        return self.version

    def _shown(self) -> tuple[arrays.Ints, arrays.Ints, arrays.Ints]:
        """Ballots by pair, symmetric int64[n, n]; prompt ids, and votes on each."""
        ballots = self.sums.prompt_counts.sum(axis=1)
        shown = np.zeros((self.n, self.n), dtype=np.int64)
        np.add.at(shown, (self.sums.prompt_lo, self.sums.prompt_hi), ballots)
        prompts, where = np.unique(self.sums.prompt, return_inverse=True)
        votes = np.bincount(where, weights=self.sums.prompt_counts[:, :4].sum(axis=1), minlength=len(prompts))
        return shown + shown.T, prompts, votes.astype(np.int64)


def _decided(t: Tallies) -> Tallies:
    """Without ties, and without the rows that held nothing else: they would count as clusters."""
    kept = t.lo_wins + t.hi_wins > 0
    return Tallies(
        t.cluster[kept], t.lo[kept], t.hi[kept], t.lo_wins[kept], t.hi_wins[kept], 0 * t.ties[kept]
    )
