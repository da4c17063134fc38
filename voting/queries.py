"""Reads used in more than one place."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from generation.models import Prompt
from voting.models import Round


def round_prompts(round_: Round) -> QuerySet[Prompt]:
    """The prompts that a round asks: of its sets, in its languages, not retired."""
    in_languages = Q(language__in=round_.languages)
    return Prompt.objects.filter(in_languages, set__roundpromptset__round=round_, retired_at=None)
