"""Rounds, voters, comparisons, votes. Data and constraints only; ballots.py, rounds.py and catalogue.py change them."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import User
from generation.models import Candidate, Manifest, Prompt, PromptSet, Response


class Outcome(models.TextChoices):
    LEFT = "left"
    RIGHT = "right"
    TIE = "tie"
    BOTH_BAD = "both_bad"


def _one_of(field: str, *values: str) -> Q:
    return Q(**{f"{field}__in": values})


class Round(models.Model):
    class Kind(models.TextChoices):
        HUMAN = "human"
        SIMULATED = "simulated"
        EXTERNAL = "external"

    class Purpose(models.TextChoices):
        CHOOSE = "choose"
        CONFIRM = "confirm"

    class State(models.TextChoices):
        DRAFT = "draft"
        OPEN = "open"
        CLOSING = "closing"
        CLOSED = "closed"

    class Goal(models.TextChoices):
        COVERAGE = "coverage"
        BEST = "best"
        TOP_K = "top_k"
        RELEASE = "release"
        CONFIRM = "confirm"

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.HUMAN)
    purpose = models.CharField(max_length=16, choices=Purpose, default=Purpose.CHOOSE)
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    goal = models.CharField(max_length=16, choices=Goal, default=Goal.BEST)
    top_k = models.PositiveSmallIntegerField(default=3)
    floor = models.FloatField(default=0.2)
    match_sampler = models.BooleanField(default=False)
    close_when_named = models.BooleanField(default=False)
    question_ja = models.CharField(max_length=200, blank=True)
    question_en = models.CharField(max_length=200, blank=True)
    languages = ArrayField(models.CharField(max_length=2), default=list)
    target_votes = models.PositiveIntegerField(null=True, blank=True)
    weight = models.FloatField(default=1.0)
    invitation_digest = models.CharField(max_length=64, null=True, blank=True)
    ballots_per_voter = models.PositiveIntegerField(default=500)
    prompt_weights = models.JSONField(default=dict)
    catalogue_version = models.PositiveIntegerField(default=1)
    previous = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="+")
    anchor = models.ForeignKey(Candidate, models.PROTECT, null=True, blank=True, related_name="+")
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=_one_of("kind", "human", "simulated", "external"),
                name="%(app_label)s_%(class)s_kind",
            ),
            models.CheckConstraint(
                condition=_one_of("purpose", "choose", "confirm"), name="%(app_label)s_%(class)s_purpose"
            ),
            models.CheckConstraint(
                condition=_one_of("state", "draft", "open", "closing", "closed"),
                name="%(app_label)s_%(class)s_state",
            ),
            models.CheckConstraint(
                condition=_one_of("goal", "coverage", "best", "top_k", "release", "confirm"),
                name="%(app_label)s_%(class)s_goal",
            ),
            models.CheckConstraint(
                condition=Q(floor__gte=0, floor__lte=1), name="%(app_label)s_%(class)s_floor"
            ),
            models.CheckConstraint(condition=Q(weight__gte=0), name="%(app_label)s_%(class)s_weight"),
            models.CheckConstraint(
                condition=Q(state="draft") | Q(opened_at__isnull=False), name="%(app_label)s_%(class)s_opened"
            ),
            models.CheckConstraint(
                condition=Q(state="closed", closed_at__isnull=False)
                | (~Q(state="closed") & Q(closed_at__isnull=True)),
                name="%(app_label)s_%(class)s_closed",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.slug


class RoundCandidate(models.Model):
    """A candidate's place in a round. Positions are append-only: sums and policies are arrays over them."""

    round = models.ForeignKey(Round, models.CASCADE, related_name="round_candidates")
    candidate = models.ForeignKey(Candidate, models.PROTECT, related_name="round_candidates")
    position = models.PositiveSmallIntegerField()
    manifest = models.ForeignKey(Manifest, models.PROTECT, null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint("round", "candidate", name="%(app_label)s_%(class)s_once"),
            models.UniqueConstraint("round", "position", name="%(app_label)s_%(class)s_position"),
        ]


