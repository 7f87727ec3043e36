PYTHON := .venv/bin/python

.PHONY: help up down test check bench conformance simulate permissions

help: ## these lines
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 14

up: .venv/ready ## the theme park in the sandbox: emulator, pulumi up, a message, what each route received
	$(PYTHON) -m sandbox up

down: .venv/ready ## stop every process of the sandbox
	$(PYTHON) -m sandbox down

test: .venv/ready ## unit, component, integration tests: two files at a time, each with sandboxes of its own
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: .venv/ready ## style and types
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/pyright

bench: .venv/ready ## what is measured, and how: benchmarks/README.md
	for each in check patterns imports router flows edits memory; do $(PYTHON) -m benchmarks.$$each || exit 1; done

conformance: .venv/ready ## ask the reference matcher again (needs Java and Maven), then 100,000 generated pairs
	$(PYTHON) -m tests.conformance record && $(PYTHON) -m tests.conformance fuzz --pairs 100000

simulate: .venv/ready ## 100,000 runs of store, bus, stream and the three writers, with faults
	$(PYTHON) -m tests.simulation --from 1 --seeds 100000

permissions: .venv/ready ## each action and resource of the stack's policies taken away alone; `make test` takes statements
	SIGNALBOX_EACH_PERMISSION=1 $(PYTHON) -m pytest tests/integration/permissions

.venv/ready: requirements.txt requirements-dev.txt
	test -x $(PYTHON) || python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
