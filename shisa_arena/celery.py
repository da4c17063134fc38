"""celery -A shisa_arena worker -Q arena | worker -Q generation | beat."""

import os
import sys

from celery import Celery

from shisa_arena import servers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shisa_arena.settings")
if "celery" in os.path.basename(sys.argv[0]) or sys.argv[0].endswith("celery/__main__.py"):
    servers.boot()  # a worker or beat; web and manage.py have done so already

app = Celery("shisa_arena")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
