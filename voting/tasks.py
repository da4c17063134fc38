from celery import shared_task

from voting import rounds


@shared_task
def tick() -> None:
    rounds.tick()
