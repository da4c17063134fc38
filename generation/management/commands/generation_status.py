"""manage.py generation_status"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from generation import heartbeat, queries
from generation.models import Plan


class Command(BaseCommand):
    help = "How far the plans are, and what the workers do."

    def handle(self, *args: Any, **options: Any) -> None:
        for plan in Plan.objects.order_by("id"):
            self._plan(plan)
        for one in heartbeat.workers():
            self.stdout.write(
                f"worker {one['worker']}: {one['checkpoint']}, {one['running']} at once, "
                f"{one['waiting']} waiting, {one['finished']} finished, "
                f"{one['tokens_per_second']:.1f} tokens/s"
            )

    def _plan(self, plan: Plan) -> None:
        progress = queries.plan_progress(plan)
        line = f"{plan.name} ({plan.state}): {progress.done} of {progress.total} done"
        if progress.pending or progress.leased:
            line += f", {progress.leased} in work, {progress.pending} pending"
        if progress.tokens_per_second is not None:
            line += f", {progress.tokens_per_second:.1f} tokens/s"
        if progress.seconds_left:
            line += f", about {progress.seconds_left / 60:.0f} min left"
        if progress.failed:
            line += f", {progress.failed} failed"
        self.stdout.write(line)
        for error in progress.errors:
            self.stdout.write(f"  last error: {error}")
