"""The web entry point: granian --interface wsgi shisa_arena.wsgi:application."""

import os

from django.core.wsgi import get_wsgi_application

from shisa_arena import servers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shisa_arena.settings")
servers.boot()
application = get_wsgi_application()
