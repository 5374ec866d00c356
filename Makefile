# The commands of the project. On a fresh machine with Python 3.11+ (with venv) and make, each works as the first one typed.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(VENV)/bin/pip --disable-pip-version-check -qq
JOBS ?= auto
DRAFTS ?= 1000
POSTGRES ?= postgresql://postgres@127.0.0.1/postgres

.PHONY: demo test test-slow test-postgres lint format features bench chaos screenshots lock clean

demo: $(VENV)/.runtime  ## the whole portal on a simulated cloud: make demo PORT=8000
	@$(RUN) manage.py demo --port $(PORT)

test: $(VENV)/.dev  ## every test but the slow ones; browser tests are skipped, and say so, where there is no Chromium
	$(RUN) -m pytest -m "not slow" -n $(JOBS) --dist loadgroup -q

test-slow: $(VENV)/.dev  ## the rest: most journeys in a browser, fuzzing, long random walks
	$(RUN) -m pytest -m slow -n $(JOBS) --dist load -q

test-postgres: $(VENV)/.dev  ## what touches the database, on a PostgreSQL server: make test-postgres POSTGRES=postgresql://…
	DATABASE_URL=$(POSTGRES) $(RUN) -m pytest tests/apps/activity tests/apps/account tests/apps/snapshots/test_restore.py -n $(JOBS) -q

lint: $(VENV)/.dev  ## style, types, templates, migrations, deployment settings
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/djlint templates --lint --quiet
	$(RUN) manage.py makemigrations --check --dry-run
	BARRACK_API_KEY=unused SECRET_KEY=$$($(RUN) -c "import secrets; print(secrets.token_urlsafe(50))") ALLOWED_HOSTS=portal.example $(RUN) manage.py check --deploy --fail-level WARNING

format: $(VENV)/.dev  ## write the code the way lint wants it
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

features: $(VENV)/.dev  ## which rows of docs/features.toml have a passing test
	@mkdir -p out
	$(RUN) -m pytest -n $(JOBS) --dist loadgroup -q --features-report=out/features.json
	$(RUN) scripts/features.py out/features.json

bench: $(VENV)/.dev  ## how fast it is, as ratios taken in one run
	$(RUN) tests/load/bench.py

chaos: $(VENV)/.dev  ## that one draft becomes one VM, whatever breaks: make chaos DRAFTS=1000
	$(RUN) tests/load/chaos.py $(DRAFTS)

screenshots: $(VENV)/.dev  ## renew docs/screenshots/
	$(RUN) -m pytest tests/browser/screenshots.py -q

lock: $(VENV)/.dev  ## renew the lock files from pyproject.toml
	$(PIP) install uv
	$(VENV)/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade -o requirements.lock
	$(VENV)/bin/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) staticfiles out demo.sqlite3 demo.sqlite3-wal demo.sqlite3-shm

$(VENV)/bin/python:
	@PYTHON=$(PYTHON) sh scripts/venv.sh $(VENV)

$(VENV)/.runtime: requirements.lock | $(VENV)/bin/python
	@echo "Installing what the portal needs..."
	@$(PIP) install --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(VENV)/bin/python
	@echo "Installing what the portal and its tests need..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@ $(VENV)/.runtime
