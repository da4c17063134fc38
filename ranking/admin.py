"""The admin shows what was derived. Sums are mended by `manage.py verify --repair` only."""

from __future__ import annotations

from django.contrib import admin

from ranking.models import Figures, Look, PromptTally, RoundVoter, VoterTally
from voting.admin import ReadOnly


@admin.register(VoterTally)
class VoterTallyAdmin(ReadOnly):
    list_display = ("round", "voter_id", "language", "lo", "hi", "lo_wins", "hi_wins", "ties", "both_bad")
    list_filter = ("round", "language")
    list_select_related = ("round",)


@admin.register(PromptTally)
class PromptTallyAdmin(ReadOnly):
    list_display = (
        "round", "prompt_id", "insider", "lo", "hi", "lo_is_left", "lo_wins", "hi_wins", "ties", "both_bad",
        "skips", "cannot_judge", "reports",
    )  # fmt: skip
    list_filter = ("round", "insider")
    list_select_related = ("round",)


@admin.register(RoundVoter)
class RoundVoterAdmin(ReadOnly):
    list_display = ("round", "voter_id", "left", "right", "ties", "both_bad", "skips", "fast_ties")
    list_filter = ("round",)
    list_select_related = ("round",)


@admin.register(Figures)
class FiguresAdmin(ReadOnly):
    list_display = ("round", "level", "slice", "votes", "fitted_at")
    list_filter = ("round", "level", "slice")
    list_select_related = ("round",)


@admin.register(Look)
class LookAdmin(ReadOnly):
    list_display = ("round", "level", "votes", "leader", "p_best", "policy_version", "at")
    list_filter = ("round", "level")
    list_select_related = ("round",)