class RoundPromptSet(models.Model):
    class Part(models.TextChoices):
        ALL = "all"
        OPEN = "open"
        HELD_BACK = "held_back"

    round = models.ForeignKey(Round, models.CASCADE, related_name="round_prompt_sets")
    set = models.ForeignKey(PromptSet, models.PROTECT)
    part = models.CharField(max_length=16, choices=Part, default=Part.ALL)

    class Meta:
        constraints = [
            models.UniqueConstraint("round", "set", name="%(app_label)s_%(class)s_once"),
            models.CheckConstraint(
                condition=_one_of("part", "all", "open", "held_back"), name="%(app_label)s_%(class)s_part"
            ),
        ]


class Twin(models.Model):
    """Two responses to one prompt that read the same: never paired, never counted."""

    prompt = models.ForeignKey(Prompt, models.CASCADE)
    low_response = models.ForeignKey(Response, models.CASCADE, related_name="+")
    high_response = models.ForeignKey(Response, models.CASCADE, related_name="+")
    ratio = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint("low_response", "high_response", name="%(app_label)s_%(class)s_once"),
            models.CheckConstraint(
                condition=Q(low_response__lt=F("high_response")), name="%(app_label)s_%(class)s_ordered"
            ),
        ]


class Voter(models.Model):
    """A random key in a signed cookie; the row is made at the first shown pair, not on landing."""

    class Group(models.TextChoices):
        PUBLIC = "public"
        INVITED = "invited"
        INSIDER = "insider"
        EXTERNAL = "external"
        SIMULATED = "simulated"

    key_digest = models.CharField(max_length=64, null=True, unique=True)
    user = models.ForeignKey(User, models.SET_NULL, null=True, blank=True)
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="merged")
    name = models.CharField(max_length=80, null=True, blank=True)
    thanks = models.BooleanField(default=False)
    languages = models.JSONField(default=dict)
    group = models.CharField(max_length=16, choices=Group, default=Group.PUBLIC)
    excluded_at = models.DateTimeField(null=True, blank=True)
    consent = models.CharField(max_length=16, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=_one_of("group", "public", "invited", "insider", "external", "simulated"),
                name="%(app_label)s_%(class)s_group",
            ),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=F("id")),
                name="%(app_label)s_%(class)s_not_itself",
            ),
        ]


class Comparison(models.Model):
    """A pair shown to one voter with a random left and right; `lo`, `hi` are positions in the round."""

    class Kind(models.TextChoices):
        NORMAL = "normal"
        REPEAT = "repeat"
        GOLD = "gold"

    class State(models.TextChoices):
        OPEN = "open"
        VOTED = "voted"
        SKIPPED = "skipped"
        CANNOT_JUDGE = "cannot_judge"
        REPORTED = "reported"
        EXPIRED = "expired"

    token = models.UUIDField(default=uuid.uuid4, unique=True)
    round = models.ForeignKey(Round, models.PROTECT)
    voter = models.ForeignKey(Voter, models.PROTECT)
    prompt = models.ForeignKey(Prompt, models.PROTECT)
    left_response = models.ForeignKey(Response, models.PROTECT, related_name="+")
    right_response = models.ForeignKey(Response, models.PROTECT, related_name="+")
    lo = models.PositiveSmallIntegerField()
    hi = models.PositiveSmallIntegerField()
    lo_is_left = models.BooleanField()
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.NORMAL)
    repeat_of = models.ForeignKey("self", models.PROTECT, null=True, related_name="+", db_index=False)
    state = models.CharField(max_length=16, choices=State, default=State.OPEN)
    policy_version = models.IntegerField(null=True)
    propensity = models.FloatField()
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(left_response=F("right_response")), name="%(app_label)s_%(class)s_two_responses"
            ),
            models.CheckConstraint(
                condition=Q(kind="gold", lo=F("hi")) | (~Q(kind="gold") & Q(lo__lt=F("hi"))),
                name="%(app_label)s_%(class)s_order",
            ),
            models.CheckConstraint(
                condition=Q(kind="repeat", repeat_of__isnull=False)
                | (~Q(kind="repeat") & Q(repeat_of__isnull=True)),
                name="%(app_label)s_%(class)s_repeat",
            ),
            models.CheckConstraint(
                condition=Q(state="open", ended_at__isnull=True)
                | (~Q(state="open") & Q(ended_at__isnull=False)),
                name="%(app_label)s_%(class)s_ended",
            ),
            models.CheckConstraint(
                condition=_one_of("state", "open", "voted", "skipped", "cannot_judge", "reported", "expired"),
                name="%(app_label)s_%(class)s_state",
            ),
            models.CheckConstraint(
                condition=_one_of("kind", "normal", "repeat", "gold"), name="%(app_label)s_%(class)s_kind"
            ),
            models.CheckConstraint(
                condition=Q(propensity__gt=0, propensity__lte=1), name="%(app_label)s_%(class)s_propensity"
            ),
            models.UniqueConstraint("repeat_of", name="%(app_label)s_%(class)s_repeat_once"),
            models.UniqueConstraint(
                "voter",
                "round",
                "prompt",
                "lo",
                "hi",
                condition=Q(kind="normal"),
                name="%(app_label)s_%(class)s_shown_once",
            ),
        ]
        indexes = [
            models.Index("voter", "round", name="voting_comparison_own"),
            models.Index(
                "expires_at", condition=Q(state="open"), name="voting_comparison_expiring"
            ),  # rounds.tick
            models.Index(
                "round", condition=Q(state="open"), name="voting_comparison_in_flight"
            ),  # rounds.tick
        ]


