"""Looking only: the log is the truth, and verbs change it."""

from django.contrib import admin
from django.http import HttpRequest

from voting.models import Comparison, Round, Vote, Voter


class ReadOnly(admin.ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Round)
class RoundAdmin(ReadOnly):
    list_display = ("slug", "kind", "state", "goal", "opened_at", "closed_at")


@admin.register(Voter)
class VoterAdmin(ReadOnly):
    list_display = ("id", "group", "languages", "excluded_at", "created_at")
    list_filter = ("group",)


@admin.register(Comparison)
class ComparisonAdmin(ReadOnly):
    list_display = ("id", "round", "state", "lo", "hi", "lo_is_left", "propensity", "created_at")
    list_select_related = ("round",)


@admin.register(Vote)
class VoteAdmin(ReadOnly):
    list_display = ("id", "outcome", "cast_at", "undone_at")
