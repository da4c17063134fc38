"""celery -A shisa_arena worker -Q arena | worker -Q generation | beat."""

import os

from celery import Celery

from shisa_arena import servers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shisa_arena.settings")
servers.boot()

app = Celery("shisa_arena")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