class Vote(models.Model):
    """The outcome of a comparison. Only `undone_at` (once), and for 10 minutes reasons and comment, may change."""

    comparison = models.ForeignKey(Comparison, models.PROTECT, related_name="votes")
    outcome = models.CharField(max_length=8, choices=Outcome)
    reasons = ArrayField(models.CharField(max_length=20), default=list)
    comment = models.CharField(max_length=500, blank=True)
    dwell_ms = models.PositiveIntegerField(null=True)
    input = models.CharField(max_length=16, blank=True)
    ui_language = models.CharField(max_length=2, blank=True)
    cast_at = models.DateTimeField(db_default=Now())
    undone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # The foreign key has a full index as well: this one alone makes deleting comparisons hang at 2M votes.
            models.UniqueConstraint(
                "comparison", condition=Q(undone_at__isnull=True), name="%(app_label)s_%(class)s_one_live"
            ),
            models.CheckConstraint(
                condition=_one_of("outcome", "left", "right", "tie", "both_bad"),
                name="%(app_label)s_%(class)s_outcome",
            ),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("Votes are written by voting.ballots only.")


class Report(models.Model):
    comparison = models.OneToOneField(Comparison, models.PROTECT)
    reasons = ArrayField(models.CharField(max_length=20), default=list)
    comment = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(db_default=Now())


class BallotQueue(models.Model):
    """What `ranking.folding` has not summed yet. No foreign keys: a row lives for seconds."""

    class Kind(models.TextChoices):
        CAST = "cast"
        UNDO = "undo"
        SKIP = "skip"
        CANNOT_JUDGE = "cannot_judge"
        REPORT = "report"
        EXCLUDE = "exclude"
        READMIT = "readmit"

    round_id = models.BigIntegerField()
    voter_id = models.BigIntegerField()
    comparison_id = models.BigIntegerField(null=True)
    vote_id = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=16, choices=Kind)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=_one_of(
                    "kind", "cast", "undo", "skip", "cannot_judge", "report", "exclude", "readmit"
                ),
                name="%(app_label)s_%(class)s_kind",
            ),
        ]
        indexes = [models.Index("round_id", "id", name="voting_ballotqueue_round")]


class PairPolicy(models.Model):
    """What the sampler draws from. Written by `ranking.refresh` only; arrays are little-endian (f8, i4)."""

    round = models.OneToOneField(Round, models.CASCADE, primary_key=True)
    version = models.PositiveIntegerField(default=1)
    theta = models.BinaryField()
    cov = models.BinaryField()
    shown = models.BinaryField()
    prompt_votes = models.BinaryField()
    prompt_ids = models.BinaryField()
    df = models.FloatField()
    votes = models.PositiveIntegerField()
    fit_seconds = models.FloatField(default=0.0)
    fitted_at = models.DateTimeField(db_default=Now())
