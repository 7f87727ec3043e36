PYTHON := .venv/bin/python

.PHONY: up down test check bench

up: .venv/ready ## the theme park in the sandbox: emulator, pulumi up, a message, what each route received
	$(PYTHON) -m sandbox up

down: .venv/ready ## stop every process of the sandbox
	$(PYTHON) -m sandbox down

test: .venv/ready ## unit, component, integration tests
	$(PYTHON) -m pytest

check: .venv/ready ## style and types
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/pyright

bench: .venv/ready ## what is measured, and how: benchmarks/README.md
	$(PYTHON) -m benchmarks

.venv/ready: requirements.txt requirements-dev.txt
	test -x $(PYTHON) || python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
