# What a person does here: make run, make test, make check, make bench. Each sets up what it needs.

PYTHON ?= python3
VENV := .venv/bin
INSTALL := @$(PYTHON) scripts/install.py
ARGS ?=
WORKERS ?= 2

.PHONY: help run test check audit fuzz soak format bench capacity nets science screenshots golden constraints limits reference clean dictionary

help:
	@echo "make run      serve the dashboard on 127.0.0.1:8000   (ARGS='--port 8001' for another port)"
	@echo "make test     run all tests                           (ARGS='-k wire' for some)"
	@echo "make check    lint and types, Python and JavaScript; known vulnerabilities of what is pinned"
	@echo "make fuzz     throw 100,000 inputs and more at whatever reads bytes from outside"
	@echo "make soak     inject faults for half an hour, and load a server with many hours of use"
	@echo "make bench    measure every speed that the README claims"
	@echo "make nets     watch nets that others have written, and look whether that has changed them"
	@echo "make science  try the sixteen claims and write down what came out"

run:
	$(INSTALL) server
	@$(VENV)/python -m app $(ARGS)

test:
	$(INSTALL) server dev
	@$(VENV)/python scripts/chromium.py > /dev/null
	$(VENV)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: node_modules
	$(INSTALL) server dev
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	@$(VENV)/python scripts/node.py npm run --silent check
	@$(VENV)/python scripts/audit.py

audit:
	$(INSTALL) server dev
	$(VENV)/python scripts/audit.py

fuzz:
	$(INSTALL) server dev fuzz
	$(VENV)/python -m tests.fuzz $(ARGS)

soak:
	$(INSTALL) server dev
	$(VENV)/python -m tests.soak $(ARGS)

node_modules: package.json package-lock.json
	$(INSTALL) server dev
	@$(VENV)/python scripts/node.py npm ci --silent --no-audit --no-fund
	@touch node_modules

format:
	$(INSTALL) server dev
	$(VENV)/ruff check --fix --quiet .
	$(VENV)/ruff format .

bench:
	$(INSTALL) server dev bench
	@$(VENV)/python scripts/chromium.py > /dev/null
	$(VENV)/python -m benchmarks $(ARGS)

capacity:
	$(INSTALL) server dev
	$(VENV)/python -m benchmarks.capacity

nets:
	$(INSTALL) server dev nets
	$(VENV)/python -m tests.nets_by_others $(ARGS)

science:
	$(INSTALL) server dev
	$(VENV)/python scripts/science.py $(ARGS)

screenshots:
	$(INSTALL) server dev
	@$(VENV)/python scripts/chromium.py > /dev/null
	$(VENV)/python scripts/screenshots.py

golden:
	$(INSTALL) server dev
	$(VENV)/python scripts/golden.py

dictionary:
	$(INSTALL) server dev
	$(VENV)/python scripts/dictionary.py $(ARGS)

constraints:
	$(INSTALL) server
	$(VENV)/python scripts/constraints.py

limits:
	$(INSTALL) server dev
	$(VENV)/python scripts/limits.py

reference:
	$(INSTALL) server dev
	$(VENV)/python scripts/reference.py

clean:
	rm -rf .venv node_modules build dist .mypy_cache .ruff_cache .pytest_cache
