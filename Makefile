# make demo: everything, running.  make test: everything, checked.  make help: the rest.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --disable-pip-version-check --quiet -c constraints.txt
export SHISA_DEVELOPMENT ?= 1

.PHONY: help demo test test-all lint bench lock shots locale clean
.DEFAULT_GOAL := help

help: ## these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.web ## set up and run the whole arena (PORT=8000, DEMO_MODEL=all|smollm2|none)
	@$(RUN) manage.py demo

test: $(VENV)/.dev lint ## set up, lint and test (BROWSER=0 leaves the browser tests out, and says so)
	$(RUN) -m pytest -q

test-all: $(VENV)/.dev $(VENV)/.models lint ## test, and what takes long: real models, soak
	$(RUN) -m pytest -q -m ''

lint: $(VENV)/.dev ## ruff, mypy, import-linter, migrations
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy .
	$(VENV)/bin/lint-imports --no-cache
	$(RUN) manage.py makemigrations --check --dry-run

bench: $(VENV)/.dev ## run every benchmark, quick
	@for script in benchmarks/*.py; do $(RUN) $$script --quick || exit 1; done

lock: $(VENV)/.dev ## refresh constraints.txt from pyproject.toml
	$(PIP) uv
	$(RUN) -m uv pip compile --upgrade -q pyproject.toml --extra embedded --extra generation --extra dev \
		--universal --python-version 3.11 --no-header --no-annotate -o constraints.txt

locale: ## compile the translations
	msgfmt --check -o locale/ja/LC_MESSAGES/django.mo locale/ja/LC_MESSAGES/django.po

clean: ## remove the environment and all local data
	rm -rf $(VENV) .local staticfiles

# pip prints nothing while it works; the echo says what it is doing.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 14); \
		sys.exit(0 if ok else "Python 3.11 to 3.13 is needed, this is %d.%d. Try: make PYTHON=python3.12" % sys.version_info[:2])'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.web: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing the web part (about 300 MB) into $(VENV) ..."
	@$(PIP) '.[embedded]'
	@touch $@

$(VENV)/.dev: $(VENV)/.web
	@echo "Installing the generation and test parts (1.5 GB with a CPU build of torch, more with CUDA) ..."
	@$(PIP) '.[embedded,generation,dev]'
	@touch $@

$(VENV)/.models: $(VENV)/.dev
	@echo "Installing the demo models (330 MB) ..."
	@$(RUN) manage.py demo_models
	@touch $@
