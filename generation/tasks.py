"""Thin: what runs, runs from leases in Postgres. A message lost, late or double changes nothing."""

from __future__ import annotations

from celery import shared_task

# Loaded by the worker's parent, so that its processes share the flag.
from generation import announcing, stopping  # noqa: F401


@shared_task
def announce() -> None:
    announcing.announce()


@shared_task
def generate(checkpoint_id: int) -> None:
    # Not above: it needs torch, which web nodes do not have, and which must be loaded in the child only.
    from generation import pump

    announcing.begun(checkpoint_id)
    pump.run(checkpoint_id)
