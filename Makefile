# Two commands are enough: make demo, make test. Both make the virtual environment first.
VENV := .venv
PYTHON ?= $(firstword $(foreach name,python3.12 python3.11 python3,$(shell command -v $(name))))

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-reset

help: ## Show these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## Make .venv and install the locked requirements, when they changed
	@if ! cmp -s requirements/dev.txt $(VENV)/installed-lock.txt; then \
		set -e; \
		test -n "$(PYTHON)" || { echo "There is no Python: install Python 3.11 or 3.12."; exit 1; }; \
		$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
			|| { echo "$(PYTHON) is not 3.11-3.14: name another, e.g. make PYTHON=python3.12"; exit 1; }; \
		echo "Installing the locked requirements into $(VENV) …"; \
		test -x $(VENV)/bin/pip || $(PYTHON) -m venv --clear $(VENV); \
		$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt; \
		cp requirements/dev.txt $(VENV)/installed-lock.txt; \
	fi

demo: setup ## Set the demo up with a real sync and serve it (PORT=8000)
	@DEBUG=1 $(VENV)/bin/python manage.py demo $(if $(PORT),--port $(PORT)) $(if $(MAVEN),--maven "$(MAVEN)")

demo-reset: setup ## Delete the demo's data
	@DEBUG=1 $(VENV)/bin/python -m config.demo.reset
