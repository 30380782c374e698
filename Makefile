# Two commands are enough: make demo, make test. Both make the virtual environment first.
VENV := .venv
PYTHON ?= $(shell for name in python3.12 python3.11 python3 python3.13 python3.14; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$name && break; done)
RUN := $(VENV)/bin
PYTEST := MAWARU_TESTING=1 $(RUN)/pytest
BESIDE := -n 2 --dist worksteal
GROUPED := -n 2 --dist loadgroup
# Compiled modules are kept even where the environment says otherwise: every process would compile all of them again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-event demo-reset check test gate proof proof-properties proof-counts proof-journeys journeys \
	screenshots bench-engine bench-sync bench-live messages

help: ## Show these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

setup: ## Make .venv and install the locked requirements, when they changed
	@if ! cmp -s requirements/dev.txt $(VENV)/installed-lock.txt; then \
		set -e; \
		test -n "$(PYTHON)" || { echo "There is no Python 3.11-3.14: install one, or name it: make PYTHON=…"; exit 1; }; \
		echo "Installing the locked requirements into $(VENV) …"; \
		test -x $(VENV)/bin/pip || $(PYTHON) -m venv --clear $(VENV); \
		$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt; \
		cp requirements/dev.txt $(VENV)/installed-lock.txt; \
	fi

demo: setup ## Set the demo up with a real sync and serve it (PORT=8000)
	@DEBUG=1 $(VENV)/bin/python manage.py demo $(if $(PORT),--port $(PORT)) $(if $(MAVEN),--maven "$(MAVEN)")

demo-event: setup ## Win a deal in the CRM of the running demo, which calls us; open pages follow
	@DEBUG=1 $(VENV)/bin/python manage.py demo_event

demo-reset: setup ## Delete the demo's data
	@DEBUG=1 $(VENV)/bin/python -m config.demo.reset

check: setup ## Lint, types, floors and rooms, migrations, catalogue (seconds)
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/lint-imports
	DEBUG=1 $(RUN)/mypy
	DEBUG=1 $(RUN)/python manage.py makemigrations --check --dry-run
	DEBUG=1 $(RUN)/python manage.py check
	SECRET_KEY=$$($(RUN)/python -c 'import secrets; print(secrets.token_urlsafe(50))') \
		CREDENTIAL_KEYS=$$($(RUN)/python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())') \
		DATABASE_URL=postgres://nobody@localhost/nothing REDIS_URL=redis://localhost/0 \
		$(RUN)/python manage.py check --deploy --fail-level WARNING
	DEBUG=1 $(RUN)/python -m config.catalogue check

test: setup ## Behaviour, 25 random examples each (up to 5 minutes on 2 cores)
	$(PYTEST) $(BESIDE) -m "not gate and not journey and not proof"

gate: setup ## What continuous integration adds: journeys in a real browser, kills, faults, isolation
	MAWARU_TIER=gate $(PYTEST) $(GROUPED) -m "(gate or journey) and not (alone or proof)"
	MAWARU_TIER=gate $(PYTEST) -m "alone and not proof"

journeys: setup ## The users' jobs in a real browser (set MAWARU_CHROMIUM where it is not on PATH)
	$(PYTEST) -m journey

screenshots: setup ## Take the pictures in docs/screenshots anew from a fresh demo
	$(RUN)/python -m tests.journeys.screenshots

proof: proof-properties proof-counts proof-journeys ## The full counts, before an issue is called resolved (up to 90 minutes on a quiet machine)

proof-properties: setup ## … its properties, up to 2,000 random examples each
	MAWARU_TIER=proof $(PYTEST) $(BESIDE) -m "property and not (journey or alone)"

proof-counts: setup ## … its other tests, with all faults, kills, generated calls and mutants
	MAWARU_TIER=proof $(PYTEST) $(BESIDE) -m "not (property or journey or alone)"

proof-journeys: setup ## … its journeys, and what is promised within seconds
	MAWARU_TIER=proof $(PYTEST) $(GROUPED) -m "journey"
	MAWARU_TIER=proof $(PYTEST) -m "alone"

bench-engine: setup ## Measure the engine with a million deals, and write docs/benchmarks/engine.md (up to an hour)
	DEBUG=1 MAWARU_EMBEDDED_DIR=/var/tmp/mawaru-bench $(RUN)/python manage.py bench_engine

bench-sync: setup ## Measure how fast records come in, and write docs/benchmarks/sync.md (DLT=1 measures dlt too)
	DEBUG=1 SOURCES_ON_LOOPBACK=1 MAWARU_EMBEDDED_DIR=/var/tmp/mawaru-bench $(RUN)/python manage.py bench_sync \
		$(if $(DLT),--dlt)

bench-live: setup ## Measure how soon open pages of the demo show an event, and write docs/benchmarks/live.md (minutes)
	$(RUN)/python -m tests.journeys.live

messages: setup ## Collect the texts of pages and code into the catalogue, and compile it
	DEBUG=1 $(RUN)/python -m config.catalogue extract
	DEBUG=1 $(RUN)/python -m config.catalogue compile
