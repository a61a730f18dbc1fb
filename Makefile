# Everything a person or CI does with this repository. `make help` lists it.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

# The Python that starts the supervisor, which chooses (or checks) the one that the platform runs on.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; exit; }; \
	done; command -v python3 || echo none)

SUPERVISOR = $(PYTHON) -m gateway.supervisor
VENV = .venv/bin
TEST_HOME = var/tests
SERVICES_IN = $(VENV)/python -m gateway.supervisor services --home
SERVICES = $(SERVICES_IN) $(TEST_HOME) --
ARGS =
BASE = python:3.11-slim
WORKSPACE_IMAGE ?= gatehouse-workspace:local

.PHONY: help up down status reset secrets demo run test test-long check format bench openapi permissions s3-support lock workspace-image python test-env lint-env \
	check-format check-lint check-templates check-django

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: python ## Install, prepare and run the platform here, until Ctrl-C
	@exec $(SUPERVISOR) up

down: python ## Stop the instance of this home
	@exec $(SUPERVISOR) down

status: python ## What runs, and what /health says
	@exec $(SUPERVISOR) status

reset: python ## Delete this home's database and files (asks first; YES=1 answers)
	@YES='$(YES)' exec $(SUPERVISOR) reset

secrets: python ## Make the files in secrets/ that docker-compose.yml mounts
	@exec $(SUPERVISOR) secrets

demo: test-env ## A tenant, a bucket, files in and out with the AWS CLI, against the running platform
	@exec $(SUPERVISOR) run -- $(VENV)/python gateway/demo.py

run: python ## A command with the running instance's environment: make run ARGS="./manage.py shell"
	@exec $(SUPERVISOR) run -- $(VENV)/python $(ARGS)

test: test-env ## All tests but the slow ones (ARGS="tenants -k login" for some)
	@exec $(SERVICES) $(VENV)/python -m pytest -m "not long and not browser" $(or $(ARGS),$(BESIDE) $(call WORKER,3))
	@[ -n "$(ARGS)" ] || exec $(SERVICES) $(VENV)/python -m pytest -m "browser and not long" tests/browser $(BESIDE)

# Workers side by side share nothing: each but the first has a PostgreSQL and a Valkey of its own. Two have a core each;
# of the ordinary tests, which wait half of their time, three run on two. A file's tests stay together, for its
# fixtures, files in the order of conftest.py; a worker that dies is a failure, not begun anew.
WORKER = --tx "popen//python=$(SERVICES_IN) $(TEST_HOME)-$(1) -- $(VENV)/python"
BESIDE = --dist loadfile --no-loadscope-reorder --max-worker-restart 0 --tx popen $(call WORKER,2)

# Of the slow ones, those that run beside others in `make test` too. What watches faults and the clock stays alone.
LONG_BESIDE = tests/openapi tests/revocation storage/tests storage/s3/tests/test_clients_live.py

test-long: test-env ## The slow tests: faults, scale, foreign test suites
	@exec $(SERVICES) $(VENV)/python -m pytest -m long $(or $(ARGS),$(addprefix --ignore=,$(LONG_BESIDE)))
	@[ -n "$(ARGS)" ] || exec $(SERVICES) $(VENV)/python -m pytest -m long $(LONG_BESIDE) $(BESIDE)

check: lint-env ## Format, lint, templates, types, migrations, OpenAPI document
	@failed=0; for part in format lint templates django; do $(MAKE) check-$$part || failed=1; done; exit $$failed

check-format:
	@$(VENV)/ruff format --check .

check-lint:
	@$(VENV)/ruff check .

check-templates:
	@$(VENV)/djlint --quiet --check --lint templates

check-django:
	@exec $(SERVICES) sh -c '\
		failed=0; \
		$(VENV)/mypy || failed=1; \
		$(VENV)/python manage.py check || failed=1; \
		$(VENV)/python manage.py prepare_database --verbosity 0 || failed=1; \
		$(VENV)/python manage.py makemigrations --check --dry-run || failed=1; \
		$(VENV)/python manage.py spectacular --fail-on-warn --validate --file $(TEST_HOME)/openapi.json --format openapi-json || failed=1; \
		cmp -s $(TEST_HOME)/openapi.json docs/openapi.json || { echo "docs/openapi.json is out of date: make openapi"; failed=1; }; \
		exit $$failed'

format: lint-env ## Format Python and templates
	@$(VENV)/ruff check --fix-only --quiet .
	@$(VENV)/ruff format --quiet .
	@$(VENV)/djlint --quiet --reformat templates || true

bench: test-env ## Measure against bare programs on this machine; prints ratios
	@exec $(SERVICES) $(VENV)/python -m bench

openapi: test-env ## Write docs/openapi.json
	@exec $(SERVICES) $(VENV)/python manage.py spectacular --fail-on-warn --validate --file docs/openapi.json --format openapi-json

permissions: test-env ## Write docs/permissions.md
	@exec $(SERVICES) $(VENV)/python -m tests.permissions

s3-support: test-env ## Write the table of operations in docs/s3.md
	@$(VENV)/python -m storage.s3.tests.support

lock: lint-env ## Lock requirements/*.in anew, with hashes and without registry addresses
	@cd requirements && for name in install base test lint; do \
		../$(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
			$(UPGRADE) $$name.in --output-file $$name.txt; done
	@$(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--constraint requirements/base.txt workspace_image/pyproject.toml --output-file workspace_image/requirements.txt

workspace-image: ## Build the image of workspaces (BASE=python:3.11-slim, WORKSPACE_IMAGE=gatehouse-workspace:local)
	@docker build --build-arg BASE=$(BASE) --tag $(WORKSPACE_IMAGE) workspace_image

python:
	@[ "$(PYTHON)" != none ] || { echo "gatehouse: Python 3.11 or newer is needed and there is no python3: install it (Debian: apt-get install python3 python3-venv)" >&2; exit 1; }

test-env: python
	@$(SUPERVISOR) install test

lint-env: python
	@$(SUPERVISOR) install lint
