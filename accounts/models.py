"""People who log in. Volunteers need no account: they are `voting.Voter`."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q


class Role(models.TextChoices):
    VOLUNTEER = "volunteer"
    MAINTAINER = "maintainer"
    TRAINER = "trainer"
    OWNER = "owner"


class User(AbstractUser):
    role = models.CharField(max_length=16, choices=Role, default=Role.VOLUNTEER)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="%(app_label)s_%(class)s_role"),
        ]

    @property
    def may_see_dashboard(self) -> bool:
        return self.is_active and self.role in (Role.MAINTAINER, Role.TRAINER, Role.OWNER)

    @property
    def may_steer(self) -> bool:
        """Open and close rounds, start plans, decide."""
        return self.is_active and self.role in (Role.MAINTAINER, Role.OWNER)
