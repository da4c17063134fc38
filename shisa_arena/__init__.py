"""The top layer: settings, urls, the Celery app, the embedded servers, the commands that cross apps."""
