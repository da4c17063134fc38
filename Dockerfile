# One image for web, arena worker and beat; `--build-arg EXTRAS=generation` adds torch for a GPU worker.
FROM python:3.12-slim
ARG EXTRAS=""
WORKDIR /app
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN pip install --no-cache-dir -c constraints.txt ".${EXTRAS:+[$EXTRAS]}"
COPY . .
# collectstatic only needs some secret; the real one comes from the environment at run time.
RUN SECRET_KEY=build DATABASE_URL=postgresql://build REDIS_URL=redis://build \
    python -c "import django; from django.conf import settings; import os; \
os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shisa_arena.settings'); django.setup(); \
from django.core.management import call_command; call_command('collectstatic', '--noinput')" \
    && useradd --create-home arena && mkdir -p /data && chown arena /data
ENV SHISA_LOCAL=/data
USER arena
EXPOSE 8000
CMD ["python", "-m", "shisa_arena.processes", "web"]
