"""What every dashboard page carries, whichever app's view made it."""

from __future__ import annotations

from django import template

from ranking import status

register = template.Library()


@register.simple_tag
def arena_status() -> status.Status:
    return status.now()
