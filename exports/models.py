from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import User


class Export(models.Model):
    """One file of preferences that left the arena: what it holds, and who took it."""

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    format = models.CharField(max_length=16)
    filters = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    rows_sha = models.CharField(max_length=64, blank=True)
    rows = models.PositiveIntegerField(default=0)
    path = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=("running", "done", "failed")), name="%(app_label)s_%(class)s_state"
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | ~Q(rows_sha=""), name="%(app_label)s_%(class)s_done_has_hash"
            ),
        ]
