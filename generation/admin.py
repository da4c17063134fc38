"""The admin shows; commands and plans change. Candidates and prompts never change: answers refer to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from generation.models import Candidate, Checkpoint, Job, Plan, Prompt, PromptSet, Response

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Any]
else:
    _Admin = admin.ModelAdmin


class ReadOnly(_Admin):
    def has_add_permission(self, request: Any) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        return False


@admin.register(Checkpoint)
class CheckpointAdmin(_Admin):
    """What describes a checkpoint may be mended; where its weights come from may not: answers refer to it."""

    list_display = ("name", "source", "location", "stage", "parent", "output_terms")
    list_select_related = ("parent",)
    readonly_fields = ("source", "location", "revision", "dtype", "quantisation")
    raw_id_fields = ("parent",)
    search_fields = ("name",)

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        return False


@admin.register(PromptSet)
class PromptSetAdmin(_Admin):
    list_display = ("slug", "licence", "source", "holdout")


@admin.register(Candidate)
class CandidateAdmin(ReadOnly):
    list_display = ("label", "checkpoint", "kind", "sampler", "retired_at")
    list_select_related = ("checkpoint",)
    search_fields = ("label",)


@admin.register(Prompt)
class PromptAdmin(ReadOnly):
    list_display = ("key", "set", "language", "category", "turns", "retired_at")
    list_filter = ("set", "language", "category")
    list_select_related = ("set",)
    search_fields = ("key",)


@admin.register(Plan)
class PlanAdmin(ReadOnly):
    list_display = ("name", "state", "samples", "created_at")


@admin.register(Job)
class JobAdmin(ReadOnly):
    list_display = ("candidate", "prompt", "sample", "state", "attempts", "error")
    list_filter = ("state",)
    list_select_related = ("candidate", "prompt")


@admin.register(Response)
class ResponseAdmin(ReadOnly):
    list_display = ("candidate", "prompt", "sample", "chars", "tokens", "created_at")
    list_select_related = ("candidate", "prompt")
    show_full_result_count = False
