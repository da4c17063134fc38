"""The admin shows. Rounds are opened and closed by their verbs; votes and comparisons are the record."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from voting.models import Comparison, Report, Round, Vote, Voter


class ReadOnly(admin.ModelAdmin):
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Round)
class RoundAdmin(ReadOnly):
    list_display = ("slug", "name", "kind", "state", "goal", "target_votes", "opened_at", "closed_at")
    list_filter = ("state", "kind")


@admin.register(Voter)
class VoterAdmin(ReadOnly):
    exclude = ("key_digest",)
    list_display = ("id", "name", "group", "languages", "excluded_at", "created_at")
    list_filter = ("group",)


@admin.register(Comparison)
class ComparisonAdmin(ReadOnly):
    exclude = ("token",)  # who knows an open one could not vote with it, but need not see it either
    list_display = ("id", "round", "voter", "prompt", "lo", "hi", "state", "propensity", "created_at")
    list_filter = ("state", "round")
    list_select_related = ("round", "prompt")


@admin.register(Vote)
class VoteAdmin(ReadOnly):
    list_display = ("id", "comparison_id", "outcome", "reasons", "cast_at", "undone_at")
    list_filter = ("outcome",)


@admin.register(Report)
class ReportAdmin(ReadOnly):
    list_display = ("id", "comparison_id", "reasons", "comment", "at")
