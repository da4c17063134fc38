from django.apps import AppConfig


class ShisaArenaConfig(AppConfig):
    name = "shisa_arena"

    def ready(self) -> None:
        # Without the app of our own, a task sent from a web process would look for a broker on localhost, and wait.
        from shisa_arena import celery  # noqa: F401
