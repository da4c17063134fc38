from celery import shared_task

from ranking import loop


@shared_task
def fold_open_rounds() -> None:
    loop.fold_open_rounds()
