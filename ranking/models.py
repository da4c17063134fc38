"""Derived tables. Sums: written by folding.py only. Figures, looks: by refresh.py only."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from generation.models import Prompt
from voting.models import Round, Voter


def _not_negative(*fields: str) -> models.CheckConstraint:
    condition = Q(**{f"{field}__gte": 0 for field in fields})
    return models.CheckConstraint(condition=condition, name="%(app_label)s_%(class)s_not_negative")


class VoterTally(models.Model):
    round = models.ForeignKey(Round, models.CASCADE, related_name="+")
    voter = models.ForeignKey(Voter, models.PROTECT, related_name="+")
    language = models.CharField(max_length=2)  # of the prompt
    lo = models.SmallIntegerField()
    hi = models.SmallIntegerField()
    lo_wins = models.IntegerField(default=0)
    hi_wins = models.IntegerField(default=0)
    ties = models.IntegerField(default=0)
    both_bad = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "round", "voter", "language", "lo", "hi", name="%(app_label)s_%(class)s_key"
            ),
            _not_negative("lo_wins", "hi_wins", "ties", "both_bad"),
        ]


class PromptTally(models.Model):
    round = models.ForeignKey(Round, models.CASCADE, related_name="+")
    prompt = models.ForeignKey(Prompt, models.PROTECT, related_name="+")
    insider = models.BooleanField()
    lo = models.SmallIntegerField()
    hi = models.SmallIntegerField()
    lo_is_left = models.BooleanField()
    lo_wins = models.IntegerField(default=0)
    hi_wins = models.IntegerField(default=0)
    ties = models.IntegerField(default=0)
    both_bad = models.IntegerField(default=0)
    skips = models.IntegerField(default=0)
    cannot_judge = models.IntegerField(default=0)
    reports = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "round", "prompt", "insider", "lo", "hi", "lo_is_left", name="%(app_label)s_%(class)s_key"
            ),
            _not_negative("lo_wins", "hi_wins", "ties", "both_bad", "skips", "cannot_judge", "reports"),
        ]


class RoundVoter(models.Model):
    """One voter's habits in one round. `left` and `right` count sides, not candidates."""

    round = models.ForeignKey(Round, models.CASCADE, related_name="+")
    voter = models.ForeignKey(Voter, models.PROTECT, related_name="+")
    left = models.IntegerField(default=0)
    right = models.IntegerField(default=0)
    ties = models.IntegerField(default=0)
    both_bad = models.IntegerField(default=0)
    skips = models.IntegerField(default=0)
    fast_ties = models.IntegerField(default=0)
    repeats = models.IntegerField(default=0)
    repeats_agreed = models.IntegerField(default=0)
    gold = models.IntegerField(default=0)
    gold_hit = models.IntegerField(default=0)
    dwell_bins = ArrayField(models.IntegerField(), size=12)

    class Meta:
        constraints = [
            models.UniqueConstraint("round", "voter", name="%(app_label)s_%(class)s_key"),
            _not_negative(
                "left",
                "right",
                "ties",
                "both_bad",
                "skips",
                "fast_ties",
                "repeats",
                "repeats_agreed",
                "gold",
                "gold_hit",
            ),
        ]


class Figures(models.Model):
    """What the dashboard shows of one round at one level and slice."""

    round = models.ForeignKey(Round, models.CASCADE, related_name="figures")
    level = models.CharField(max_length=16)
    slice = models.CharField(max_length=64)
    body = models.JSONField()
    votes = models.PositiveIntegerField()
    fitted_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint("round", "level", "slice", name="%(app_label)s_%(class)s_key"),
            models.CheckConstraint(
                condition=Q(level__in=("candidate", "checkpoint", "sampler")),
                name="%(app_label)s_%(class)s_level",
            ),
        ]


class Look(models.Model):
    """A refresh at which at least 40 votes had come since the last look. The stop rule counts them."""

    round = models.ForeignKey(Round, models.CASCADE, related_name="looks")
    level = models.CharField(max_length=16)
    votes = models.PositiveIntegerField()
    leader = models.SmallIntegerField()
    p_best = models.FloatField()
    policy_version = models.PositiveIntegerField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint("round", "level", "votes", name="%(app_label)s_%(class)s_key"),
            models.CheckConstraint(
                condition=Q(p_best__gte=0, p_best__lte=1), name="%(app_label)s_%(class)s_p_best"
            ),
        ]
